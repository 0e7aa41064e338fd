"""Parent views: each parent's tensors as stored, or with rows in the output's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.architecture.vocabulary_tensors import embedding_name, has_token_rows
from bot.checkpoint.tensor_spec import TensorSpec
from bot.plan.findings import Findings
from bot.plan.merge_plan import ParentView, Slot
from bot.plan.output_tensors import TensorPlan
from bot.plan.output_vocabulary import Tokenization
from bot.plan.parent_model import ParentModel
from bot.recipe.recipe import ModelRef, TokenizerChoice, TokenRule
from bot.tokens.aligned_source import aligned_dtype
from bot.tokens.token_alignment import Alignment, Member, Rule, align

ALIGNMENT = "vocabulary"


@dataclass(kw_only=True)
class ParentViews:
    """The views that the plan's jobs read from; filled while jobs are made.

    Without a tokenizer choice every tensor is read as stored.
    """

    models: Mapping[ModelRef, ParentModel]
    choice: TokenizerChoice | None
    tokens: Tokenization | None
    findings: Findings
    sources: dict[str, ParentView] = field(default_factory=dict)
    alignments: dict[str, Alignment] = field(default_factory=dict)
    specs: dict[tuple[str, str], TensorSpec] = field(default_factory=dict)
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def view(
        self, model: ParentModel, spec: TensorSpec, tensor_plan: TensorPlan
    ) -> tuple[Slot, TensorSpec]:
        """The slot to read a parent's tensor from, and the tensor's spec in that view."""
        if self.tokens and has_token_rows(spec) and spec.dtype.mergeable:
            slot, seen = self._aligned(model, spec, tensor_plan, self.tokens)
        else:
            slot, seen = self._as_stored(model, spec)
        self.specs[slot.source, slot.tensor] = seen
        return slot, seen

    def _aligned(
        self, model: ParentModel, spec: TensorSpec, tensor_plan: TensorPlan, tokens: Tokenization
    ) -> tuple[Slot, TensorSpec]:
        name = self._alignment(tensor_plan, tokens)
        alignment = self.alignments[name]
        roles = alignment.tensors[tensor_plan.name]
        by_key = {other.parent.key: other for other in self.models.values()}
        row_sources = [(by_key[key], by_key[key].tensors[tensor]) for key, tensor in roles.items()]
        for other, theirs in row_sources:
            self._check(other, theirs, spec, tensor_plan)
        dtype = aligned_dtype(theirs.dtype for _, theirs in row_sources)
        if dtype == spec.dtype and alignment.leaves(model.parent.key, spec.shape[0]):
            return self._as_stored(model, spec)
        slot = Slot(source=f"{model.parent.key}+{name}", tensor=tensor_plan.name)
        self.sources[slot.source] = ParentView(parent=model.parent.key, alignment=name)
        shape = (alignment.rows, *spec.shape[1:])
        return slot, TensorSpec(name=tensor_plan.name, dtype=dtype, shape=shape)

    def _as_stored(self, model: ParentModel, spec: TensorSpec) -> tuple[Slot, TensorSpec]:
        self.sources[model.parent.key] = ParentView(parent=model.parent.key)
        return Slot(source=model.parent.key, tensor=spec.name), spec

    def _check(
        self, model: ParentModel, theirs: TensorSpec, mine: TensorSpec, tensor_plan: TensorPlan
    ) -> None:
        """Check that rows of one model's tensor can be used in another's."""
        wide = theirs.shape[1:] == mine.shape[1:] and theirs.dtype.mergeable
        if not wide or theirs.shape[0] < (model.vocabulary_rows or 0):
            self.findings.problem(
                f"{theirs.name} of {model.label} is {theirs.dtype} {list(theirs.shape)}; "
                f"{tensor_plan.name} needs rows of another width or more of them",
                hint="align vocabularies of full-precision models of one width only",
            )

    def _alignment(self, tensor_plan: TensorPlan, tokens: Tokenization) -> str:
        """The alignment of the models that the tensor is made from; made when first needed."""
        taking_part = {
            slice_input.model.parent.key: (slice_input.model, name)
            for slice_input, name in tensor_plan.pairs
            if name
        }
        keys = tuple(taking_part)
        if keys not in self._names:
            number = len(self._names) + 1
            self._names[keys] = ALIGNMENT if number == 1 else f"{ALIGNMENT}-{number}"
            chosen = [model for model, _ in taking_part.values()]
            self.alignments[self._names[keys]] = self._align(chosen, tokens)
        name = self._names[keys]
        roles = {key: tensor for key, (_, tensor) in taking_part.items()}
        roles |= self._further_roles(tensor_plan.name, roles, self.alignments[name])
        tensors = {**self.alignments[name].tensors, tensor_plan.name: roles}
        self.alignments[name] = replace(self.alignments[name], tensors=tensors)
        return name

    def _align(self, models: Sequence[ParentModel], tokens: Tokenization) -> Alignment:
        assert self.choice is not None  # noqa: S101 - tokens come from a choice
        vocabularies = {
            self.models[ref].parent.key: vocabulary
            for ref, vocabulary in tokens.vocabularies.items()
        }
        members = [
            Member(
                key=model.parent.key,
                vocabulary=vocabularies[model.parent.key],
                rows=model.vocabulary_rows or 0,
            )
            for model in models
        ]
        return align(
            tokens.ids,
            members,
            base=self.models[tokens.base].parent.key,
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
        model = self.models[rule.source]
        row = rule.source_token_id
        if row is None:
            token = rule.source_token or rule.token
            row = tokens.vocabularies[rule.source].ids.get(token)
            if row is None:
                self.findings.problem(
                    f"token {rule.token!r}: {model.label} has no token {token!r}",
                    hint="name a token of that model, or source: {kind: zero}",
                )
                return None
        if row >= (model.vocabulary_rows or 0):
            self.findings.problem(
                f"token {rule.token!r}: {model.label} has {model.vocabulary_rows} embedding rows; "
                f"row {row} does not exist",
                hint="token ids start at 0",
            )
            return None
        return Rule(token=rule.token, sources=((model.parent.key, row),), force=rule.force)

    def _further_roles(
        self, name: str, roles: Mapping[str, str], alignment: Alignment
    ) -> dict[str, str]:
        """The tensor of the same role in models that only a token rule names."""
        keys = {key for rows in alignment.fills.values() for key, _ in rows} - roles.keys()
        further = {}
        for model in self.models.values():
            if model.parent.key in keys:
                own = name if name in model.tensors else embedding_name(model.tensors)
                further[model.parent.key] = own or name
        return further
