"""What can be said about a recipe before any weight is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.diagnose import Diagnosis, diagnose
from bot.errors import Problem, RecipeError
from bot.evaluation.suite_catalog import suite_names
from bot.events import Report
from bot.format_units import format_bytes
from bot.lineage.ancestry import CardOf, no_cards
from bot.machine_limits import default_memory, usable_cpus
from bot.methods.core.all_methods import catalogue
from bot.pipeline.forecast_record import publishing_faults
from bot.pipeline.local_paths import require_local
from bot.pipeline.open_parents import HubResolver, ParentSet, no_hub, open_parents
from bot.plan.budget import Resources
from bot.plan.merge_plan import Budget, Plan
from bot.plan.open_sources import open_sources
from bot.plan.planner import make_plan, make_plans
from bot.recipe.field_readers import value_of
from bot.recipe.load_recipe import read_document, read_file
from bot.recipe.metadata import NAME
from bot.recipe.problems import nearest
from bot.recipe.recipe import ModelRef, Recipe
from bot.recipe.repository_rules import check_community_rules, is_community
from bot.recipe.strict_yaml import ListNode, MapNode, Node, ScalarNode, shorten
from bot.recipe.sweep import Variant, load_sweep


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A valid recipe in a sentence; with plans as far as its parents can be looked at.

    ``plans`` has one plan per variant, in their order, or none where a parent was not looked at.
    ``publishing`` says why the merge could not be published, as far as it is known.
    """

    variants: tuple[Variant, ...]
    plans: tuple[Plan, ...] = ()
    unseen: tuple[ModelRef, ...] = ()
    publishing: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        """The recipe, of a sweep its first variant."""
        return self.variants[0].parsed

    @property
    def plan(self) -> Plan | None:
        """The recipe's plan, of a sweep its first variant's; all have one layout and cost."""
        return self.plans[0] if self.plans else None

    @property
    def budget(self) -> Budget | None:
        """What one merge will cost, where that is known."""
        return self.plan.budget if self.plan else None

    @property
    def choices(self) -> tuple[Mapping[str, object], ...]:
        """What each variant of a sweep has; empty where there is no sweep."""
        return tuple(variant.choices for variant in self.variants if variant.choices)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal but worth a look, in any variant."""
        planned = (text for plan in self.plans for text in plan.warnings)
        return tuple(dict.fromkeys([*planned, *self.publishing]))

    @property
    def summary(self) -> str:
        """``sweep of 3 variants: ties of 3 models, 26 tensors, 0.9 MB each``."""
        if not self.choices:
            return self._one
        count = len(self.choices)
        text = f"sweep of {count} variant{'s' if count != 1 else ''}: {self._one}"
        return f"{text} each" if self.plan else text

    @property
    def _one(self) -> str:
        count = len(self.recipe.references())
        text = f"{self.recipe.merge_method} of {count} model{'s' if count != 1 else ''}"
        if self.plan is not None:
            size = format_bytes(self.plan.budget.output_bytes)
            return f"{text}, {len(self.plan.jobs)} tensors, {size}"
        names = ", ".join(str(ref) for ref in self.unseen)
        return f"{text}; not planned, as these are on the Hub: {names}"

    def data(self) -> dict[str, Any]:
        """The same as plain data; sizes are those of one merge."""
        plan = self.plan
        return {
            "method": self.recipe.merge_method,
            "models": [str(ref) for ref in self.recipe.references()],
            "not_checked": [str(ref) for ref in self.unseen],
            "variants": [dict(choices) for choices in self.choices],
            "tensors": len(plan.jobs) if plan else None,
            "output_bytes": plan.budget.output_bytes if plan else None,
            "peak_memory_bytes": plan.budget.peak_memory_bytes if plan else None,
            "warnings": list(self.warnings),
        }


def load_checked(path: Path) -> tuple[Variant, ...]:
    """Read a recipe file and all its variants; its suites must be known.

    Files in ``recipes/community`` must keep the rules for community recipes too.

    Raises:
        RecipeError: every problem of the file and of every variant, each once.
    """
    found: list[Problem] = []
    variants: tuple[Variant, ...] = ()
    try:
        variants = load_sweep(path)
    except RecipeError as wrong:
        found += wrong.problems()
    checks = [require_known_suites]
    if is_community(path):
        checks.append(check_community_rules)
    for check in checks:
        try:
            check(path)
        except RecipeError as wrong:
            found += wrong.problems()
    if found:
        raise RecipeError(sorted(dict.fromkeys(found), key=lambda one: one.line or 0))
    return variants


def require_known_suites(path: Path) -> None:
    """Look up the suites a recipe file names.

    Raises:
        RecipeError: names under which there is no suite, each at its place.
    """
    root, problems = read_document(read_file(path), str(path))
    known = suite_names()
    for node in _suites_of(root):
        if isinstance(node, ScalarNode) and NAME.fullmatch(node.text) and node.text not in known:
            message = f"there is no suite named `{shorten(node.text)}`"
            problems.add(node, message, nearest(node.text, known, noun="suites"))
    problems.raise_if_any()


def _suites_of(root: Node) -> Sequence[Node]:
    listed = value_of(root, "suites") if isinstance(root, MapNode) else None
    return listed.items if isinstance(listed, ListNode) else ()


def forecast(
    variants: Sequence[Variant],
    hub: HubResolver | None = None,
    card_of: CardOf = no_cards,
    resources: Resources | None = None,
) -> Forecast:
    """Plan a recipe, or each variant of a sweep, from headers alone; nothing is hashed or merged.

    Args:
        variants: the recipe's, at least one.
        hub: opens models on the Hub by their headers; without it such a recipe is not planned.
        card_of: looks up the cards of ancestors on the Hub.
        resources: what the merge will have; None means what this process may use now.

    Raises:
        RecipeError: a local parent is not there.
        PlanError: the parents do not fit together; every mismatch of any variant at once.
        RecordError: the merge's record could not be written.
    """
    recipe = as_in_its_file(variants[0])
    require_local(recipe, Path(recipe.file).parent)
    unseen = tuple(ref for ref in recipe.references() if not ref.is_local)
    if unseen and hub is None:
        return Forecast(variants=tuple(variants), unseen=unseen)
    parents = open_parents(variants[0].parsed, hub=hub or no_hub, pinned=False)
    plans = _plans(variants, parents, resources or _usable())
    faults = publishing_faults(variants[0].recipe, parents, plans[0], card_of)
    return Forecast(variants=tuple(variants), plans=plans, publishing=faults)


def as_in_its_file(variant: Variant) -> Recipe:
    """A variant with the text of the file, so that problems have the file's lines."""
    return variant.parsed


def _usable() -> Resources:
    return Resources(threads=usable_cpus(), memory=default_memory())


def _plans(
    variants: Sequence[Variant], parents: ParentSet, resources: Resources
) -> tuple[Plan, ...]:
    recipes = [variant.parsed for variant in variants]
    return make_plans(
        recipes,
        parents.for_planning(),
        catalogue(),
        resources=resources,
        sweep_at=variants[0].sweep_at,
    )


def quick_plan(recipe: Recipe, hub: HubResolver = no_hub) -> Plan:
    """A plan whose sources are known by size and header instead of by a digest of their bytes."""
    parents = open_parents(recipe, hub=hub, pinned=False).for_planning()
    return make_plan(recipe, parents, catalogue())


def diagnose_recipe(recipe: Recipe, report: Report, hub: HubResolver = no_hub) -> Diagnosis:
    """What samples of the parents' weights say about merging them."""
    parents = open_parents(recipe, hub=hub, pinned=False).for_planning()
    plan = make_plan(recipe, parents, catalogue())
    return diagnose(plan, open_sources(plan, parents.values()), report)
