"""The license of a merge, from the licenses of its parents.

A merge is a derivative work of every parent and of the models they were made from, so all their
terms must be met at once. What counts is what a card lists, what the text of a LICENSE file is, and
what the cards of ancestors list. An unknown license never blocks merging and evaluating, it blocks
publishing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.lineage.license_terms import (
    CLOSED_TO_OTHER_MODELS,
    FAMILY_NAMES,
    PERMISSIVE,
    STRONGER_COPYLEFT,
    UNKNOWN_NAMES,
    Family,
    duties_of,
    family,
    split_expression,
)
from bot.lineage.resolved_parent import NESTED, UNREADABLE
from leaderboard.render.escape import web_address

THE_RECIPE = "the recipe"
_ASKED_FOR = frozenset({Family.COPYLEFT, Family.RAIL, Family.NONCOMMERCIAL, Family.NO_DERIVATIVES})
"""What a recipe may ask for beyond its parents' terms; other families are of a certain owner."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What is known about one model's license.

    Args:
        model: how messages call it.
        id: what its card declares: a Hub license id, several joined by ``AND``, or anything else.
        name: ``license_name`` of the card.
        links: addresses of the card's ``license_link``, made absolute where they were relative.
        texts: ids of the texts of its LICENSE files, empty where they are not identified; None
            where there is no such file.
        ancestor: whether it is no parent but a model that a parent was made from.
    """

    model: str
    id: str | None
    name: str | None = None
    links: tuple[str, ...] = ()
    texts: Sequence[str] | None = None
    ancestor: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The merge's license, or why it may not be published.

    ``id`` is a Hub license id ("other" goes with ``name``); ``conflicts`` name the models that
    cause them; ``duties`` are what the publisher has to do; ``links`` are the addresses of all
    licenses that have one; ``licenses`` are all ids whose terms the merge carries.
    """

    id: str
    name: str | None = None
    links: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    duties: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()

    @property
    def publishable(self) -> bool:
        """Whether the rules allow a public repository."""
        return not self.conflicts


@dataclass(frozen=True, kw_only=True)
class _Term:
    """One license of one model; ``source`` says where it was found."""

    model: str
    id: str
    name: str | None = None
    source: str = ""

    @property
    def shown(self) -> str:
        """The license's own name."""
        return self.name if self.id == "other" and self.name else self.id

    @property
    def reason(self) -> str:
        """Why the merge carries it."""
        where = f", {self.source}" if self.source else ""
        return f"{self.model}: {self.shown} ({family(self.id)}{where})"


def decide(parents: Sequence[Declared], wanted: str | None = None) -> Decision:
    """The license a merge of these models must carry.

    Args:
        parents: what each parent and ancestor declares, base included.
        wanted: what the recipe asks for; it may be stricter than needed, never looser.
    """
    derived = _combine(parents)
    if wanted is None or wanted == derived.id or derived.conflicts:
        return derived
    if family(wanted) in _ASKED_FOR:
        asked = Declared(model=THE_RECIPE, id=wanted)
        return _combine([*parents, asked])
    if _is_stricter_permissive(wanted, derived.id):
        reason = f"the recipe asks for {wanted}, which keeps every parent's terms"
        licenses = (*derived.licenses, wanted)
        return replace(derived, id=wanted, reasons=(*derived.reasons, reason), licenses=licenses)
    conflict = f"the recipe asks for {wanted}, but its parents' licenses lead to {derived.id}"
    return replace(derived, conflicts=(conflict,))


def _is_stricter_permissive(wanted: str, needed: str) -> bool:
    if {family(wanted), family(needed)} != {Family.PERMISSIVE}:
        return False
    return PERMISSIVE.index(wanted) > PERMISSIVE.index(needed)


def _combine(parents: Sequence[Declared]) -> Decision:
    if not parents:
        return Decision(id="unknown", conflicts=("the recipe has no parents",))
    terms = [term for parent in parents for term in _terms(parent)]
    conflicts = [fault for parent in parents for fault in _faults(parent)]
    conflicts += [*_forbidden(terms), *_clashes(terms)]
    ids = list(dict.fromkeys(term.id for term in terms)) or ["unknown"]
    bound = [name for name in ids if family(name) is not Family.PERMISSIVE]
    chosen = _governing(bound) if bound else max(ids, key=PERMISSIVE.index)
    links = [link for parent in parents for link in parent.links if link.startswith("https://")]
    decision = Decision(
        id=chosen or "other",
        links=tuple(dict.fromkeys(filter(web_address, links))),
        reasons=tuple(dict.fromkeys(term.reason for term in terms)),
        conflicts=tuple(dict.fromkeys(conflicts)),
        duties=duties_of(ids),
        licenses=tuple(ids),
    )
    if chosen is not None and family(chosen) not in (Family.CUSTOM, Family.UNKNOWN):
        return decision
    names = dict.fromkeys(term.shown for term in terms if term.id in bound)
    known = all(family(name) is not Family.UNKNOWN for name in bound)
    return replace(decision, id="other" if known else "unknown", name=" AND ".join(names))


