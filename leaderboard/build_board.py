"""Ranking within one version of one suite, with claims corrected for their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from leaderboard.board import Board, Row, SuiteVersion
from leaderboard.inherited_flags import inherited_flags
from leaderboard.record import Record
from leaderboard.record_provenance import Flag
from leaderboard.record_results import Score, SuiteResult
from leaderboard.sample_scores import Floats, TaskScores
from leaderboard.statistics.multiple_testing import holm
from leaderboard.statistics.rank_ranges import paired_residuals, rank_ranges
from leaderboard.verdict import ALPHA, Verdict, VerdictDetail, judge

Samples = Callable[[str], Mapping[str, TaskScores] | None]
"""Per-sample scores of a model key on the board's suite, None where they are not at hand."""


def build_board(
    records: Iterable[Record],
    *,
    suite: str | None = None,
    version: str | None = None,
    samples: Samples | None = None,
    known_flags: Sequence[Flag] = (),
) -> Board:
    """Rank every model that has scores on one version of one suite.

    Args:
        records: the store's records, retractions joined.
        suite: the suite's name; that of the newest record where None.
        version: the suite's version; the newest record's where None.
        samples: per-sample scores, for rank ranges from paired statistics.
        known_flags: warnings on models outside the board.
    """
    records = sorted(records, key=lambda record: (record.created, record.run_key))
    chosen = _newest_version(records, suite, version)
    results = {
        record.run_key: result
        for record in records
        for result in record.suites
        if chosen is not None and SuiteVersion.of(result) == chosen
    }
    by_digest = {record.model_digest: record for record in records if record.model_digest}
    rows = _merge_rows(records, results, by_digest, known_flags)
    rows += _parent_rows(records, results, {row.key for row in rows})
    ranked = [row for row in rows if row.headline is not None and row.status == "ok"]
    ranked.sort(key=lambda row: (-_value(row), row.name, row.key))
    newest = next((results[r.run_key] for r in reversed(records) if r.run_key in results), None)
    return Board(
        suite=chosen,
        title=(newest.title or newest.suite) if newest else "",
        tasks=newest.tasks if newest else (),
        normalised=newest.normalised if newest else False,
        rows=tuple(_with_ranks(ranked, newest, samples)),
        unranked=tuple(row for row in rows if row not in ranked),
        claims=sum(row.adjusted_p is not None for row in rows),
        attempts=_attempts(records),
        updated=records[-1].created if records else None,
    )


def _newest_version(
    records: Sequence[Record], suite: str | None, version: str | None
) -> SuiteVersion | None:
    for record in reversed(records):
        for result in record.suites:
            if suite in {None, result.suite} and version in {None, result.version}:
                return SuiteVersion.of(result)
    return None


def _merge_rows(
    records: Sequence[Record],
    results: Mapping[str, SuiteResult],
    by_digest: Mapping[str, Record],
    known_flags: Sequence[Flag],
) -> list[Row]:
    newest: dict[str, Record] = {}
    for record in records:
        key = record.model_digest or record.run_key
        if record.run_key in results or key not in newest:
            newest[key] = record
    rows = [
        _merge_row(
            key,
            record,
            results.get(record.run_key),
            inherited_flags(record, by_digest, known_flags),
        )
        for key, record in newest.items()
    ]
    return _with_claims(rows)


def _merge_row(
    key: str, record: Record, result: SuiteResult | None, flags: tuple[Flag, ...]
) -> Row:
    judgement = judge(record, result) if result or record.status == "failed" else None
    return Row(
        key=key,
        name=record.name,
        kind="merge",
        record=record,
        judgement=judgement or VerdictDetail(verdict=Verdict.PENDING),
        headline=result.headline.get(key) if result else None,
        tasks=_task_scores(result, key),
        flags=flags,
        created=record.created,
    )


def _with_claims(rows: list[Row]) -> list[Row]:
    """Holm over every headline claim, retracted runs included: they were attempts too."""
    p_values = {
        row.key: row.judgement.claim_p
        for row in rows
        if row.judgement and row.judgement.claim_p is not None
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [
        replace(
            row,
            adjusted_p=adjusted.get(row.key),
            holds=(
                row.judgement is not None
                and row.judgement.verdict is Verdict.BETTER
                and adjusted[row.key] < ALPHA
            ),
        )
        for row in rows
    ]


def _parent_rows(
    records: Sequence[Record], results: Mapping[str, SuiteResult], taken: set[str]
) -> list[Row]:
    rows: dict[str, Row] = {}
    for record in records:
        result = results.get(record.run_key)
        if result is None:
            continue
        for parent in record.parents:
            if parent.key in result.headline and parent.key not in taken:
                rows[parent.key] = Row(
                    key=parent.key,
                    name=parent.name,
                    kind="base" if parent.role == "base" else parent.relation,
                    parent=parent,
                    headline=result.headline[parent.key],
                    tasks=_task_scores(result, parent.key),
                    created=record.created,
                )
    return list(rows.values())


def _with_ranks(
    rows: list[Row], result: SuiteResult | None, samples: Samples | None
) -> Iterable[Row]:
    values = np.array([_value(row) for row in rows])
    errors = np.array([(row.headline.stderr or 0.0) if row.headline else 0.0 for row in rows])
    residuals = _residuals(rows, result, samples) if samples and result else {}
    return [
        replace(row, rank_low=low, rank_high=high)
        for row, (low, high) in zip(rows, rank_ranges(values, errors, residuals), strict=True)
    ]


def _residuals(rows: list[Row], result: SuiteResult, samples: Samples) -> dict[int, Floats]:
    """The residuals of every model that has samples of the same items as the first that has."""
    scales = {
        task.task: (task.weight or 1 / len(result.tasks))
        / (1 - task.lower_bound if result.normalised else 1)
        for task in result.tasks
    }
    found: dict[int, Floats] = {}
    items = None
    for position, row in enumerate(rows):
        scores = samples(row.key)
        if scores is None or not scales.keys() <= scores.keys():
            continue
        theirs = [sorted(scores[task].doc_hashes) for task in scales]
        items = items or theirs
        if theirs == items:
            found[position] = paired_residuals(scores, scales)
    return found


def _attempts(records: Iterable[Record]) -> int:
    """Recipes tried: the highest count each family disclosed, or its records where it did not."""
    families: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for record in records:
        family = record.attempts.family if record.attempts else record.name
        families[family] += 1
        told[family] = max(told[family], (record.attempts.count or 0) if record.attempts else 0)
    return sum(max(families[family], told[family]) for family in families)


def _task_scores(result: SuiteResult | None, key: str) -> dict[str, Score]:
    tasks = result.tasks if result else ()
    return {task.task: task.scores[key] for task in tasks if key in task.scores}


def _value(row: Row) -> float:
    return row.headline.value if row.headline else float("-inf")
