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
from bot.lineage.license import Decision, Declared, decide
from bot.lineage.license_text import text_licenses
from bot.lineage.parameter_text import parameter_summary, weight_of
from bot.lineage.resolved_parent import ResolvedParent
from bot.plan.merge_plan import Plan
from bot.recipe.canonical import recipe_hash
from bot.recipe.lock import LockedFile
from bot.recipe.method_signature import Signature
from bot.recipe.recipe import Recipe
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
    origins: Mapping[str, ResolvedParent]
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


def license_of(story: RunContext) -> Decision:
    """The license the merge must carry: from cards, LICENSE files and the cards of ancestors."""
    cards = {origin.ref.path: origin.card for origin in story.origins.values()}
    declared = [_declared(origin) for origin in story.origins.values()]
    declared += [
        Declared(model=model, id=card.license, name=card.license_name, ancestor=True)
        for model, card in ancestor_cards(cards, story.card_of).items()
        if card is not None
    ]
    return decide(declared, wanted=story.recipe.about.license)


def _declared(origin: ResolvedParent) -> Declared:
    return Declared(
        model=str(origin.ref),
        id=origin.card.license,
        name=origin.card.license_name,
        links=tuple(_absolute(link, origin) for link in (origin.card.license_link or "").split()),
        texts=text_licenses(origin.source),
    )


def _absolute(link: str, origin: ResolvedParent) -> str:
    """An address as it stands; a file of the parent's repository at the pinned commit."""
    if ":" in link or origin.url is None:
        return link
    commit = origin.pin.partition("+")[0]
    return f"{origin.url}/blob/{commit}/{quote(link.lstrip('./'))}"


def build_record(story: RunContext) -> Record:
    """The record of a run, ended well or not."""
    parentage = [_parentage(story, origin) for origin in story.origins.values()]
    node = story.model_digest or story.run_key
    license = _license(license_of(story))
    own = None if license.id == "unknown" else license.name or license.id
    tree = family_tree(node, story.name, parentage, story.card_of, own)
    about = story.recipe.about
    record = Record.fitted(
        run_key=story.run_key,
        merge_key=story.merge_key,
        model_digest=story.model_digest if story.failure is None else None,
        name=story.name,
        title=about.name,
        description=about.description,
        authors=about.authors,
        tags=about.tags,
        license=license,
        created=story.created,
        status="failed" if story.failure else "ok",
        failure=story.failure,
        recipe=_recipe(story),
        parents=tuple(_parent(part) for part in parentage),
        lineage=tree,
        model=_model(story) if story.failure is None else None,
        files={name: FileFacts(sha256=f.sha256, size=f.size) for name, f in story.files.items()},
        versions=dict(story.versions),
        machine=dict(story.machine),
        engine=story.engine,
        checks=story.checks.checks if story.checks else (),
        suites=tuple(story.suites) if story.failure is None else (),
        attempts=story.attempts,
        flags=_degenerate(story),
    )
    return record.model_copy(update={"flags": inherited_flags(record, {}, flagged_models())})


def _parentage(story: RunContext, origin: ResolvedParent) -> Ancestry:
    return Ancestry(
        origin=origin,
        key=origin.digest,
        label=weight_of(story.recipe, origin.ref),
        is_base=origin.ref == story.recipe.base_model,
    )


def _parent(part: Ancestry) -> Parent:
    origin = part.origin
    tensors = origin.source.tensors().values()
    return Parent.fitted(
        key=part.key,
        name=origin.ref.name,
        ref=str(origin.ref),
        revision=origin.pin,
        role="base" if part.is_base else "model",
        relation=relation_of(origin.card, is_base=part.is_base),
        weight=part.label,
        license=origin.card.license_name or origin.card.license,
        digest=origin.digest,
        parameters=sum(spec.elements for spec in tensors if spec.dtype.mergeable),
        chat_template=has_template(origin),
        languages=origin.card.language,
        url=origin.url,
        gated=origin.gated,
    )


def has_template(origin: ResolvedParent) -> bool:
    """Whether a parent says how a conversation is put into text."""
    if origin.source.file("chat_template.jinja"):
        return True
    return b'"chat_template"' in (origin.source.file("tokenizer_config.json") or b"")


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


def _recipe(story: RunContext) -> RecipeFacts:
    text = story.recipe.text
    return RecipeFacts.fitted(
        text=text,
        hash=hashlib.sha256(text.encode()).hexdigest(),
        canonical_hash=recipe_hash(story.recipe, with_suites=False),
        method=story.signature.name,
        method_title=story.signature.title,
        paper=story.signature.paper,
        parameters=parameter_summary(story.recipe),
    )


def _model(story: RunContext) -> ModelFacts:
    assert story.plan is not None  # noqa: S101 - a run that ended well has planned
    specs = story.plan.layout
    config = story.config
    section = text_section(config)
    listed = config.get("architectures")
    first = listed[0] if isinstance(listed, list) and listed else None
    stored = sum(spec.nbytes for spec in specs)
    return ModelFacts.fitted(
        architecture=first if isinstance(first, str) else "unknown",
        parameters=sum(spec.elements for spec in specs if spec.dtype.mergeable),
        dtype=story.plan.dtype.torch_name,
        bytes=stored,
        layers=layer_count(config) or 0,
        hidden_size=count_of(section, "hidden_size"),
        vocab_size=count_of(section, "vocab_size"),
        context=count_of(section, "max_position_embeddings") or None,
        chat_template=story.template_from,
        memory_bytes=round(stored * 1.2),
    )


def _degenerate(story: RunContext) -> tuple[Flag, ...]:
    warnings = story.checks.warnings if story.checks else ()
    return tuple(
        Flag.fitted(kind="degenerate", source=story.name, reason=f"{row.name}: {row.detail}")
        for row in warnings
    )
