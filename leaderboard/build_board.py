"""Ranking within one version of one suite, with claims corrected for every attempt."""

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
"""Per-sample scores of a model's digest on the board's suite, None where they are not at hand."""
LABEL = 8
"""Characters of a key that tell models of one name apart."""


def required_suite(records: Iterable[Record]) -> str | None:
    """The suite of the most records; of several, the first by name. None where there is none."""
    counts = Counter(name for record in records for name in {one.suite for one in record.suites})
    return min(counts, key=lambda name: (-counts[name], name), default=None)


def build_board(
    records: Iterable[Record],
    *,
    suite: str | None = None,
    version: str | None = None,
    samples: Samples | None = None,
    known_flags: Sequence[Flag] = (),
) -> Board:
    """Rank every model that has scores on one version of the required suite.

    Args:
        records: the store's records, retractions joined.
        suite: the required suite's name; `required_suite` of the records where None.
        version: the suite's version; the newest record's where None.
        samples: per-sample scores, for rank ranges from paired statistics.
        known_flags: warnings on models outside the board.
    """
    records = sorted(records, key=lambda record: (record.created, record.run_key))
    chosen = _newest_version(records, suite or required_suite(records), version)
    results = {
        record.run_key: result
        for record in records
        for result in record.suites
        if chosen is not None and SuiteVersion.of(result) == chosen
    }
    by_digest = {record.model_digest: record for record in records if record.model_digest}
    attempts = attempts_by_family(records)
    rows = _with_claims(_merge_rows(records, results, by_digest, known_flags), attempts)
    rows = _labelled(rows + _parent_rows(records, results, {row.key for row in rows}))
    ranked = [row for row in rows if row.headline is not None and row.status == "ok"]
    ranked.sort(key=lambda row: (-_value(row), row.name, row.key))
    newest = next((results[r.run_key] for r in reversed(records) if r.run_key in results), None)
    counts = list(attempts.values())
    return Board(
        suite=chosen,
        title=(newest.title or newest.suite) if newest else "",
        tasks=newest.tasks if newest else (),
        normalised=newest.normalised if newest else False,
        rows=tuple(_with_ranks(ranked, newest, samples)),
        unranked=tuple(row for row in rows if row not in ranked),
        claims=sum(row.judgement is not None and row.judgement.claim_p is not None for row in rows),
        attempts=None if None in counts else sum(count or 0 for count in counts),
        updated=records[-1].created if records else None,
    )


def attempts_by_family(records: Iterable[Record]) -> dict[str, int | None]:
    """How many merges were tried over each set of parents, counted over all suites.

    The largest number that a record disclosed, or what the records' logs hold together, or the
    merges that the records are of. None where a record of the family does not know the number.
    """
    merges: dict[str, set[str]] = {}
    logs: dict[str, dict[str, int]] = {}
    largest: dict[str, int | None] = {}
    for record in records:
        known = record.attempts
        name = family_of(record)
        merges.setdefault(name, set()).add(record.merge_key)
        if known is None or known.count is None or largest.get(name, 0) is None:
            largest[name] = None
            continue
        largest[name] = max(largest.get(name) or 0, known.count)
        held = logs.setdefault(name, {})
        held[known.log or ""] = max(held.get(known.log or "", 0), known.own or 0)
    return {
        name: None if count is None else max(count, sum(logs[name].values()), len(merges[name]))
        for name, count in largest.items()
    }


def family_of(record: Record) -> str:
    """What a record's attempts are counted by: its parents, or its name where it does not say."""
    return record.attempts.family if record.attempts else f"name:{record.name}"


def _newest_version(
    records: Sequence[Record], suite: str | None, version: str | None
) -> SuiteVersion | None:
    for record in reversed(records):
        found = [
            SuiteVersion.of(result)
            for result in record.suites
            if suite == result.suite and version in {None, result.version}
        ]
        if found:
            return max(found, key=lambda one: (one.version, one.digest))
    return None


def _merge_rows(
    records: Sequence[Record],
    results: Mapping[str, SuiteResult],
    by_digest: Mapping[str, Record],
    known_flags: Sequence[Flag],
) -> list[Row]:
    keys = _merge_keys(records)
    newest: dict[str, Record] = {}
    for record in records:
        key = keys[record.run_key]
        if record.run_key in results or key not in newest:
            newest[key] = record
    return [
        _merge_row(
            key,
            record,
            results.get(record.run_key),
            inherited_flags(record, by_digest, known_flags),
        )
        for key, record in newest.items()
    ]


