"""How each parent's tensors are read: as they are, or in the output's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.architecture.vocabulary_tensors import embedding_name, has_token_rows
from bot.checkpoint.tensor_spec import TensorSpec
from bot.plan.findings import Findings
from bot.plan.merge_plan import Slot, View
from bot.plan.output_tensors import TensorPlan
from bot.plan.output_vocabulary import Tokenization
from bot.plan.parent_model import ParentModel
from bot.recipe.recipe import ModelRef, TokenizerChoice, TokenRule
from bot.tokens.aligned_source import aligned_dtype
from bot.tokens.token_alignment import Alignment, Member, Rule, align

ALIGNMENT = "vocabulary"


@dataclass(kw_only=True)
class Views:
    """How each tensor of each parent is read; grows while jobs are made.

    Without a tokenizer choice every tensor is read as it is.
    """

    bodies: Mapping[ModelRef, ParentModel]
    choice: TokenizerChoice | None
    tokens: Tokenization | None
    findings: Findings
    sources: dict[str, View] = field(default_factory=dict)
    alignments: dict[str, Alignment] = field(default_factory=dict)
    specs: dict[tuple[str, str], TensorSpec] = field(default_factory=dict)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def view(
        self, body: ParentModel, spec: TensorSpec, draft: TensorPlan
    ) -> tuple[Slot, TensorSpec]:
        """Where a body's tensor is read for a draft, and what it is there."""
        if self.tokens and has_token_rows(spec) and spec.dtype.mergeable:
            slot, seen = self._aligned(body, spec, draft, self.tokens)
        else:
            slot, seen = self._as_it_is(body, spec)
        self.specs[slot.source, slot.tensor] = seen
        return slot, seen

    def _aligned(
        self, body: ParentModel, spec: TensorSpec, draft: TensorPlan, tokens: Tokenization
    ) -> tuple[Slot, TensorSpec]:
        name = self._alignment(draft, tokens)
        alignment = self.alignments[name]
        roles = alignment.tensors[draft.name]
        by_key = {other.parent.key: other for other in self.bodies.values()}
        donors = [(by_key[key], by_key[key].tensors[tensor]) for key, tensor in roles.items()]
        for other, theirs in donors:
            self._check(other, theirs, spec, draft)
        dtype = aligned_dtype(theirs.dtype for _, theirs in donors)
        if dtype == spec.dtype and alignment.leaves(body.parent.key, spec.shape[0]):
            return self._as_it_is(body, spec)
        slot = Slot(source=f"{body.parent.key}+{name}", tensor=draft.name)
        self.sources[slot.source] = View(parent=body.parent.key, alignment=name)
        shape = (alignment.rows, *spec.shape[1:])
        return slot, TensorSpec(name=draft.name, dtype=dtype, shape=shape)

    def _as_it_is(self, body: ParentModel, spec: TensorSpec) -> tuple[Slot, TensorSpec]:
        self.sources[body.parent.key] = View(parent=body.parent.key)
        return Slot(source=body.parent.key, tensor=spec.name), spec

    def _check(
        self, body: ParentModel, theirs: TensorSpec, mine: TensorSpec, draft: TensorPlan
    ) -> None:
        """Whether rows of one model's tensor can stand in another's."""
        wide = theirs.shape[1:] == mine.shape[1:] and theirs.dtype.mergeable
        if not wide or theirs.shape[0] < (body.vocabulary_rows or 0):
            self.findings.problem(
                f"{theirs.name} of {body.label} is {theirs.dtype} {list(theirs.shape)} and has not "
                f"the rows that {draft.name} needs",
                hint="align vocabularies of full-precision models of one width only",
            )

    def _alignment(self, draft: TensorPlan, tokens: Tokenization) -> str:
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

    def _align(self, bodies: Sequence[ParentModel], tokens: Tokenization) -> Alignment:
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
