"""``mergebot methods``: lists the merge methods, or explains one with an example recipe."""

from __future__ import annotations

from dataclasses import asdict

import click

from bot.cli.output import Output, output_options
from bot.errors import UsageError
from bot.recipe.method_signature import Signature
from bot.recipe.problems import nearest


@click.command(
    epilog="""\b
Examples:
  mergebot methods
  mergebot methods ties
  mergebot methods ties --json"""
)
@click.argument("name", required=False)
@output_options
@click.pass_obj
def methods(out: Output, name: str | None) -> None:
    """List the merge methods, or explain one with an example recipe that runs."""
    from bot.methods.core.all_methods import catalogue, describe

    known = {key: method.signature for key, method in catalogue().items()}
    if name is None:
        rows = [_row(signature) for signature in known.values()]
        table = out.table(rows, ["method", "base", "models", "what it is"])
        out.result([asdict(signature) for signature in known.values()], table)
        return
    if name not in known:
        raise UsageError(f"there is no merge method {name!r}", hint=nearest(name, known))
    page = describe(name)
    parts = [
        f"{name}: {known[name].title}",
        "",
        page.documentation,
        "",
        "parameters:" if page.parameters else "no parameters",
        *(f"  {line}" for line in page.parameters),
        "",
        "example, to be saved in recipes/skills/:",
        "",
        page.example,
    ]
    if page.deviations:
        parts += ["", "differs from mergekit:", *(f"  - {text}" for text in page.deviations)]
    data = {**asdict(known[name]), "documentation": page.documentation, "example": page.example}
    out.result({**data, "deviations": list(page.deviations)}, "\n".join(parts))


def _row(signature: Signature) -> list[str]:
    least, most = signature.minimum_models, signature.maximum_models
    models = f"{least}+" if most is None else str(least) if least == most else f"{least}-{most}"
    return [signature.name, signature.base, models, signature.title]