def _merge_keys(records: Iterable[Record]) -> dict[str, str]:
    """By run, the key of its row: one row for each merge, also where two have the same weights.

    The digest of the weights, unless that is the row of one of the merge's own parents or of an
    earlier merge.
    """
    keys: dict[str, str] = {}
    owners: dict[str, str] = {}
    for record in records:
        digest = record.model_digest
        if digest is None:
            keys[record.run_key] = record.run_key
            continue
        is_parent = any(parent.key == digest for parent in record.parents)
        if not is_parent and owners.setdefault(digest, record.merge_key) == record.merge_key:
            keys[record.run_key] = digest
        else:
            keys[record.run_key] = f"{digest}@{record.merge_key}"
    return keys


def _merge_row(
    key: str, record: Record, result: SuiteResult | None, flags: tuple[Flag, ...]
) -> Row:
    digest = record.model_digest or key
    is_known = result is not None or record.status == "failed"
    pending = VerdictDetail(verdict=Verdict.PENDING)
    return Row(
        key=key,
        name=record.name,
        kind="merge",
        record=record,
        judgement=judge(record, result) if is_known else pending,
        headline=result.headline.get(digest) if result else None,
        tasks=_task_scores(result, digest),
        flags=flags,
        created=record.created,
    )


def _with_claims(rows: list[Row], attempts: Mapping[str, int | None]) -> list[Row]:
    """Holm over every attempt of the board: those on it, retracted runs included, and the others.

    Where the number of attempts over some parents is unknown, no claim about them holds.
    """
    p_values = {
        row.key: row.judgement.claim_p
        for row in rows
        if row.judgement and row.judgement.claim_p is not None
    }
    made = Counter(
        family_of(row.record) for row in rows if row.record is not None and row.key in p_values
    )
    tried = sum(max(attempts.get(name) or 0, count) for name, count in made.items())
    tried += sum(count or 0 for name, count in attempts.items() if name not in made)
    adjusted = dict(zip(p_values, holm(list(p_values.values()), tried), strict=True))
    return [_with_claim(row, adjusted.get(row.key), attempts) for row in rows]


def _with_claim(row: Row, adjusted: float | None, attempts: Mapping[str, int | None]) -> Row:
    if row.record is None or row.judgement is None or adjusted is None:
        return row
    count = attempts.get(family_of(row.record))
    holds = count is not None and row.judgement.verdict is Verdict.BETTER and adjusted < ALPHA
    return replace(
        row,
        adjusted_p=None if count is None else adjusted,
        holds=holds,
        judgement=replace(row.judgement, attempts=count, holds=holds),
    )


def _labelled(rows: list[Row]) -> list[Row]:
    """The rows, those of one name with the beginning of their keys behind it."""
    names = Counter(row.name for row in rows)
    return [
        replace(row, name=f"{row.name} ({_label(row)})") if names[row.name] > 1 else row
        for row in rows
    ]


def _label(row: Row) -> str:
    key = row.record.run_key if row.record else row.key
    return key if len(key) <= 2 * LABEL else key[:LABEL]


def _parent_rows(
    records: Sequence[Record], results: Mapping[str, SuiteResult], taken: set[str]
) -> list[Row]:
    rows: dict[str, Row] = {}
    for record in records:
        result = results.get(record.run_key)
        if result is None:
            continue
        names = record.parent_names()
        for parent in record.parents:
            if parent.key in result.headline and parent.key not in taken:
                rows[parent.key] = Row(
                    key=parent.key,
                    name=names[parent.key],
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
        scores = samples(row.digest)
        if scores is None or not scales.keys() <= scores.keys():
            continue
        theirs = [sorted(scores[task].doc_hashes) for task in scales]
        items = items or theirs
        if theirs == items:
            found[position] = paired_residuals(scores, scales)
    return found


def _task_scores(result: SuiteResult | None, key: str) -> dict[str, Score]:
    tasks = result.tasks if result else ()
    return {task.task: task.scores[key] for task in tasks if key in task.scores}


def _value(row: Row) -> float:
    return row.headline.value if row.headline else float("-inf")
