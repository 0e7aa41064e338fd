"""Whose vocabulary the output has, and how each parent's rows come to stand in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.checkpoint.tensor import TensorSpec
from bot.errors import CheckpointError
from bot.plan.findings import Findings
from bot.plan.model import Slot, View
from bot.plan.outline import Draft
from bot.plan.parent import Body
from bot.recipe.model import ModelRef, TokenizerChoice, TokenRule
from bot.tokens.aligned import aligned_dtype
from bot.tokens.alignment import Alignment, Member, Rule, align, compare, extended, union
from bot.tokens.tensors import embedding_name, has_token_rows
from bot.tokens.vocabulary import Vocabulary, read_vocabulary

ALIGNMENT = "vocabulary"


@dataclass(frozen=True, kw_only=True)
class Tokenization:
    """The output's vocabulary: ``ids`` on top of the donor's tokenizer.

    ``others`` are the vocabularies that further tokens came from, in order of precedence.
    """

    ids: Mapping[str, int]
    donor: Body
    vocabulary: Vocabulary
    others: tuple[Vocabulary, ...]
    vocabularies: Mapping[ModelRef, Vocabulary]
    base: ModelRef


def tokenization(
    choice: TokenizerChoice,
    bodies: Mapping[ModelRef, Body],
    base: ModelRef,
    findings: Findings,
) -> Tokenization | None:
    """The vocabulary a recipe asks for; None, with problems, where it cannot be made.

    A model without ``tokenizer.json`` is taken to have the base's vocabulary, with a warning.
    """
    vocabularies = _vocabularies(bodies, base, findings)
    if vocabularies is None:
        return None
    donor = choice.source if isinstance(choice.source, ModelRef) else base
    order = [base, *(ref for ref in bodies if ref != base)]
    mine = vocabularies[donor]
    asked = [rule.token for rule in choice.tokens]
    if choice.source == "union":
        others = tuple(vocabularies[ref] for ref in order if ref != donor)
        ids = union([mine, *others])
    else:
        others = ()
        ids = dict(mine.ids)
    return Tokenization(
        ids=extended(ids, asked),
        donor=bodies[donor],
        vocabulary=mine,
        others=others,
        vocabularies=vocabularies,
        base=base,
    )


def _vocabularies(
    bodies: Mapping[ModelRef, Body], base: ModelRef, findings: Findings
) -> dict[ModelRef, Vocabulary] | None:
    """Each model's vocabulary, without the tokens its embedding has no rows for."""
    read: dict[bytes, Vocabulary] = {}
    found: dict[ModelRef, Vocabulary] = {}
    lacking = []
    for ref in (base, *(ref for ref in bodies if ref != base)):
        body = bodies[ref]
        try:
            fingerprint = _fingerprint(body)
            vocabulary = read.get(fingerprint) or read_vocabulary(body.parent.source, body.label)
        except CheckpointError as error:
            findings.problem(error.message, hint=error.hint)
            continue
        if vocabulary is None:
            lacking.append(ref)
            continue
        read[fingerprint] = vocabulary
        found[ref] = vocabulary.limited(body.vocabulary_rows)
    if base not in found:
        findings.problem(
            f"{base} has no readable tokenizer.json",
            hint="save its tokenizer once with transformers, or choose another base_model",
        )
        return None
    for ref in lacking:
        findings.warn(f"{ref} has no tokenizer.json: it is taken to have the tokens of {base}")
        found[ref] = found[base].limited(bodies[ref].vocabulary_rows)
    return found if len(found) == len(bodies) else None


def _fingerprint(body: Body) -> bytes:
    names = ("tokenizer.json", "tokenizer_config.json", "added_tokens.json")
    return b"\0".join(body.parent.source.file(name) or b"" for name in names)


