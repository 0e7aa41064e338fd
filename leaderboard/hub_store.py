"""The results dataset on the Hub, read: every run from one table, items when they are asked for.

::

    records/<run_key>.json                what a run did and found; never changed
    retractions/<run_key>.json            that it was taken back
    samples/<run_key>/<suite>/…           items with answers and scores, where the suite allows it
    runs.parquet                          derived from the above, rebuilt with every change
    README.md                             the dataset's card
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx2 as httpx
from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name

from leaderboard.board_errors import BoardError
from leaderboard.record import Record
from leaderboard.record_store import Loaded
from leaderboard.runs_table import load_runs, read_runs
from leaderboard.sample_scores import TaskScores, load_scores

RUNS = "runs.parquet"
RECORDS = "records/"
RETRACTIONS = "retractions/"
SAMPLES = "samples/"
MAIN = "main"
REST = 30.0
"""Seconds for which a Hub out of reach is not asked for items again: somebody is waiting."""
MOST_HELD = 16
"""Models whose items are kept in memory."""


def sample_file(suite: str, name: str, model: str) -> str:
    """Where a model's items are below its run's folder; strangers' names lead nowhere else."""
    folder, file = (re.sub(r"^\.+|[^\w.-]", "-", word, flags=re.ASCII) for word in (suite, name))
    return f"{folder}/{file}-{model[:8]}.parquet"


class HubStore:
    """The records of a results dataset.

    Args:
        repo: ``org/name`` of the dataset.
        cache: folder for the local copy, which is shown while the Hub is out of reach; the client's
            own by default.
        api: the client, with its endpoint and token; by default what the environment says.
        timeout: seconds the Hub may take to say whether a file is there.
    """

    def __init__(
        self,
        repo: str,
        cache: Path | None = None,
        *,
        api: HfApi | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.repo = repo
        self._timeout = timeout
        self._api = api or HfApi()
        self._cache = cache or Path(constants.HF_HUB_CACHE)
        self._read = lru_cache(MOST_HELD)(load_scores)
        self._records: tuple[Record, ...] = ()
        self._commit = MAIN
        self._missing: set[str] = set()
        self._ask_again = 0.0

    def load(self) -> Loaded:
        """Every run with its retraction; broken records become problems.

        Raises:
            BoardError: the dataset is not there or cannot be reached.
        """
        path = self._download(RUNS, MAIN)
        if path is None:
            return Loaded(records=())
        loaded = load_runs(read_runs(path.read_bytes()), where=self.repo)
        # Items are read at the table's own commit: they were added together with their row.
        self._records, self._commit = loaded.records, path.parent.name
        return loaded

    def samples(self, suite: str, model: str) -> Mapping[str, TaskScores] | None:
        """A model's scores by item on a suite, both by digest; None where none are published.

        What was read once is read from the local copy from then on: it never changes.

        Raises:
            BoardError: they are not here and the Hub cannot be reached, or they are broken.
        """
        for path in self._places(suite, model):
            file = self._copy(path) or self._fetched(path)
            if file is not None:
                return self._read(file)
        return None

    def _places(self, suite: str, model: str) -> Iterator[str]:
        """Where a model's items may be: in the folder of every run that scored it, newest first."""
        for record in sorted(self._records, key=lambda one: one.created, reverse=True):
            names = {record.model_digest: record.name}
            names |= {parent.key: parent.name for parent in record.parents}
            for found in record.suites:
                if found.digest == suite and model in found.headline and model in names:
                    place = sample_file(found.suite, names[model], model)
                    yield f"{SAMPLES}{record.run_key}/{place}"

    def _copy(self, path: str) -> Path | None:
        """The file as some earlier commit had it."""
        folder = repo_folder_name(repo_id=self.repo, repo_type="dataset")
        return next((self._cache / folder / "snapshots").glob(f"*/{path}"), None)

    def _fetched(self, path: str) -> Path | None:
        if path in self._missing:
            return None
        if time.monotonic() < self._ask_again:
            raise BoardError(f"{self.repo} is out of reach", hint="try again in half a minute")
        try:
            file = self._download(path, self._commit)
        except BoardError:
            self._ask_again = time.monotonic() + REST
            raise
        if file is None:
            self._missing.add(path)
        return file

    def _download(self, path: str, revision: str) -> Path | None:
        """A local copy of a file, None where the dataset has no such file.

        Raises:
            BoardError: the dataset is not there or cannot be reached.
        """
        place: dict[str, Any] = {"repo_id": self.repo, "filename": path, "repo_type": "dataset"}
        access: dict[str, Any] = {"endpoint": self._api.endpoint, "token": self._api.token}
        cache: dict[str, Any] = {"revision": revision, "cache_dir": self._cache}
        try:
            if not isinstance(try_to_load_from_cache(**place, **cache), str):
                # Without a copy the client would go on asking a silent server for minutes.
                url = hf_hub_url(**place, revision=revision, endpoint=self._api.endpoint)
                get_hf_file_metadata(url, timeout=self._timeout, **access)
            return Path(hf_hub_download(**place, **access, **cache, etag_timeout=self._timeout))
        except LocalEntryNotFoundError as error:
            raise self._unreachable(error.__cause__ or error) from error
        except EntryNotFoundError:
            return None
        except (OSError, httpx.HTTPError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> BoardError:
        said = " ".join(str(error).split())[:200]
        return BoardError(
            f"the results in {self.repo} cannot be read: {said}",
            hint="check the dataset's name and the connection",
        )
