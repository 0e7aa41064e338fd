"""Parameters as people read them: one line for a recipe, a few characters for an edge."""

from __future__ import annotations

from bot.recipe.recipe import ModelRef, Parameters, Recipe, Schedule

EDGE_PARAMETERS = ("weight", "density")


def weight_of(recipe: Recipe, ref: ModelRef) -> str:
    """``0.4``, or ``0.4 density 0.5``: how much of a model goes into the merge."""
    found: list[str] = []
    for entry in _inputs(recipe, ref):
        for name in EDGE_PARAMETERS:
            schedule = entry.get(name)
            if schedule is not None:
                text = schedule_text(schedule)
                found.append(text if name == "weight" else f"{name} {text}")
        break
    return " ".join(found)


def parameter_summary(recipe: Recipe) -> str:
    """The global parameters on one line: ``normalize true, lambda 0.8``."""
    return ", ".join(f"{name} {schedule_text(value)}" for name, value in recipe.parameters.items())


def schedule_text(schedule: Schedule) -> str:
    """``0.4``, ``0 → 1`` for a gradient, ``mlp 0.3, 0.7`` for a list of filters."""
    parts = []
    for row in schedule.rows:
        if isinstance(row.value, tuple):
            text = " → ".join(f"{value:g}" for value in row.value)
        elif isinstance(row.value, bool):
            text = str(row.value).lower()
        elif isinstance(row.value, float | int):
            text = f"{row.value:g}"
        else:
            text = str(row.value)
        parts.append(f"{row.filter} {text}" if row.filter else text)
    return ", ".join(parts)


def _inputs(recipe: Recipe, ref: ModelRef) -> list[Parameters]:
    listed = list(recipe.models or ())
    for part in recipe.slices or ():
        listed += part.sources
    return [entry.parameters for entry in listed if entry.model == ref]
