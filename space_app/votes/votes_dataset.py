"""Votes in a dataset on the Hub: append only, in batches, taken in again after a restart.

::

    votes/<day>/<content hash>.jsonl     one line a vote; never changed
    deletions/<content hash>.jsonl       visitors whose votes up to a moment are taken back
    README.md                            the dataset's card

SQLite stays the place that votes are counted in. A round of `VotesDataset.sync` first takes in the
files it does not know, then sends what the dataset lacks, on the commit that it read: so a lost
race reads again, and a commit whose answer was lost is found instead of being made twice.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from space_app.votes.vote_database import Batch, Deletion, Vote, VoteDatabase
from space_app.votes.vote_jsonl import deletion_lines, read_deletions, read_votes, vote_lines

LOG = logging.getLogger(__name__)
VOTES, DELETIONS, README = "votes/", "deletions/", "README.md"
RACES = {409, 412}
ROUNDS = 20
"""How often a lost race is run again at once; one of all writers always wins."""
READERS = 8

CARD = """---
pretty_name: Blind votes on merges
tags:
- mergebot
configs:
- config_name: votes
  data_files: votes/**/*.jsonl
- config_name: deletions
  data_files: deletions/*.jsonl
---

# Blind votes on merges

`votes/` holds one line a vote: the pair by the board's keys, which side was chosen, the sampling
settings, and a salted hash of the visitor; a conversation only where the visitor shared it.
`uncounted` says why a vote stays out of every tally. Files are never changed. Whoever reads the
votes must leave out those that `deletions/` takes back: every vote of `visitor` with `created` up
to and including `until`.
"""


class Head(NamedTuple):
    """The dataset's newest commit and the paths in it."""

    commit: str
    files: frozenset[str]


class VotesDataset:
    """Keeps a vote database and a dataset in step.

    Args:
        database: the votes that are counted.
        repo: ``org/name`` of the dataset; made, private, with the first vote.
        cache: folder for files that are read.
        api: the client, with its endpoint and a token that may write.
    """

    def __init__(
        self, database: VoteDatabase, repo: str, cache: Path, *, api: HfApi | None = None
    ) -> None:
        self.repo = repo
        self.problem: str | None = None
        self._database = database
        self._cache = cache
        self._api = api or HfApi()
        self._syncing = threading.Lock()

    def sync(self) -> bool:
        """Take in what is new there and send what is new here.

        Returns:
            Whether that was possible; where not, `problem` says why and everything stays in the
            database for the next time.
        """
        with self._syncing:
            try:
                self._set_problem(self._sync_once())
            except Exception as failure:  # noqa: BLE001 - whatever breaks, votes stay and are tried again
                words = " ".join(str(failure).split()) or type(failure).__name__
                self._set_problem(f"the votes dataset {self.repo} is out of step: {words[:200]}")
                return False
        return True

    def sync_every(self, seconds: float) -> threading.Event:
        """Sync at once and again and again in the background until the returned event is set."""
        stop = threading.Event()

        def run() -> None:
            self.sync()
            while not stop.wait(seconds):
                self.sync()

        threading.Thread(target=run, name="votes-dataset", daemon=True).start()
        return stop

    def _set_problem(self, problem: str | None) -> None:
        """Tell the Space's log of a problem once, not every minute."""
        if problem and problem != self.problem:
            LOG.warning("%s", problem)
        self.problem = problem

    def _sync_once(self) -> str | None:
        """Read and write until nothing is left to send; gives what was wrong with the files."""
        broken, lost = 0, 0
        while True:
            head = self._head()
            if head is not None:
                broken += self._import_new(head)
            batch = self._database.unsent()
            if not batch:
                return f"{broken} lines of {self.repo} are no votes" if broken else None
            try:
                self._send(batch, head or self._make())
            except HfHubHTTPError as refused:
                lost += 1
                if refused.response.status_code not in RACES or lost == ROUNDS:
                    raise

    def _head(self) -> Head | None:
        try:
            return self._read_head()
        except RepositoryNotFoundError:
            return None

    def _make(self) -> Head:
        self._api.create_repo(self.repo, repo_type="dataset", visibility="private", exist_ok=True)
        return self._read_head()

    def _read_head(self) -> Head:
        found = self._api.dataset_info(self.repo)
        return Head(str(found.sha), frozenset(one.rfilename for one in found.siblings or ()))

    def _import_new(self, head: Head) -> int:
        """Absorb the files that are not known yet; gives how many of their lines were broken."""
        ours = {path for path in head.files if path.startswith((VOTES, DELETIONS))}
        paths = sorted(ours - self._database.known_files())
        if not paths:
            return 0

        def read(path: str) -> bytes:
            return Path(
                hf_hub_download(
                    self.repo, path, repo_type="dataset", revision=head.commit,
                    endpoint=self._api.endpoint, token=self._api.token, cache_dir=self._cache,
                )
            ).read_bytes()  # fmt: skip

        with ThreadPoolExecutor(READERS) as pool:
            contents = dict(zip(paths, pool.map(read, paths), strict=True))
        votes, deletions, broken = list[Vote](), list[Deletion](), 0
        for path, content in contents.items():
            if path.startswith(VOTES):
                found = read_votes(content)
                votes.extend(found.votes)
                broken += found.broken
            else:
                taken_back = read_deletions(content)
                deletions.extend(taken_back.deletions)
                broken += taken_back.broken
        self._database.import_batch(Batch(votes=tuple(votes), deletions=tuple(deletions)), paths)
        return broken

    def _send(self, batch: Batch, head: Head) -> None:
        files = batch_files(batch)
        card = {} if README in head.files else {README: CARD.encode()}
        self._api.create_commit(
            self.repo,
            [
                CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)
                for path, content in sorted((files | card).items())
            ],
            repo_type="dataset",
            commit_message=_summary(batch),
            parent_commit=head.commit,
        )
        self._database.sent(batch, files)


def batch_files(batch: Batch) -> dict[str, bytes]:
    """A batch as files by their paths; the same batch has the same paths."""
    files: dict[str, bytes] = {}
    if batch.votes:
        content = vote_lines(batch.votes)
        day = datetime.fromtimestamp(batch.votes[0].created, UTC)
        files[f"{VOTES}{day:%Y-%m-%d}/{_digest(content)}.jsonl"] = content
    if batch.deletions:
        content = deletion_lines(batch.deletions)
        files[f"{DELETIONS}{_digest(content)}.jsonl"] = content
    return files


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _summary(batch: Batch) -> str:
    parts: Sequence[tuple[int, str]] = (
        (len(batch.votes), "votes"), (len(batch.deletions), "deletions"),
    )  # fmt: skip
    return "Add " + " and ".join(f"{count} {what}" for count, what in parts if count)
