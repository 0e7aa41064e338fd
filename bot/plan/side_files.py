"""The output's side files: config, generation config, tokenizer, chat template, processors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.architecture.model_config import read_json_object, write_json
from bot.architecture.output_config import Changes, Layer, output_config, renumbered
from bot.architecture.untrusted_config import without_sources
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
    """Everything that the side files depend on."""

    recipe: Recipe
    models: Mapping[ModelRef, ParentModel]
    config_source: ParentModel
    parts: Sequence[OutputSlice]
    jobs: Sequence[TensorJob]
    dtype: Dtype
    tied: bool | None
    tokens: Tokenization | None


def side_files(facts: Facts, findings: Findings) -> dict[str, bytes]:
    """Every side file of the output, name -> bytes; a file that cannot be made is reported."""
    try:
        files = _configs(facts, findings) | _tokenizer(facts)
        files |= processor_files(facts.config_source.parent.source)
        return _templated(files, facts)
    except CheckpointError as error:
        findings.problem(error.message, hint=error.hint)
        return {}


def _configs(facts: Facts, findings: Findings) -> dict[str, bytes]:
    layers = [Layer(config=model.config, index=index) for model, index in layer_map(facts.parts)]
    changes = Changes(
        dtype=facts.dtype.torch_name,
        layers=layers if facts.recipe.slices else None,
        vocabulary=embedding_rows({job.output.name: job.output for job in facts.jobs}),
        tied=facts.tied,
    )
    config, warnings = output_config(facts.config_source.config, changes)
    config_source = facts.config_source
    generation = read_json_object(
        config_source.parent.source, "generation_config.json", config_source.label, cap=_SMALL
    )
    if facts.tokens and facts.tokens.tokenizer_source is not config_source:
        old = facts.tokens.vocabularies[config_source.parent.ref].ids
        config, lost = renumbered(config, old, facts.tokens.ids)
        warnings += lost
        if generation is not None:
            generation, lost = renumbered(generation, old, facts.tokens.ids)
            warnings += lost
    for warning in warnings:
        findings.warn(warning)
    files = {"config.json": write_json(config)}
    return files | (
        {"generation_config.json": write_json(without_sources(generation))} if generation else {}
    )


def _tokenizer(facts: Facts) -> dict[str, bytes]:
    """The tokenizer's files: copied, or rewritten when its tokens changed."""
    if facts.tokens is None:
        return tokenizer_files(facts.config_source.parent.source)
    tokens, model = facts.tokens, facts.tokens.tokenizer_source
    files = tokenizer_files(model.parent.source)
    whole = read_vocabulary(model.parent.source, model.label)
    if whole is None or whole.ids == tokens.ids:
        return files
    document = rewritten_tokenizer(tokens.vocabulary, tokens.ids, tokens.others, model.label)
    files = {path: data for path, data in files.items() if path not in SLOW_TOKENIZER_FILES}
    files["tokenizer.json"] = write_json(document)
    config = read_json_object(model.parent.source, "tokenizer_config.json", model.label, cap=_LARGE)
    if config:
        files["tokenizer_config.json"] = write_json(
            rewritten_tokenizer_config(config, tokens.vocabulary, tokens.ids, tokens.others)
        )
    return files


def _templated(files: dict[str, bytes], facts: Facts) -> dict[str, bytes]:
    if facts.recipe.chat_template is None:
        return files
    templates = [
        model_template(model.parent.source, model.label) for model in facts.models.values()
    ]
    template = chosen_template(facts.recipe.chat_template, templates)
    return with_template(files, template) if template else files
