"""Tensor jobs: checks each output tensor's inputs, chooses its dtype, resolves its parameters."""

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
from bot.plan.tensor_parameters import ParameterLevels, resolve_parameters
from bot.recipe.recipe import Recipe

COPY = "passthrough"
_FLOAT8 = frozenset({Dtype.F8_E4M3, Dtype.F8_E5M2})


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInput:
    """The tensor of one slice input, as the engine reads it."""

    slice_input: SliceInput
    slot: Slot
    spec: TensorSpec


ReadParent = Callable[[ParentModel, TensorSpec, TensorPlan], tuple[Slot, TensorSpec]]
"""(parent, its tensor, output tensor) -> the slot to read from, and the tensor's spec in that view.
"""


@dataclass(frozen=True, kw_only=True)
class JobMaker:
    """Makes the job of each output tensor; problems are added to ``findings``."""

    recipe: Recipe
    method: Method
    methods: Mapping[str, Method]
    dtype: Dtype | None
    view: ReadParent
    findings: Findings

    def job(self, tensor: TensorPlan) -> TensorJob | None:
        """The output tensor's job, or None when its inputs have a problem."""
        if tensor.copied or self._is_buffer(tensor):
            return self._copy_of_first(tensor)
        inputs = self._inputs(tensor)
        if inputs is None or not self._shapes_agree(tensor, inputs):
            return None
        if not all(entry.spec.dtype.mergeable for entry in inputs):
            self._unmergeable(tensor, inputs)
            return None
        if self._is_copy(tensor, inputs):
            return self._copy(tensor, inputs[0])
        return self._merge(tensor, inputs)

    def _inputs(self, tensor: TensorPlan) -> list[TensorInput] | None:
        """The tensor of every slice input; a missing one is a problem that names the model."""
        found = []
        for slice_input, name in tensor.pairs:
            if name is None:
                self.findings.tensor(
                    f"{slice_input.model.label} lacks {{tensors}}, "
                    "which another model of the merge has",
                    tensor.name,
                    hint="merge models of one architecture and one training stage",
                )
                continue
            slot, spec = self.view(slice_input.model, slice_input.model.tensors[name], tensor)
            found.append(TensorInput(slice_input=slice_input, slot=slot, spec=spec))
        return found if len(found) == len(tensor.inputs) else None

    def _shapes_agree(self, tensor: TensorPlan, inputs: list[TensorInput]) -> bool:
        if len({entry.spec.shape for entry in inputs}) == 1:
            return True
        sizes = {entry.slice_input.model.label: entry.spec.shape for entry in inputs}
        shapes = ", ".join(f"{label} {list(shape)}" for label, shape in sizes.items())
        hint = "only models of the same width and vocabulary can be merged"
        if has_token_rows(inputs[0].spec) and len({shape[1:] for shape in sizes.values()}) == 1:
            hint = "the vocabularies differ: set tokenizer_source: union or tokenizer_source: base"
        self.findings.tensor(f"the shapes of {{tensors}} differ: {shapes}", tensor.name, hint=hint)
        return False

    def _unmergeable(self, tensor: TensorPlan, inputs: list[TensorInput]) -> None:
        odd = next(entry for entry in inputs if not entry.spec.dtype.mergeable)
        even = next((entry for entry in inputs if entry.spec.dtype.mergeable), None)
        hint = "merge the full-precision model and quantize the result"
        if even is not None:
            label, dtype = even.slice_input.model.label, even.spec.dtype
            hint = f"the parents' dtypes disagree: {label} stores {dtype}; give both its precision"
        self.findings.tensor(
            f"{{tensors}} of {odd.slice_input.model.label} has dtype {odd.spec.dtype}; "
            "this dtype cannot be merged",
            tensor.name,
            hint=hint,
        )

    def _is_buffer(self, tensor: TensorPlan) -> bool:
        """Whether every model that has the tensor stores integers or booleans.

        Such a tensor is never averaged: the base's, else the first model's, is copied, and a model
        may lack it.
        """
        dtypes = {
            slice_input.model.tensors[name].dtype for slice_input, name in tensor.pairs if name
        }
        return not any(dtype.mergeable or dtype in _FLOAT8 for dtype in dtypes)

    def _is_copy(self, tensor: TensorPlan, inputs: list[TensorInput]) -> bool:
        """Whether nothing is computed: passthrough without a scale, or a single source."""
        if len(inputs) != 1:
            return False
        if self.method.name != COPY:
            return len(tensor.output_slice.models) < self.method.signature.minimum_models
        scale = self._parameters(tensor, inputs).get("scale")
        return scale in (None, 1.0, (None,), (1.0,))

    def _copy_of_first(self, tensor: TensorPlan) -> TensorJob | None:
        for slice_input, name in tensor.pairs:
            if name is not None:
                slot, spec = self.view(slice_input.model, slice_input.model.tensors[name], tensor)
                return self._copy(
                    tensor, TensorInput(slice_input=slice_input, slot=slot, spec=spec)
                )
        return None

    def _copy(self, tensor: TensorPlan, entry: TensorInput) -> TensorJob:
        """A byte copy, or passthrough when only the dtype changes."""
        dtype = self.dtype or entry.spec.dtype
        if dtype == entry.spec.dtype or not entry.spec.dtype.mergeable:
            return self._bytes_of(tensor, entry)
        caster = self.methods[COPY].signature
        levels = ParameterLevels(models=((entry.slice_input.model.label, {}),))
        names = (tensor.name, entry.slot.tensor)
        defaults = resolve_parameters(caster, names, levels, tensor.t, self.findings)
        return TensorJob(
            output=TensorSpec(name=tensor.name, dtype=dtype, shape=entry.spec.shape),
            method=COPY,
            models=(entry.slot,),
            base=None,
            parameters=defaults,
            seed=self.recipe.seed,
        )

    def _bytes_of(self, tensor: TensorPlan, entry: TensorInput) -> TensorJob:
        output = TensorSpec(name=tensor.name, dtype=entry.spec.dtype, shape=entry.spec.shape)
        return TensorJob(
            output=output,
            method=None,
            models=(entry.slot,),
            base=None,
            parameters={},
            seed=self.recipe.seed,
        )

    def _merge(self, tensor: TensorPlan, inputs: list[TensorInput]) -> TensorJob | None:
        base = tensor.output_slice.base
        if self.method.signature.base == "required" and base is None:
            self.findings.problem(
                f"{self.method.name} needs a base model", hint="add base_model: to the recipe"
            )
            return None
        output = TensorSpec(
            name=tensor.name,
            dtype=self.dtype or inputs[0].spec.dtype,
            shape=inputs[0].spec.shape,
        )
        slots = tuple(entry.slot for entry in inputs)
        return TensorJob(
            output=output,
            method=self.method.name,
            models=slots[1:] if base else slots,
            base=slots[0] if base else None,
            parameters=self._checked(tensor, inputs),
            seed=self.recipe.seed,
        )

    def _checked(self, tensor: TensorPlan, inputs: list[TensorInput]) -> Mapping[str, Value]:
        """The parameters; combinations that the method refuses (weights that sum to 0) are
        reported.
        """
        before = self.findings.noted
        parameters = self._parameters(tensor, inputs)
        models = len(inputs) - bool(tensor.output_slice.base)
        if self.findings.noted == before:
            for problem in self.method.problems(self.method.arguments(parameters, models)):
                message = f"{problem.message}, in {{tensors}}"
                self.findings.tensor(message, tensor.name, hint=problem.hint)
        return parameters

    def _parameters(self, tensor: TensorPlan, inputs: list[TensorInput]) -> Mapping[str, Value]:
        models = inputs[1:] if tensor.output_slice.base else inputs
        levels = ParameterLevels(
            models=tuple(
                (entry.slice_input.model.label, entry.slice_input.parameters) for entry in models
            ),
            outer=(tensor.output_slice.parameters, self.recipe.parameters),
        )
        # A tied head is read from the embedding, but filters match the head's name.
        inner = [tensor.name if is_head(tensor.name) else entry.slot.tensor for entry in models]
        names = (tensor.name, *inner)
        return resolve_parameters(self.method.signature, names, levels, tensor.t, self.findings)
