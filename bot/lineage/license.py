"""The license of a merge, from the licenses of its parents.

A merge is a derivative work of every parent, so every parent's terms must be met at once. The
rules below are the documented reading this project acts on; they are no legal advice. An unknown
license never blocks merging and evaluating, it blocks publishing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from leaderboard.record import Record


class Family(StrEnum):
    """What a license asks of a derivative."""

    PERMISSIVE = "permissive"
    COPYLEFT = "copyleft"
    RAIL = "use-restricted (OpenRAIL)"
    COMMUNITY = "community license"
    NONCOMMERCIAL = "non-commercial"
    NO_DERIVATIVES = "no derivatives"
    CUSTOM = "custom terms"
    UNKNOWN = "unknown"


PERMISSIVE = (
    "cc0-1.0", "unlicense", "wtfpl", "pddl", "zlib", "isc", "mit", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsd-3-clause-clear", "postgresql", "ncsa", "bsl-1.0", "afl-3.0", "ecl-2.0",
    "ms-pl", "artistic-2.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "odc-by", "cc-by-2.0",
    "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "apache-2.0",
)  # fmt: skip
"""From fewest to most conditions: a merge of several takes the last of them."""

COPYLEFT = (
    "gpl", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "mpl-2.0", "eupl-1.1",
    "eupl-1.2", "osl-3.0", "epl-1.0", "epl-2.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "odbl",
    "cdla-sharing-1.0", "gfdl",
)  # fmt: skip
RAIL = (
    "openrail", "openrail++", "creativeml-openrail-m", "bigscience-openrail-m",
    "bigcode-openrail-m", "bigscience-bloom-rail-1.0",
)  # fmt: skip
COMMUNITY = (
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "lgpl-lr",
    "deepfloyd-if-license", "apple-amlr", "apple-ascl", "intel-research",
    "fair-noncommercial-research-license",
)  # fmt: skip
NONCOMMERCIAL = (
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
)  # fmt: skip
NO_DERIVATIVES = ("cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0")

STRONGER_COPYLEFT: Mapping[tuple[str, str], str] = {
    ("gpl-3.0", "agpl-3.0"): "agpl-3.0",
    ("lgpl-3.0", "gpl-3.0"): "gpl-3.0",
    ("lgpl-3.0", "agpl-3.0"): "agpl-3.0",
    ("lgpl-2.1", "gpl-2.0"): "gpl-2.0",
    ("lgpl-2.1", "gpl-3.0"): "gpl-3.0",
    ("mpl-2.0", "gpl-3.0"): "gpl-3.0",
    ("mpl-2.0", "agpl-3.0"): "agpl-3.0",
    ("mpl-2.0", "lgpl-3.0"): "lgpl-3.0",
    ("cc-by-sa-4.0", "gpl-3.0"): "gpl-3.0",
}
"""Pairs of which the second may govern a work that contains the first."""

CLOSED_TO_OTHER_MODELS = frozenset({"llama2", "llama3"})
"""Licenses that forbid improving models outside their own family with theirs."""

LLAMA_DUTIES = (
    'start the model\'s name with "Llama"',
    'show "Built with Llama" on the page',
    "ship a copy of the license and its notice file",
    "keep the acceptable use policy",
)
DUTIES: Mapping[str, tuple[str, ...]] = {
    "llama2": ("ship the Llama 2 license and its notice",),
    **dict.fromkeys(("llama3", "llama3.1", "llama3.2", "llama3.3", "llama4"), LLAMA_DUTIES),
    "gemma": ("pass on the Gemma terms and prohibited use policy", "say that files were changed"),
    "apache-2.0": ("keep the parents' notices and say that files were changed",),
}


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What one parent's card says: a Hub license id, and name and link where the id is "other"."""

    model: str
    id: str | None
    name: str | None = None
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The merge's license, or why it may not be published.

    ``id`` is a Hub license id ("other" goes with ``name``); ``conflicts`` name the parents that
    cause them; ``duties`` are what the publisher has to do.
    """

    id: str
    name: str | None = None
    link: str | None = None
    reasons: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    duties: tuple[str, ...] = ()

    @property
    def publishable(self) -> bool:
        """Whether the rules allow a public repository."""
        return not self.conflicts


def family(license: str | None) -> Family:
    """The family of a Hub license id; "other" is custom, None unknown."""
    table = {
        Family.PERMISSIVE: PERMISSIVE,
        Family.COPYLEFT: COPYLEFT,
        Family.RAIL: RAIL,
        Family.COMMUNITY: COMMUNITY,
        Family.NONCOMMERCIAL: NONCOMMERCIAL,
        Family.NO_DERIVATIVES: NO_DERIVATIVES,
        Family.CUSTOM: ("other",),
    }
    return next((kind for kind, ids in table.items() if license in ids), Family.UNKNOWN)


def decide(parents: Sequence[Declared], wanted: str | None = None) -> Decision:
    """The license a merge of these parents must carry.

    Args:
        parents: what each parent declares, base included.
        wanted: what the recipe asks for; it may be stricter than needed, never looser.
    """
    derived = _combine(parents)
    if wanted is None or wanted == derived.id or derived.conflicts:
        return derived
    if _stricter(wanted, derived.id):
        reason = f"the recipe asks for {wanted}, which keeps every parent's terms"
        return Decision(id=wanted, reasons=(*derived.reasons, reason), duties=derived.duties)
    conflict = f"the recipe asks for {wanted}, but its parents' licenses lead to {derived.id}"
    return Decision(
        id=derived.id,
        name=derived.name,
        link=derived.link,
        reasons=derived.reasons,
        conflicts=(conflict,),
        duties=derived.duties,
    )


def licenses_of(record: Record) -> tuple[str, ...]:
    """Every license whose terms a merge carries: its own id and its parents'."""
    own = [record.license.id] if record.license else []
    return tuple(dict.fromkeys([*own, *(p.license for p in record.parents if p.license)]))


