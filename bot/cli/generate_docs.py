"""``python -m bot.cli.generate_docs``: writes the generated documentation, or checks it (--check).

Generated are the method tables, the command reference, the JSON Schemas and the file tree.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from bot import errors
from bot.cli.app import cli
from bot.cli.error_report import INTERNAL
from bot.errors import MergebotError
from bot.lineage.front_matter_schema import front_matter_schema_text
from bot.methods.core import all_methods
from bot.pipeline.verify_merge import Answer
from bot.recipe.method_signature import Parameter, Signature, dump_signatures
from bot.recipe.recipe_json_schema import recipe_schema
from leaderboard.record import json_schema_text

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("bot", "leaderboard", "space_app")
WIDTH = 28


def generated() -> Mapping[Path, str]:
    """Every generated file with its text."""
    signatures = {name: method.signature for name, method in all_methods.catalogue().items()}
    schema = json.dumps(recipe_schema(signatures), indent=2, sort_keys=True) + "\n"
    readme = (ROOT / "README.md").read_text("utf-8")
    readme = replace_block(readme, "tree", f"```text\n{folder_tree()}\n```")
    readme = replace_block(readme, "methods", methods_table(signatures, details=False))
    return {
        ROOT / "bot/recipe/signatures.json": dump_signatures(signatures),
        ROOT / "bot/recipe/recipe.schema.json": schema,
        ROOT / "leaderboard/record.schema.json": json_schema_text(),
        ROOT / "bot/lineage/front_matter.schema.json": front_matter_schema_text(),
        ROOT / "docs/methods.md": methods_page(signatures),
        ROOT / "docs/cli.md": cli_page(),
        ROOT / "docs/files.md": files_page(),
        ROOT / "README.md": readme,
    }


def replace_block(text: str, name: str, content: str) -> str:
    """Put ``content`` between the markers ``<!-- name:begin -->`` and ``<!-- name:end -->``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{content}\n{end}{tail}"


def methods_table(signatures: Mapping[str, Signature], *, details: bool = True) -> str:
    """Markdown: one row per method; with ``details`` its parameters too."""
    rows = ["| method | what it is | base | models | paper |", "|---|---|---|---|---|"]
    for name in sorted(signatures):
        method = signatures[name]
        most = method.maximum_models
        models = f"{method.minimum_models}+" if most is None else f"{method.minimum_models}–{most}"
        models = str(most) if most == method.minimum_models else models
        link = f"[`{name}`](#{name})" if details else f"`{name}`"
        paper = f"[paper]({method.paper})" if method.paper else "—"
        rows.append(f"| {link} | {method.title} | {method.base} | {models} | {paper} |")
    return "\n".join(rows)


def methods_page(signatures: Mapping[str, Signature]) -> str:
    """``docs/methods.md``: the table, then each method's docstring, parameters and deviations."""
    parts = ["# Merge methods", _GENERATED, methods_table(signatures)]
    for name, method in sorted(all_methods.catalogue().items()):
        parts += [f"## {name}", f"```text\n{all_methods.describe(name).documentation}\n```"]
        parts.append(_parameter_table(method.signature.parameters))
        parts += [
            f"- differs from mergekit: {text}" for text in all_methods.describe(name).deviations
        ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _parameter_table(parameters: Sequence[Parameter]) -> str:
    if not parameters:
        return ""
    rows = ["| parameter | for | kind | default | range | |", "|---|---|---|---|---|---|"]
    for param in parameters:
        default = "required" if param.required else f"`{json.dumps(param.default)}`"
        scope = param.scope.replace("_", " ")
        cells = [f"`{param.name}`", scope, param.kind, default, _range(param), param.description]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _range(param: Parameter) -> str:
    if param.choices:
        return ", ".join(f"`{choice}`" for choice in param.choices)
    if param.kind not in ("float", "int"):
        return ""
    low = "(" if param.minimum_excluded or param.minimum is None else "["
    high = ")" if param.maximum_excluded or param.maximum is None else "]"
    first = "-∞" if param.minimum is None else f"{param.minimum:g}"
    last = "∞" if param.maximum is None else f"{param.maximum:g}"
    return f"{low}{first}, {last}{high}"


def cli_page() -> str:
    """``docs/cli.md``: the help of every command, as the command prints it, and the exit codes."""
    parts = ["# Command line", _GENERATED, "## Exit codes", _EXIT_CODES, exit_code_table()]
    for name, command in commands(cli, "mergebot"):
        context = click.Context(command, info_name=name, max_content_width=80)
        context.terminal_width = 80
        parts.append(f"## {name}\n\n```text\n{command.get_help(context)}\n```")
    return "\n\n".join(parts) + "\n"


def exit_code_table() -> str:
    """Markdown: a row per exit code with what it means, from the classes that carry them."""
    meanings = {
        0: "Done; for `verify`: identical.",
        Answer.ONE_ULP.exit_code: "`verify`: equal within one ulp (other class of machine).",
        Answer.CARD_CHANGED.exit_code: "`verify`: identical, but its card was changed.",
        INTERNAL: "A bug in mergebot; please report it with what was printed.",
    }
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, MergebotError) and "exit_code" in vars(kind):
            meanings[kind.exit_code] = (inspect.getdoc(kind) or "").split("\n")[0]
    del meanings[MergebotError.exit_code]
    rows = [f"| {code} | {meanings[code]} |" for code in sorted(meanings)]
    return "\n".join(["| code | what happened |", "|---:|---|", *rows])


def commands(group: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, each with its whole name."""
    yield name, group
    if isinstance(group, click.Group):
        context = click.Context(group, info_name=name)
        for child in group.list_commands(context):
            command = group.get_command(context, child)
            if command is not None:
                yield from commands(command, f"{name} {child}")


def folder_tree() -> str:
    """The packages' folders, each with the first line of its docstring."""
    lines = []
    for package in PACKAGES:
        for folder in sorted(path.parent for path in (ROOT / package).rglob("__init__.py")):
            parts = folder.relative_to(ROOT).parts
            if len(parts) <= 2:
                label = "  " * (len(parts) - 1) + parts[-1] + "/"
                lines.append(f"{label:<{WIDTH}}{first_line(folder / '__init__.py')}")
    return "\n".join(lines)


def files_page() -> str:
    """``docs/files.md``: every module with the first line of its docstring."""
    lines = ["# Every file", "", _GENERATED, "", "```text"]
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if path.name != "__init__.py" or first_line(path):
                lines.append(f"{name:<44} {first_line(path)}".rstrip())
    return "\n".join([*lines, "```"]) + "\n"


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return re.sub(r"\s+", " ", text.split("\n\n")[0])


_EXIT_CODES = """Any command may also end with 2, 70 or 130. With `--json` a failure is one document
on stdout with the code, the class's name, and every problem."""
_GENERATED = "_Written by `make docs` from the code; change the code, not this page._"


def main(arguments: Sequence[str]) -> int:
    """Write all generated files, or with ``--check`` only compare."""
    stale = [
        path
        for path, text in generated().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    if "--check" in arguments:
        for path in stale:
            click.echo(f"{path.relative_to(ROOT)} is stale: run `make docs`", err=True)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated()[path], "utf-8")
        click.echo(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