@dataclass(kw_only=True)
class Views:
    """How each tensor of each parent is read; grows while jobs are made.

    Without a tokenizer choice every tensor is read as it is.
    """

    bodies: Mapping[ModelRef, Body]
    choice: TokenizerChoice | None
    tokens: Tokenization | None
    findings: Findings
    sources: dict[str, View] = field(default_factory=dict)
    alignments: dict[str, Alignment] = field(default_factory=dict)
    specs: dict[tuple[str, str], TensorSpec] = field(default_factory=dict)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def view(self, body: Body, spec: TensorSpec, draft: Draft) -> tuple[Slot, TensorSpec]:
        """Where a body's tensor is read for a draft, and what it is there."""
        if self.tokens and has_token_rows(spec) and spec.dtype.mergeable:
            slot, seen = self._aligned(body, spec, draft, self.tokens)
        else:
            slot, seen = Slot(source=body.parent.key, tensor=spec.name), spec
            self.sources[slot.source] = View(parent=body.parent.key)
        self.specs[slot.source, slot.tensor] = seen
        return slot, seen

    def _aligned(
        self, body: Body, spec: TensorSpec, draft: Draft, tokens: Tokenization
    ) -> tuple[Slot, TensorSpec]:
        name = self._alignment(draft, tokens)
        alignment = self.alignments[name]
        roles = alignment.tensors[draft.name]
        by_key = {other.parent.key: other for other in self.bodies.values()}
        dtype = aligned_dtype(by_key[key].tensors[tensor].dtype for key, tensor in roles.items())
        slot = Slot(source=f"{body.parent.key}+{name}", tensor=draft.name)
        self.sources[slot.source] = View(parent=body.parent.key, alignment=name)
        shape = (alignment.rows, *spec.shape[1:])
        return slot, TensorSpec(name=draft.name, dtype=dtype, shape=shape)

    def _alignment(self, draft: Draft, tokens: Tokenization) -> str:
        """The alignment for the models that take part in the draft, made when first needed."""
        taking_part = {
            seat.body.parent.key: (seat.body, name) for seat, name in draft.pairs if name
        }
        keys = tuple(taking_part)
        if keys not in self._names:
            number = len(self._names) + 1
            self._names[keys] = ALIGNMENT if number == 1 else f"{ALIGNMENT}-{number}"
            bodies = [body for body, _ in taking_part.values()]
            self.alignments[self._names[keys]] = self._align(bodies, tokens)
        name = self._names[keys]
        roles = {key: tensor for key, (_, tensor) in taking_part.items()}
        roles |= self._further_roles(draft.name, roles, self.alignments[name])
        tensors = {**self.alignments[name].tensors, draft.name: roles}
        self.alignments[name] = replace(self.alignments[name], tensors=tensors)
        return name

    def _align(self, bodies: Sequence[Body], tokens: Tokenization) -> Alignment:
        assert self.choice is not None  # noqa: S101 - tokens come from a choice
        vocabularies = {
            self.bodies[ref].parent.key: vocabulary
            for ref, vocabulary in tokens.vocabularies.items()
        }
        members = [
            Member(
                key=body.parent.key,
                vocabulary=vocabularies[body.parent.key],
                rows=body.vocabulary_rows or 0,
            )
            for body in bodies
        ]
        return align(
            tokens.ids,
            members,
            base=self.bodies[tokens.base].parent.key,
            rules=[
                made
                for rule in self.choice.tokens
                if (made := self._rule(rule, tokens)) is not None
            ],
            pad_to_multiple_of=self.choice.pad_to_multiple_of,
        )

    def _rule(self, rule: TokenRule, tokens: Tokenization) -> Rule | None:
        """A recipe's rule with its model and token looked up."""
        if rule.source is None:
            return Rule(token=rule.token, sources=() if rule.zero else None, force=rule.force)
        body = self.bodies[rule.source]
        row = rule.source_token_id
        if row is None:
            token = rule.source_token or rule.token
            row = tokens.vocabularies[rule.source].ids.get(token)
            if row is None:
                self.findings.problem(
                    f"token {rule.token!r}: {body.label} has no token {token!r}",
                    hint="name a token of that model, or source: {kind: zero}",
                )
                return None
        if row >= (body.vocabulary_rows or 0):
            self.findings.problem(
                f"token {rule.token!r}: {body.label} has {body.vocabulary_rows} embedding rows, "
                f"and row {row} was asked for",
                hint="token ids start at 0",
            )
            return None
        return Rule(token=rule.token, sources=((body.parent.key, row),), force=rule.force)

    def _further_roles(
        self, name: str, roles: Mapping[str, str], alignment: Alignment
    ) -> dict[str, str]:
        """The same role in models that only a token rule names."""
        keys = {key for rows in alignment.fills.values() for key, _ in rows} - roles.keys()
        further = {}
        for body in self.bodies.values():
            if body.parent.key in keys:
                own = name if name in body.tensors else embedding_name(body.tensors)
                further[body.parent.key] = own or name
        return further


def compare_vocabularies(bodies: Sequence[Body], donor: Body, findings: Findings) -> None:
    """Warn about models whose tokens have other ids than the donor's.

    Embeddings of another size are reported with the tensors; equal sizes may still hide another
    order of tokens, which would merge rows that belong to different words.
    """
    mine: Vocabulary | None = None
    for body in bodies:
        if body is donor or body.vocabulary_rows != donor.vocabulary_rows:
            continue
        if _fingerprint(body) == _fingerprint(donor):
            continue
        try:
            mine = mine or read_vocabulary(donor.parent.source, donor.label)
            theirs = read_vocabulary(body.parent.source, body.label)
        except CheckpointError as error:
            findings.problem(error.message, hint=error.hint)
            continue
        difference = compare(mine, theirs) if mine and theirs else None
        if difference:
            findings.warn(
                f"the tokenizers of {donor.label} and {body.label} differ: "
                f"{difference.message}; {difference.hint}"
            )
