"""Which row of which parent becomes which row of the output, for a chosen vocabulary.

The rules are mergekit's. A token that a model lacks gets the row of the one model that has it, of
the base where the base has it, else the mean of those that have it; no model has it: zeros. A rule
of the recipe comes before all that, and with ``force`` replaces the rows of models that do have the
token. Rows of padding are each model's mean row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.errors import Problem
from bot.tokens.vocabulary import Vocabulary

MISSING = -1
Row = tuple[str, int]
"""A parent's key and a row of its embedding."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the recipe says about one token.

    ``sources`` are the rows to average: none for zeros, one for a copy; None leaves the choice to
    the automatic rule. ``force`` applies it to models that have the token, too.
    """

    token: str
    sources: tuple[Row, ...] | None
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """A vocabulary as rows.

    Output rows below ``tokens`` are tokens, those from there to ``rows`` padding.
    ``own[parent][r]`` is the parent's row for output row ``r``, or ``MISSING``; then ``fills[r]``
    lists the rows whose mean it gets, none meaning zeros. ``tensors`` maps an output tensor to
    each parent's tensor of that role (a tied head reads the embedding).
    """

    tokens: int
    rows: int
    own: Mapping[str, tuple[int, ...]]
    fills: Mapping[int, tuple[Row, ...]]
    tensors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def leaves(self, parent: str, rows: int) -> bool:
        """Whether a tensor of ``rows`` rows of that parent comes out exactly as it is."""
        return self.rows == self.tokens == rows and self.own[parent] == tuple(range(rows))


@dataclass(frozen=True, kw_only=True)
class Member:
    """A parent whose rows take part: its key, tokens, and the rows its embedding really has."""

    key: str
    vocabulary: Vocabulary
    rows: int


def align(
    ids: Mapping[str, int],
    members: Sequence[Member],
    *,
    base: str | None,
    rules: Sequence[Rule] = (),
    pad_to_multiple_of: int | None = None,
) -> Alignment:
    """Rows for every member in the vocabulary ``ids`` (token -> output row).

    Args:
        ids: the output's tokens.
        members: the parents that take part in the tensor, in recipe order.
        base: key of the base model, whose row is preferred where a model lacks a token.
        rules: the recipe's, for single tokens.
        pad_to_multiple_of: output rows are rounded up to a multiple of this.
    """
    tokens = max(ids.values(), default=-1) + 1
    step = pad_to_multiple_of or 1
    own = {member.key: [MISSING] * tokens for member in members}
    unnamed = set(range(tokens)).difference(ids.values())
    fills: dict[int, tuple[Row, ...]] = dict.fromkeys(unnamed, ())
    special = {rule.token: rule for rule in rules}
    for token, row in ids.items():
        having = [
            (member.key, index)
            for member in members
            if (index := member.vocabulary.ids.get(token)) is not None and index < member.rows
        ]
        rule = special.get(token)
        if len(having) < len(members) or (rule and rule.force):
            fills[row] = _fill(having, base, rule)
        if not (rule and rule.force):
            for key, index in having:
                own[key][row] = index
    return Alignment(
        tokens=tokens,
        rows=-(-tokens // step) * step,
        own={key: tuple(rows) for key, rows in own.items()},
        fills=dict(sorted(fills.items())),
    )


def _fill(having: Sequence[Row], base: str | None, rule: Rule | None) -> tuple[Row, ...]:
    if rule and rule.sources is not None:
        return rule.sources
    return tuple(row for row in having if row[0] == base) or tuple(having)


def union(vocabularies: Sequence[Vocabulary]) -> dict[str, int]:
    """The first vocabulary with its ids, then what the others have beyond it.

    Model by model in order, plain tokens of all models before added ones, each by its own id.
    """
    first, *others = vocabularies
    ids = dict(first.ids)
    fresh = first.rows
    for wants_added in (False, True):
        for vocabulary in others:
            for token in vocabulary.ids:
                if token not in ids and (token in vocabulary.added) is wants_added:
                    ids[token] = fresh
                    fresh += 1
    return ids


def extended(ids: Mapping[str, int], tokens: Sequence[str]) -> dict[str, int]:
    """The vocabulary with these tokens at the end, where it lacks them."""
    grown = dict(ids)
    fresh = max(ids.values(), default=-1) + 1
    for token in tokens:
        if token not in grown:
            grown[token] = fresh
            fresh += 1
    return grown


def compare(one: Vocabulary, other: Vocabulary) -> Problem | None:
    """How two vocabularies of the same size differ, or None when every token has the same id."""
    if one.ids == other.ids:
        return None
    shifted = [token for token, index in one.ids.items() if other.ids.get(token, index) != index]
    lacking = len(one.ids.keys() - other.ids.keys())
    extra = len(other.ids.keys() - one.ids.keys())
    example = f" (for example {shifted[0]!r})" if shifted else ""
    return Problem(
        message=f"{len(shifted)} tokens have other ids{example}, {lacking} are missing, "
        f"{extra} are new",
        hint="set tokenizer_source: union or tokenizer_source: base",
    )
