"""Whose vocabulary the output has, and whether the parents' vocabularies fit together."""

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
    """The output's vocabulary: ``ids`` on top of the donor's tokenizer.

    ``others`` are the vocabularies that further tokens came from, in order of precedence.
    """

    ids: Mapping[str, int]
    donor: ParentModel
    vocabulary: Vocabulary
    others: tuple[Vocabulary, ...]
    vocabularies: Mapping[ModelRef, Vocabulary]
    base: ModelRef


def tokenization(
    choice: TokenizerChoice,
    bodies: Mapping[ModelRef, ParentModel],
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
    ids = extended(ids, asked)
    _say_what_is_dropped(choice, ids, bodies[donor], findings)
    return Tokenization(
        ids=ids,
        donor=bodies[donor],
        vocabulary=mine,
        others=others,
        vocabularies=vocabularies,
        base=base,
    )


def _say_what_is_dropped(
    choice: TokenizerChoice, ids: Mapping[str, int], donor: ParentModel, findings: Findings
) -> None:
    rows = max(ids.values(), default=-1) + 1
    if choice.pad_to_multiple_of is None and rows < (donor.vocabulary_rows or 0):
        findings.warn(
            f"the embedding of {donor.label} has {donor.vocabulary_rows} rows for {rows} tokens; "
            "the rows without a token are dropped (tokenizer: pad_to_multiple_of adds such rows)"
        )


def _vocabularies(
    bodies: Mapping[ModelRef, ParentModel], base: ModelRef, findings: Findings
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
    if base in lacking:
        findings.problem(
            f"{base} has no tokenizer.json",
            hint="save its tokenizer once with transformers, or choose another base_model",
        )
    if base not in found:
        return None
    for ref in lacking:
        findings.warn(f"{ref} has no tokenizer.json: it is taken to have the tokens of {base}")
        found[ref] = found[base].limited(bodies[ref].vocabulary_rows)
    return found if len(found) == len(bodies) else None


def _fingerprint(body: ParentModel) -> bytes:
    names = ("tokenizer.json", "tokenizer_config.json", "added_tokens.json")
    return b"\0".join(body.parent.source.file(name) or b"" for name in names)


def compare_vocabularies(
    bodies: Sequence[ParentModel], donor: ParentModel, findings: Findings
) -> None:
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


def check_rows(jobs: Sequence[TensorJob], donor: ParentModel, findings: Findings) -> None:
    """Without a tokenizer choice, embedding, head and the donor's tokenizer must fit together.

    Slices take the embedding from their first and the head from their last source, and a donor
    need not take part in the merge at all.
    """
    rows = {job.output.name: job.output.shape[0] for job in jobs if has_token_rows(job.output)}
    if donor.vocabulary_rows is not None:
        rows[f"the embedding of {donor.label}, whose tokenizer the merge has,"] = (
            donor.vocabulary_rows
        )
    if len(set(rows.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in rows.items())
        findings.problem(
            f"the vocabularies do not fit together; rows: {listed}",
            hint="set tokenizer_source: union or tokenizer_source: base",
        )
