"""Assemble the record of a run: everything a card, a report or a board will ever say about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from bot.architecture.model_config import JsonObject, layer_count, text_section
from bot.check.checks import CheckReport
from bot.checkpoint.untrusted_json import count_of
from bot.lineage.ancestry import (
    Ancestry,
    CardOf,
    ancestor_cards,
    family_tree,
    flagged_models,
    no_cards,
    relation_of,
)
from bot.lineage.license_decision import Decision, Declared, decide
from bot.lineage.license_text import text_licenses
from bot.lineage.parameter_text import parameter_summary, weight_of
from bot.lineage.resolved_parent import ResolvedParent
from bot.plan.merge_plan import Plan
from bot.recipe.canonical import recipe_hash
from bot.recipe.method_signature import Signature
from bot.recipe.recipe import Recipe
from bot.recipe.recipe_lock import LockedFile
from leaderboard.inherited_flags import inherited_flags
from leaderboard.record import (
    Attempts,
    EngineFacts,
    Failure,
    FileFacts,
    Flag,
    License,
    ModelFacts,
    Parent,
    RecipeFacts,
    Record,
)
from leaderboard.record_results import SuiteResult


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run knows about itself so far; later stages fill in more."""

    run_key: str
    merge_key: str
    created: str
    name: str
    recipe: Recipe
    signature: Signature
    parents: Mapping[str, ResolvedParent]
    attempts: Attempts
    plan: Plan | None = None
    config: JsonObject = field(default_factory=dict)
    template_from: str | None = None
    model_digest: str | None = None
    files: Mapping[str, LockedFile] = field(default_factory=dict)
    engine: EngineFacts | None = None
    checks: CheckReport | None = None
    suites: Sequence[SuiteResult] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    card_of: CardOf = no_cards


def license_of(context: RunContext) -> Decision:
    """The license the merge must carry: from cards, LICENSE files and the cards of ancestors."""
    cards = {parent.ref.path: parent.card for parent in context.parents.values()}
    declared = [_declared(parent) for parent in context.parents.values()]
    declared += [
        Declared(model=model, id=card.license, name=card.license_name, ancestor=True)
        for model, card in ancestor_cards(cards, context.card_of).items()
        if card is not None
    ]
    return decide(declared, wanted=context.recipe.about.license)


def _declared(parent: ResolvedParent) -> Declared:
    return Declared(
        model=str(parent.ref),
        id=parent.card.license,
        name=parent.card.license_name,
        links=tuple(_absolute(link, parent) for link in (parent.card.license_link or "").split()),
        texts=text_licenses(parent.source),
    )


def _absolute(link: str, parent: ResolvedParent) -> str:
    """An address as it stands; a file of the parent's repository at the pinned commit."""
    if ":" in link or parent.url is None:
        return link
    commit = parent.pin.partition("+")[0]
    return f"{parent.url}/blob/{commit}/{quote(link.lstrip('./'))}"


def build_record(context: RunContext) -> Record:
    """The record of a run, ended well or not."""
    parentage = [_parentage(context, parent) for parent in context.parents.values()]
    node = context.model_digest or context.run_key
    license = _license(license_of(context))
    own = None if license.id == "unknown" else license.name or license.id
    tree = family_tree(node, context.name, parentage, context.card_of, own)
    about = context.recipe.about
    record = Record.fitted(
        run_key=context.run_key,
        merge_key=context.merge_key,
        model_digest=context.model_digest if context.failure is None else None,
        name=context.name,
        title=about.name,
        description=about.description,
        authors=about.authors,
        tags=about.tags,
        license=license,
        created=context.created,
        status="failed" if context.failure else "ok",
        failure=context.failure,
        recipe=_recipe(context),
        parents=tuple(_parent(part) for part in parentage),
        lineage=tree,
        model=_model(context) if context.failure is None else None,
        files={name: FileFacts(sha256=f.sha256, size=f.size) for name, f in context.files.items()},
        versions=dict(context.versions),
        machine=dict(context.machine),
        engine=context.engine,
        checks=context.checks.checks if context.checks else (),
        suites=tuple(context.suites) if context.failure is None else (),
        attempts=context.attempts,
        flags=_degenerate(context),
    )
    return record.model_copy(update={"flags": inherited_flags(record, {}, flagged_models())})


def _parentage(context: RunContext, parent: ResolvedParent) -> Ancestry:
    return Ancestry(
        parent=parent,
        key=parent.digest,
        label=weight_of(context.recipe, parent.ref),
        is_base=parent.ref == context.recipe.base_model,
    )


def _parent(part: Ancestry) -> Parent:
    parent = part.parent
    tensors = parent.source.tensors().values()
    return Parent.fitted(
        key=part.key,
        name=parent.ref.name,
        ref=str(parent.ref),
        revision=parent.pin,
        role="base" if part.is_base else "model",
        relation=relation_of(parent.card, is_base=part.is_base),
        weight=part.label,
        license=parent.card.license_name or parent.card.license,
        digest=parent.digest,
        parameters=sum(spec.elements for spec in tensors if spec.dtype.mergeable),
        chat_template=has_template(parent),
        languages=parent.card.language,
        url=parent.url,
        gated=parent.gated,
    )


def has_template(parent: ResolvedParent) -> bool:
    """Whether a parent says how a conversation is put into text."""
    if parent.source.file("chat_template.jinja"):
        return True
    return b'"chat_template"' in (parent.source.file("tokenizer_config.json") or b"")


def _license(decision: Decision) -> License:
    return License.fitted(
        id=decision.id,
        name=decision.name,
        link=decision.links[0] if decision.links else None,
        links=decision.links,
        conflicts=decision.conflicts,
        reasons=decision.reasons,
        derived_from=decision.licenses,
    )


def _recipe(context: RunContext) -> RecipeFacts:
    text = context.recipe.text
    return RecipeFacts.fitted(
        text=text,
        hash=hashlib.sha256(text.encode()).hexdigest(),
        canonical_hash=recipe_hash(context.recipe, with_suites=False),
        method=context.signature.name,
        method_title=context.signature.title,
        paper=context.signature.paper,
        parameters=parameter_summary(context.recipe),
    )


def _model(context: RunContext) -> ModelFacts:
    assert context.plan is not None  # noqa: S101 - a run that ended well has planned
    specs = context.plan.layout
    config = context.config
    section = text_section(config)
    listed = config.get("architectures")
    first = listed[0] if isinstance(listed, list) and listed else None
    stored = sum(spec.nbytes for spec in specs)
    return ModelFacts.fitted(
        architecture=first if isinstance(first, str) else "unknown",
        parameters=sum(spec.elements for spec in specs if spec.dtype.mergeable),
        dtype=context.plan.dtype.torch_name,
        bytes=stored,
        layers=layer_count(config) or 0,
        hidden_size=count_of(section, "hidden_size"),
        vocab_size=count_of(section, "vocab_size"),
        context=count_of(section, "max_position_embeddings") or None,
        chat_template=context.template_from,
        memory_bytes=round(stored * 1.2),
    )


def _degenerate(context: RunContext) -> tuple[Flag, ...]:
    warnings = context.checks.warnings if context.checks else ()
    return tuple(
        Flag.fitted(kind="degenerate", source=context.name, reason=f"{row.name}: {row.detail}")
        for row in warnings
    )