def _terms(model: Declared) -> Iterator[_Term]:
    """The licenses of one model: what its card lists and what its LICENSE files add to that."""
    source = "of an ancestor" if model.ancestor else ""
    ids = _declared_ids(model)
    for name in ids:
        yield _Term(model=model.model, id=name, name=model.name, source=source)
    texts = [name for name in model.texts or () if not _covers(ids, name)]
    for name in texts:
        yield _Term(model=model.model, id=name, source="its LICENSE file")
    if not ids and not texts and not model.ancestor:
        yield _Term(model=model.model, id="unknown", source=source)


def _declared_ids(model: Declared) -> tuple[str, ...]:
    """The ids of a card that are licenses; ``unknown`` by any name is none."""
    ids = split_expression(model.id or "") if model.id not in (UNREADABLE, NESTED) else ()
    unnamed = (model.name or "").strip().lower() in UNKNOWN_NAMES
    return tuple(
        name
        for name in ids
        if not (name in UNKNOWN_NAMES and name != "other") and not (name == "other" and unnamed)
    )


def _covers(ids: Sequence[str], text: str) -> bool:
    """Whether a card that lists ``ids`` has said what its LICENSE file says."""
    families = {name for name in ids if name in ("bsd", "gpl", "lgpl", "openrail", *FAMILY_NAMES)}
    return text in ids or any(text.startswith(f"{name}-") for name in families)


def _faults(model: Declared) -> Iterator[str]:
    """Why the terms of one model are not known, or contradict each other."""
    ids = _declared_ids(model)
    if not ids and not model.texts:
        if not model.ancestor:
            yield f"the license of {model.model} is unknown: its card {_said(model)}"
        return
    for name in ids:
        if name in FAMILY_NAMES:
            yield f"the license of {model.model} is unknown: {name!r} is a family of licenses"
        elif family(name) is Family.UNKNOWN:
            yield (
                f"the license of {model.model} is unknown: its card declares {name!r}, which is "
                "not known"
            )
    for text in model.texts or ():
        free = ids and all(family(name) is Family.PERMISSIVE for name in ids)
        if family(text) is Family.UNKNOWN:
            yield f"the LICENSE file of {model.model} is {text}, whose terms are not known here"
        elif free and family(text) is not Family.PERMISSIVE:
            yield (
                f"{model.model} contradicts itself: its card declares {' AND '.join(ids)}, its "
                f"LICENSE file is the text of {text}"
            )


def _said(model: Declared) -> str:
    """What the card of a model without a known license does say."""
    beside = "" if model.texts is None else ", and its LICENSE file is the text of no known license"
    if model.id == UNREADABLE:
        return f"cannot be understood{beside}"
    if model.id == NESTED:
        return f"declares something that is no license id{beside}"
    if model.id is None:
        return f"declares none{beside}"
    if "other" in split_expression(model.id):
        if not model.name:
            return f'says "other" without `license_name`{beside}'
        return f'says "other" and calls it {model.name!r}, which names no license{beside}'
    return f"declares {model.id!r}, which names no license{beside}"


def _forbidden(terms: Sequence[_Term]) -> Iterator[str]:
    for term in terms:
        if family(term.id) is Family.NO_DERIVATIVES and term.model != THE_RECIPE:
            yield f"{term.model} is {term.id}: derivatives may not be shared"


def _governing(bound: Sequence[str]) -> str | None:
    """The one license that can govern them all, or None when several apply side by side."""
    chosen = bound[0]
    for name in bound[1:]:
        stronger = _stronger(chosen, name)
        if stronger is None:
            return None
        chosen = stronger
    return chosen


def _stronger(left: str, right: str) -> str | None:
    if left == right:
        return left
    if family(left) is family(right) is Family.NONCOMMERCIAL:
        share_alike = [name for name in (left, right) if "-sa-" in name]
        return max(share_alike or (left, right))
    return STRONGER_COPYLEFT.get((left, right)) or STRONGER_COPYLEFT.get((right, left))


def _clashes(terms: Sequence[_Term]) -> Iterator[str]:
    """Pairs of licenses whose terms cannot both be met."""
    for index, left in enumerate(terms):
        for right in terms[index + 1 :]:
            why = _clash(left.id, right.id)
            if why:
                yield f"{left.model} ({left.id}) and {right.model} ({right.id}): {why}"


def _clash(left: str, right: str) -> str | None:
    kinds = {family(left), family(right)}
    restricted = kinds & {Family.RAIL, Family.COMMUNITY, Family.NONCOMMERCIAL, Family.CUSTOM}
    if Family.COPYLEFT in kinds and restricted:
        return "a copyleft license allows no further restrictions"
    if kinds == {Family.COPYLEFT} and left != right and _stronger(left, right) is None:
        return "two copyleft licenses that exclude each other"
    if {left, right} == {"gpl-2.0", "apache-2.0"}:
        return "GPL 2.0 and Apache 2.0 are incompatible"
    if "-nc-sa-" in left + right and restricted - {Family.NONCOMMERCIAL}:
        return "share-alike terms and another license's own terms exclude each other"
    closed = CLOSED_TO_OTHER_MODELS & {left, right}
    if closed and left != right and Family.COMMUNITY in {family(left)} & {family(right)}:
        return f"{min(closed)} may not be used to improve models outside its family"
    return None
