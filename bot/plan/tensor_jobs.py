"""One draft becomes one job: inputs checked, dtype chosen, parameters resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.architecture.vocabulary_tensors import has_token_rows
from bot.checkpoint.tensor_roles import is_head
from bot.checkpoint.tensor_spec import Dtype, TensorSpec
from bot.methods.core.registry import Method
from bot.plan.findings import Findings
from bot.plan.layer_slices import SliceInput
from bot.plan.merge_plan import Slot, TensorJob, Value
from bot.plan.output_tensors import TensorPlan
from bot.plan.parent_model import ParentModel
from bot.plan.tensor_parameters import Settings, resolve_parameters
from bot.recipe.recipe import Recipe

COPY = "passthrough"
_FLOAT8 = frozenset({Dtype.F8_E4M3, Dtype.F8_E5M2})


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A tensor of a seat as the engine will see it."""

    seat: SliceInput
    slot: Slot
    spec: TensorSpec


View = Callable[[ParentModel, TensorSpec, TensorPlan], tuple[Slot, TensorSpec]]
"""How a body's tensor is read for a draft, and as what: as it is, or its vocabulary aligned."""


@dataclass(frozen=True, kw_only=True)
class JobMaker:
    """Makes jobs from drafts; everything that does not fit goes to ``findings``."""

    recipe: Recipe
    method: Method
    methods: Mapping[str, Method]
    dtype: Dtype | None
    view: View
    findings: Findings

    def job(self, draft: TensorPlan) -> TensorJob | None:
        """The draft's job, or None when it has no sound inputs."""
        if draft.copied or self._is_buffer(draft):
            return self._copy_of_first(draft)
        inputs = self._inputs(draft)
        if inputs is None or not self._shapes_agree(draft, inputs):
            return None
        if not all(entry.spec.dtype.mergeable for entry in inputs):
            self._unmergeable(draft, inputs)
            return None
        if self._is_copy(draft, inputs):
            return self._copy(draft, inputs[0])
        return self._merge(draft, inputs)

    def _inputs(self, draft: TensorPlan) -> list[Input] | None:
        """Every seat's tensor; a missing one is a problem that names the model."""
        found = []
        for seat, name in draft.pairs:
            if name is None:
                self.findings.tensor(
                    f"{seat.body.label} lacks {{tensors}}, which another model of the merge has",
                    draft.name,
                    hint="merge models of one architecture and one training stage",
                )
                continue
            slot, spec = self.view(seat.body, seat.body.tensors[name], draft)
            found.append(Input(seat=seat, slot=slot, spec=spec))
        return found if len(found) == len(draft.inputs) else None

    def _shapes_agree(self, draft: TensorPlan, inputs: list[Input]) -> bool:
        if len({entry.spec.shape for entry in inputs}) == 1:
            return True
        sizes = {entry.seat.body.label: entry.spec.shape for entry in inputs}
        shapes = ", ".join(f"{label} {list(shape)}" for label, shape in sizes.items())
        hint = "only models of the same width and vocabulary can be merged"
        if has_token_rows(inputs[0].spec) and len({shape[1:] for shape in sizes.values()}) == 1:
            hint = "the vocabularies differ: set tokenizer_source: union or tokenizer_source: base"
        self.findings.tensor(f"the shapes of {{tensors}} differ: {shapes}", draft.name, hint=hint)
        return False

    def _unmergeable(self, draft: TensorPlan, inputs: list[Input]) -> None:
        odd = next(entry for entry in inputs if not entry.spec.dtype.mergeable)
        even = next((entry for entry in inputs if entry.spec.dtype.mergeable), None)
        hint = "merge the full-precision model and quantize the result"
        if even is not None:
            label, dtype = even.seat.body.label, even.spec.dtype
            hint = f"the parents' dtypes disagree: {label} stores {dtype}; give both its precision"
        self.findings.tensor(
            f"{{tensors}} of {odd.seat.body.label} is stored as {odd.spec.dtype}, "
            "with which no arithmetic is done",
            draft.name,
            hint=hint,
        )

    def _is_buffer(self, draft: TensorPlan) -> bool:
        """Whether all models that have it hold integers or booleans: never averaged, the base's
        (else the first model's) are taken over, and a model may lack them.
        """
        dtypes = {seat.body.tensors[name].dtype for seat, name in draft.pairs if name}
        return not any(dtype.mergeable or dtype in _FLOAT8 for dtype in dtypes)

    def _is_copy(self, draft: TensorPlan, inputs: list[Input]) -> bool:
        """Whether nothing is computed: passthrough without a scale, or a lone source."""
        if len(inputs) != 1:
            return False
        if self.method.name != COPY:
            return len(draft.stretch.models) < self.method.signature.minimum_models
        scale = self._parameters(draft, inputs).get("scale")
        return scale in (None, 1.0, (None,), (1.0,))

    def _copy_of_first(self, draft: TensorPlan) -> TensorJob | None:
        for seat, name in draft.pairs:
            if name is not None:
                slot, spec = self.view(seat.body, seat.body.tensors[name], draft)
                return self._copy(draft, Input(seat=seat, slot=slot, spec=spec))
        return None

    def _copy(self, draft: TensorPlan, entry: Input) -> TensorJob:
        """The tensor's own bytes, or passed through when only its dtype changes."""
        dtype = self.dtype or entry.spec.dtype
        if dtype == entry.spec.dtype or not entry.spec.dtype.mergeable:
            return self._bytes_of(draft, entry)
        caster = self.methods[COPY].signature
        alone = Settings(models=((entry.seat.body.label, {}),))
        names = (draft.name, entry.slot.tensor)
        defaults = resolve_parameters(caster, names, alone, draft.t, self.findings)
        return TensorJob(
            output=TensorSpec(name=draft.name, dtype=dtype, shape=entry.spec.shape),
            method=COPY,
            models=(entry.slot,),
            base=None,
            parameters=defaults,
            seed=self.recipe.seed,
        )

    def _bytes_of(self, draft: TensorPlan, entry: Input) -> TensorJob:
        output = TensorSpec(name=draft.name, dtype=entry.spec.dtype, shape=entry.spec.shape)
        return TensorJob(
            output=output,
            method=None,
            models=(entry.slot,),
            base=None,
            parameters={},
            seed=self.recipe.seed,
        )

    def _merge(self, draft: TensorPlan, inputs: list[Input]) -> TensorJob | None:
        base = draft.stretch.base
        if self.method.signature.base == "required" and base is None:
            self.findings.problem(
                f"{self.method.name} needs a base model", hint="add base_model: to the recipe"
            )
            return None
        output = TensorSpec(
            name=draft.name,
            dtype=self.dtype or inputs[0].spec.dtype,
            shape=inputs[0].spec.shape,
        )
        slots = tuple(entry.slot for entry in inputs)
        return TensorJob(
            output=output,
            method=self.method.name,
            models=slots[1:] if base else slots,
            base=slots[0] if base else None,
            parameters=self._checked(draft, inputs),
            seed=self.recipe.seed,
        )

    def _checked(self, draft: TensorPlan, inputs: list[Input]) -> Mapping[str, Value]:
        """Parameters sound one by one may still not go together, such as weights that cancel."""
        before = self.findings.noted
        parameters = self._parameters(draft, inputs)
        models = len(inputs) - bool(draft.stretch.base)
        if self.findings.noted == before:
            for problem in self.method.problems(self.method.arguments(parameters, models)):
                message = f"{problem.message}, in {{tensors}}"
                self.findings.tensor(message, draft.name, hint=problem.hint)
        return parameters

    def _parameters(self, draft: TensorPlan, inputs: list[Input]) -> Mapping[str, Value]:
        models = inputs[1:] if draft.stretch.base else inputs
        settings = Settings(
            models=tuple((entry.seat.body.label, entry.seat.parameters) for entry in models),
            outer=(draft.stretch.parameters, self.recipe.parameters),
        )
        # A tied head is read from the embedding, but it is the head that filters speak of.
        inner = [draft.name if is_head(draft.name) else entry.slot.tensor for entry in models]
        names = (draft.name, *inner)
        return resolve_parameters(self.method.signature, names, settings, draft.t, self.findings)
