"""The results dataset, written: append only, one commit a change, and no writer loses a row.

Every change is made against the commit it was read from. Where another writer was first (412, or
409 while its commit is in progress), the dataset is read again and the change made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from huggingface_hub import CommitOperationAdd

from bot.errors import AccessError, RecordError
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.download import fetch
from bot.hub.hub_errors import explained, may_pass
from bot.hub.repo_snapshot import Snapshot, require_hub_id, take_snapshot
from leaderboard.board_errors import BoardError
from leaderboard.hub_store import RECORDS, RETRACTIONS, RUNS, SAMPLES
from leaderboard.migrations import RETRACTION
from leaderboard.record import Record, dump_record
from leaderboard.record_provenance import Retraction
from leaderboard.record_store import Loaded, dump_document
from leaderboard.render.escape import terminal
from leaderboard.runs_table import Run, load_runs, read_runs, runs_parquet

ROUNDS = 40
"""How often a change is made anew before a writer gives up; one of all writers always wins."""

CARD = """---
pretty_name: Results of merges
license: cc0-1.0
tags:
- mergebot
- leaderboard
configs:
- config_name: runs
  data_files: runs.parquet
---

# Results of merges

One row a run: what was merged from what, how it scored next to each of its parents, and whether the
difference is more than chance. `runs.parquet` is derived from `records/` and `retractions/`, which
are never changed: a run that is taken back keeps its record and gets a retraction beside it.
Where a suite allows it, `samples/<run key>/<suite>/<model>.parquet` holds every item: its text, the
expected answer, the model's answer and the score, texts shortened to 400 characters.
"""


Change = Callable[[dict[str, Run]], Mapping[str, bytes] | None]
"""Changes the runs that are there and gives the files to write, None where nothing is to do."""


class ResultsDataset:
    """The results dataset of an operator.

    Args:
        hub: where it is.
        repo: ``org/name``; made on first use.
        private: whether only the organisation may see it.
    """

    def __init__(self, hub: Hub, repo: str, *, private: bool = False) -> None:
        require_hub_id(repo)
        self.repo = repo
        self._hub = hub
        self._private = private

    def add(self, record: Record, samples: Mapping[str, bytes] | None = None) -> str:
        """Append a run; one that is there already stays as it is.

        Args:
            record: the run, without a retraction.
            samples: parquet of scores by item, by path below the run's folder.

        Returns:
            The commit the dataset is at.

        Raises:
            HubError: the Hub refused or is out of reach; a second try goes on.
        """
        return self.add_all([record], {record.run_key: samples or {}})

    def add_all(
        self, records: Sequence[Record], samples: Mapping[str, Mapping[str, bytes]] | None = None
    ) -> str:
        """Append runs in one commit; those that are there already stay as they are.

        Args:
            records: the runs, without retractions.
            samples: as for `add`, by run key.

        Returns:
            The commit the dataset is at.

        Raises:
            HubError: the Hub refused or is out of reach; a second try goes on.
        """
        summary = ", ".join(f"{terminal(one.name)} (run {one.run_key[:16]})" for one in records[:3])
        more = f" and {len(records) - 3} more" if len(records) > 3 else ""

        def change(runs: dict[str, Run]) -> Mapping[str, bytes] | None:
            files: dict[str, bytes] = {}
            for record in records:
                key, text = record.run_key, dump_record(record)
                if key in runs:
                    continue
                runs[key] = Run(record=text)
                files[f"{RECORDS}{key}.json"] = text.encode()
                for path, data in (samples or {}).get(key, {}).items():
                    files[f"{SAMPLES}{key}/{path}"] = data
            return files or None

        return self._change(f"Add {summary}{more}", change)

    def retract(self, retraction: Retraction) -> str:
        """Mark a run as taken back; its record stays.

        Raises:
            RecordError: there is no such run.
            HubError: the Hub refused or is out of reach; a second try goes on.
        """
        key = retraction.run_key
        text = dump_document(retraction, RETRACTION)

        def change(runs: dict[str, Run]) -> Mapping[str, bytes] | None:
            if key not in runs:
                raise RecordError(f"there is no run {key} in {self.repo}", hint="check the key")
            if runs[key].retraction is not None:
                return None
            runs[key] = replace(runs[key], retraction=text)
            return {f"{RETRACTIONS}{key}.json": text.encode()}

        return self._change(f"Retract run {key[:16]}", change)

    def load(self) -> Loaded:
        """Every run with its retraction.

        Raises:
            AccessError, HubError: there is no such dataset, or it is out of reach.
        """
        snapshot = take_snapshot(self._hub, self.repo, kind="dataset")
        return load_runs(self._runs(snapshot), where=self.repo)

    def _change(self, summary: str, change: Change) -> str:
        retry_policy = replace(
            self._hub.retry_policy, attempts=max(ROUNDS, self._hub.retry_policy.attempts)
        )
        with explained("write to", self.repo, self._hub.url(self.repo, "dataset")):
            commit, hidden = retry_policy.retrying(
                lambda: self._attempt(summary, change), on=may_pass
            )
            if hidden and not self._private:
                self._hub.retry_policy.retrying(self._show)
        return commit

    def _attempt(self, summary: str, change: Change) -> tuple[str, bool]:
        """Read, change, commit on what was read; who comes second gets a 412 and reads again."""
        snapshot = self._open()
        runs = self._runs(snapshot)
        files = change(runs)
        if files is None:
            return snapshot.commit, snapshot.private
        files = {**files, RUNS: runs_parquet(runs)}
        if "README.md" not in snapshot.files:
            files["README.md"] = CARD.encode()
        operations = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=data)
            for path, data in sorted(files.items())
        ]
        made = self._hub.api.create_commit(
            self.repo,
            operations,
            repo_type="dataset",
            commit_message=summary,
            parent_commit=snapshot.commit,
        )
        return str(made.oid), snapshot.private

    def _open(self) -> Snapshot:
        try:
            return take_snapshot(self._hub, self.repo, kind="dataset")
        except AccessError:
            self._hub.api.create_repo(
                self.repo, repo_type="dataset", visibility="private", exist_ok=True
            )
        return take_snapshot(self._hub, self.repo, kind="dataset")

    def _show(self) -> None:
        self._hub.api.update_repo_settings(self.repo, repo_type="dataset", visibility="public")

    def _runs(self, snapshot: Snapshot) -> dict[str, Run]:
        """Every run at a commit: from the table, and from the documents it does not hold."""
        known = self._table(snapshot)
        records, retractions = _keys(snapshot, RECORDS), _keys(snapshot, RETRACTIONS)
        unread = {
            *(f"{RECORDS}{key}.json" for key in records if key not in known),
            *(
                f"{RETRACTIONS}{key}.json"
                for key in retractions
                if key not in known or known[key].retraction is None
            ),
        }
        folder = fetch(self._hub, snapshot, sorted(unread), silent)

        def text(path: str) -> str:
            return (folder / path).read_text("utf-8")

        runs = {}
        for key in records:
            record = f"{RECORDS}{key}.json"
            run = Run(record=text(record)) if record in unread else known[key]
            taken_back = f"{RETRACTIONS}{key}.json"
            runs[key] = replace(run, retraction=text(taken_back)) if taken_back in unread else run
        return runs

    def _table(self, snapshot: Snapshot) -> dict[str, Run]:
        if RUNS not in snapshot.files:
            return {}
        try:
            return read_runs((fetch(self._hub, snapshot, [RUNS], silent) / RUNS).read_bytes())
        except BoardError:
            return {}


def _keys(snapshot: Snapshot, prefix: str) -> list[str]:
    paths = [path for path in snapshot.files if path.startswith(prefix) and path.endswith(".json")]
    return sorted(path.removeprefix(prefix).removesuffix(".json") for path in paths)