def duties_of(licenses: Iterable[str]) -> tuple[str, ...]:
    """What the publisher has to do under all of these licenses, each duty once."""
    return tuple(dict.fromkeys(duty for name in licenses for duty in DUTIES.get(name, ())))


def _stricter(wanted: str, needed: str) -> bool:
    if {family(wanted), family(needed)} != {Family.PERMISSIVE}:
        return False
    return PERMISSIVE.index(wanted) > PERMISSIVE.index(needed)


def _combine(parents: Sequence[Declared]) -> Decision:
    conflicts = [*_blocked(parents), *_clashes(parents)]
    ids = list(dict.fromkeys(parent.id or "unknown" for parent in parents))
    bound = [name for name in ids if family(name) is not Family.PERMISSIVE]
    reasons = tuple(_reason(parent) for parent in parents)
    duties = duties_of(ids)
    if not ids:
        return Decision(id="unknown", conflicts=("the recipe has no parents",))
    chosen = _governing(bound) if bound else max(ids, key=PERMISSIVE.index)
    if chosen is not None and family(chosen) is not Family.CUSTOM:
        return Decision(id=chosen, reasons=reasons, conflicts=tuple(conflicts), duties=duties)
    named = [parent for parent in parents if (parent.id or "unknown") in bound]
    names = dict.fromkeys(parent.name or parent.id or "unknown" for parent in named)
    link = next((parent.link for parent in named if parent.link), None)
    return Decision(
        id="other" if "unknown" not in bound else "unknown",
        name=" AND ".join(names),
        link=link,
        reasons=reasons,
        conflicts=tuple(conflicts),
        duties=duties,
    )


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


def _blocked(parents: Sequence[Declared]) -> list[str]:
    """Parents that no merge of theirs may be published with, whatever the others are."""
    found = []
    for parent in parents:
        kind = family(parent.id)
        if kind is Family.UNKNOWN:
            said = f"declares {parent.id!r}, which is not known" if parent.id else "declares none"
            found.append(f"the license of {parent.model} is unknown: its card {said}")
        elif kind is Family.NO_DERIVATIVES:
            found.append(f"{parent.model} is {parent.id}: derivatives may not be shared")
        elif kind is Family.CUSTOM and not parent.name:
            found.append(
                f'{parent.model} says "other" without `license_name`: its terms are unknown'
            )
    return found


def _clashes(parents: Sequence[Declared]) -> list[str]:
    """Pairs of parents whose terms cannot both be met."""
    found = []
    for index, left in enumerate(parents):
        for right in parents[index + 1 :]:
            why = _clash(left.id or "", right.id or "")
            if why:
                found.append(f"{left.model} ({left.id}) and {right.model} ({right.id}): {why}")
    return found


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


def _reason(parent: Declared) -> str:
    shown = parent.name if parent.id == "other" and parent.name else parent.id or "unknown"
    return f"{parent.model}: {shown} ({family(parent.id)})"
