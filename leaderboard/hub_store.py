"""The results dataset on the Hub, read: every run from one table, in one request.

::

    records/<run_key>.json                what a run did and found; never changed
    retractions/<run_key>.json            that it was taken back
    samples/<run_key>/<suite>/…           items with answers and scores, where the suite allows it
    runs.parquet                          derived from the above, rebuilt with every change
    README.md                             the dataset's card
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from leaderboard.errors import BoardError
from leaderboard.runs import load_runs, read_runs
from leaderboard.store import Loaded

RUNS = "runs.parquet"
RECORDS = "records/"
RETRACTIONS = "retractions/"
SAMPLES = "samples/"


class HubStore:
    """The records of a results dataset.

    Args:
        repo: ``org/name`` of the dataset.
        cache: folder for the local copy, which is shown while the Hub is out of reach; the client's
            own by default.
        api: the client, with its endpoint and token; by default what the environment says.
    """

    def __init__(self, repo: str, cache: Path | None = None, *, api: HfApi | None = None) -> None:
        self.repo = repo
        self._api = api or HfApi()
        self._cache = cache

    def load(self) -> Loaded:
        """Every run with its retraction; broken records become problems.

        Raises:
            BoardError: the dataset is not there or cannot be reached.
        """
        try:
            path = hf_hub_download(
                self.repo,
                RUNS,
                repo_type="dataset",
                endpoint=self._api.endpoint,
                token=self._api.token,
                cache_dir=self._cache,
            )
        except LocalEntryNotFoundError as error:
            raise self._unreachable(error.__cause__ or error) from error
        except EntryNotFoundError:
            return Loaded(records=())
        except OSError as error:
            raise self._unreachable(error) from error
        return load_runs(read_runs(Path(path).read_bytes()), where=self.repo)

    def _unreachable(self, error: BaseException) -> BoardError:
        said = " ".join(str(error).split())[:200]
        return BoardError(
            f"the results in {self.repo} cannot be read: {said}",
            hint="check the dataset's name and the connection",
        )
