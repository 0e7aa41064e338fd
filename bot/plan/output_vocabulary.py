"""The output's vocabulary, and the checks that the parents' vocabularies fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.architecture.vocabulary_tensors import has_token_rows
from bot.errors import CheckpointError
from bot.plan.findings import Findings
from bot.plan.merge_plan import TensorJob
from bot.plan.parent_model import ParentModel
from bot.recipe.recipe import ModelRef, TokenizerChoice
from bot.tokens.token_alignment import compare, extended, union
from bot.tokens.vocabulary import Vocabulary, read_vocabulary


@dataclass(frozen=True, kw_only=True)
class Tokenization:
    """The output's vocabulary: token -> id, built on the tokenizer source's vocabulary.

    ``others`` are the vocabularies that additional tokens came from, in order of precedence.
    """

    ids: Mapping[str, int]
    tokenizer_source: ParentModel
    vocabulary: Vocabulary
    others: tuple[Vocabulary, ...]
    vocabularies: Mapping[ModelRef, Vocabulary]
    base: ModelRef


def tokenization(
    choice: TokenizerChoice,
    models: Mapping[ModelRef, ParentModel],
    base: ModelRef,
    findings: Findings,
) -> Tokenization | None:
    """The vocabulary a recipe asks for; None, with problems, where it cannot be made.

    A model without ``tokenizer.json`` is taken to have the base's vocabulary, with a warning.
    """
    vocabularies = _vocabularies(models, base, findings)
    if vocabularies is None:
        return None
    chosen = choice.source if isinstance(choice.source, ModelRef) else base
    order = [base, *(ref for ref in models if ref != base)]
    own = vocabularies[chosen]
    asked = [rule.token for rule in choice.tokens]
    if choice.source == "union":
        others = tuple(vocabularies[ref] for ref in order if ref != chosen)
        ids = union([own, *others])
    else:
        others = ()
        ids = dict(own.ids)
    ids = extended(ids, asked)
    _warn_of_dropped_rows(choice, ids, models[chosen], findings)
    return Tokenization(
        ids=ids,
        tokenizer_source=models[chosen],
        vocabulary=own,
        others=others,
        vocabularies=vocabularies,
        base=base,
    )


def _warn_of_dropped_rows(
    choice: TokenizerChoice, ids: Mapping[str, int], model: ParentModel, findings: Findings
) -> None:
    rows = max(ids.values(), default=-1) + 1
    if choice.pad_to_multiple_of is None and rows < (model.vocabulary_rows or 0):
        findings.warn(
            f"the embedding of {model.label} has {model.vocabulary_rows} rows for {rows} tokens; "
            "the rows without a token are dropped (tokenizer: pad_to_multiple_of adds such rows)"
        )


def _vocabularies(
    models: Mapping[ModelRef, ParentModel], base: ModelRef, findings: Findings
) -> dict[ModelRef, Vocabulary] | None:
    """Each model's vocabulary, without the tokens its embedding has no rows for."""
    read: dict[bytes, Vocabulary] = {}
    found: dict[ModelRef, Vocabulary] = {}
    lacking = []
    for ref in (base, *(ref for ref in models if ref != base)):
        model = models[ref]
        try:
            fingerprint = _fingerprint(model)
            vocabulary = read.get(fingerprint) or read_vocabulary(model.parent.source, model.label)
        except CheckpointError as error:
            findings.problem(error.message, hint=error.hint)
            continue
        if vocabulary is None:
            lacking.append(ref)
            continue
        read[fingerprint] = vocabulary
        found[ref] = vocabulary.limited(model.vocabulary_rows)
    if base in lacking:
        findings.problem(
            f"{base} has no tokenizer.json",
            hint="save its tokenizer once with transformers, or choose another base_model",
        )
    if base not in found:
        return None
    for ref in lacking:
        findings.warn(f"{ref} has no tokenizer.json: its tokens are assumed to be those of {base}")
        found[ref] = found[base].limited(models[ref].vocabulary_rows)
    return found if len(found) == len(models) else None


def _fingerprint(model: ParentModel) -> bytes:
    names = ("tokenizer.json", "tokenizer_config.json", "added_tokens.json")
    return b"\0".join(model.parent.source.file(name) or b"" for name in names)


def compare_vocabularies(
    models: Sequence[ParentModel], config_source: ParentModel, findings: Findings
) -> None:
    """Warn about models whose tokens have other ids than the config source's.

    Embeddings of different sizes are reported with their tensors. Embeddings of equal size can
    still have their tokens in another order; the merge would then average rows of different tokens.
    """
    mine: Vocabulary | None = None
    for model in models:
        if model is config_source or model.vocabulary_rows != config_source.vocabulary_rows:
            continue
        if _fingerprint(model) == _fingerprint(config_source):
            continue
        try:
            mine = mine or read_vocabulary(config_source.parent.source, config_source.label)
            theirs = read_vocabulary(model.parent.source, model.label)
        except CheckpointError as error:
            findings.problem(error.message, hint=error.hint)
            continue
        difference = compare(mine, theirs) if mine and theirs else None
        if difference:
            findings.warn(
                f"the tokenizers of {config_source.label} and {model.label} differ: "
                f"{difference.message}; {difference.hint}"
            )


def check_rows(jobs: Sequence[TensorJob], config_source: ParentModel, findings: Findings) -> None:
    """Check that embedding, head and the config source's tokenizer have equally many rows.

    This applies to recipes without a tokenizer choice: the embedding comes from the first slice,
    the head from the last, and the config source may take no part in the merge.
    """
    rows = {job.output.name: job.output.shape[0] for job in jobs if has_token_rows(job.output)}
    if config_source.vocabulary_rows is not None:
        rows[f"the embedding of {config_source.label}, whose tokenizer the merge has,"] = (
            config_source.vocabulary_rows
        )
    if len(set(rows.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in rows.items())
        findings.problem(
            f"the vocabularies do not fit together; rows: {listed}",
            hint="set tokenizer_source: union or tokenizer_source: base",
        )
