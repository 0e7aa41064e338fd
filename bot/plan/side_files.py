"""The output's side files: config, generation config, tokenizer, chat template, processors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.architecture.model_config import read_json_object, refusals, write_json
from bot.architecture.output_config import Changes, Layer, output_config, renumbered
from bot.architecture.vocabulary_tensors import embedding_rows
from bot.checkpoint.tensor_spec import Dtype
from bot.errors import CheckpointError
from bot.plan.findings import Findings
from bot.plan.layer_slices import OutputSlice, layer_map
from bot.plan.merge_plan import TensorJob
from bot.plan.output_vocabulary import Tokenization
from bot.plan.parent_model import ParentModel
from bot.recipe.recipe import ModelRef, Recipe
from bot.tokens.chat_template import chosen_template, model_template, with_template
from bot.tokens.tokenizer_files import (
    PROCESSOR_FILES,
    SLOW_TOKENIZER_FILES,
    processor_files,
    tokenizer_files,
)
from bot.tokens.tokenizer_json import rewritten_tokenizer, rewritten_tokenizer_config
from bot.tokens.vocabulary import read_vocabulary

_SMALL = 1 << 20
_LARGE = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the side files depend on, once all jobs are known."""

    recipe: Recipe
    bodies: Mapping[ModelRef, ParentModel]
    donor: ParentModel
    parts: Sequence[OutputSlice]
    jobs: Sequence[TensorJob]
    dtype: Dtype
    tied: bool | None
    tokens: Tokenization | None


def side_files(facts: Facts, findings: Findings) -> dict[str, bytes]:
    """Every side file of the output by name; what cannot be made becomes a problem."""
    try:
        files = _configs(facts, findings) | _tokenizer(facts)
        files |= processor_files(facts.donor.parent.source)
        _refuse_code(files, facts, findings)
        return _templated(files, facts)
    except CheckpointError as error:
        findings.problem(error.message, hint=error.hint)
        return {}


def _configs(facts: Facts, findings: Findings) -> dict[str, bytes]:
    layers = [Layer(config=body.config, index=index) for body, index in layer_map(facts.parts)]
    changes = Changes(
        dtype=facts.dtype.torch_name,
        layers=layers if facts.recipe.slices else None,
        vocabulary=embedding_rows({job.output.name: job.output for job in facts.jobs}),
        tied=facts.tied,
    )
    config, warnings = output_config(facts.donor.config, changes)
    donor = facts.donor
    generation = read_json_object(
        donor.parent.source, "generation_config.json", donor.label, cap=_SMALL
    )
    if facts.tokens and facts.tokens.donor is not donor:
        old = facts.tokens.vocabularies[donor.parent.ref].ids
        config, lost = renumbered(config, old, facts.tokens.ids)
        warnings += lost
        if generation is not None:
            generation, lost = renumbered(generation, old, facts.tokens.ids)
            warnings += lost
    for warning in warnings:
        findings.warn(warning)
    files = {"config.json": write_json(config)}
    return files | ({"generation_config.json": write_json(generation)} if generation else {})


def _tokenizer(facts: Facts) -> dict[str, bytes]:
    """The tokenizer's files: copied, or rewritten when its tokens changed."""
    if facts.tokens is None:
        return tokenizer_files(facts.donor.parent.source)
    tokens, body = facts.tokens, facts.tokens.donor
    files = tokenizer_files(body.parent.source)
    whole = read_vocabulary(body.parent.source, body.label)
    if whole is None or whole.ids == tokens.ids:
        return files
    document = rewritten_tokenizer(tokens.vocabulary, tokens.ids, tokens.others, body.label)
    files = {path: data for path, data in files.items() if path not in SLOW_TOKENIZER_FILES}
    files["tokenizer.json"] = write_json(document)
    config = read_json_object(body.parent.source, "tokenizer_config.json", body.label, cap=_LARGE)
    if config:
        files["tokenizer_config.json"] = write_json(
            rewritten_tokenizer_config(config, tokens.vocabulary, tokens.ids, tokens.others)
        )
    return files


def _refuse_code(files: Mapping[str, bytes], facts: Facts, findings: Findings) -> None:
    """A tokenizer or processor that needs a repository's code cannot be carried over."""
    for path in ("tokenizer_config.json", *PROCESSOR_FILES):
        if path in files:
            tokens = facts.tokens if path == "tokenizer_config.json" else None
            body = tokens.donor if tokens else facts.donor
            config = read_json_object(body.parent.source, path, body.label, cap=_LARGE) or {}
            findings.problems += refusals(config, body.label, path)


def _templated(files: dict[str, bytes], facts: Facts) -> dict[str, bytes]:
    if facts.recipe.chat_template is None:
        return files
    templates = [model_template(body.parent.source, body.label) for body in facts.bodies.values()]
    template = chosen_template(facts.recipe.chat_template, templates)
    return with_template(files, template) if template else files
