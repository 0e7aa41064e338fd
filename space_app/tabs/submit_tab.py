"""The submit tab: a recipe, its check as it is typed, and the link to a pull request."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from bot.errors import MergebotError, Problem
from bot.recipe.method_signature import load_signatures
from bot.recipe.render_problems import render_problem
from leaderboard.number_format import count_of
from leaderboard.render.escape import html
from leaderboard.render.html_parts import code
from space_app.app_context import Context
from space_app.board_pages import address_of
from space_app.submit.github_links import new_file_link
from space_app.submit.live_check import CheckResult, check, file_name
from space_app.submit.recipe_form import EXAMPLE, recipe_yaml

LONGEST_RECIPE = 100_000
"""Characters; the checker refuses recipes of more than 64 KB."""
LONGEST_FIELD = 10_000
FIX_FIRST = "Fix the problems above first."
STORAGE = "mergebot-recipe"
DTYPES = ("bfloat16", "float16", "float32")
LOADED = (
    "mergebot.openLinks(element, (name, data) => trigger('open', data));"
    "mergebot.lineLinks(element);"
)
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class SubmitTab(NamedTuple):
    """The tab's components; ``kept`` is the recipe that the browser stores."""

    result: Any
    recipe: Any
    kept: Any


def stored_recipe(context: Context) -> Any:
    """The recipe that the browser stores; outside the tabs, whose parts load when visited."""
    return gr.BrowserState(EXAMPLE, storage_key=STORAGE, secret=context.settings.salt)


def submit_tab(context: Context, kept: Any) -> SubmitTab:
    """Lay the tab out and wire it."""
    gr.HTML(
        '<div class="mb mb-page mb-short"><h1 tabindex="-1">Submit a recipe</h1>'
        '<p class="mb-lead">Checked as you type, with the messages of'
        " <code>mergebot validate</code>. Whether the parents exist and fit together is checked on"
        " the pull request.</p></div>",
        apply_default_css=False,
    )
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            recipe = gr.Textbox(
                EXAMPLE, label="recipe.yaml", lines=18, max_lines=40, elem_id="recipe-text",
                max_length=LONGEST_RECIPE,
            )  # fmt: skip
            upload = gr.UploadButton("Upload a file", file_types=[".yaml", ".yml"], size="sm")
        with gr.Column(scale=3, min_width=300):
            result = gr.HTML(
                result_html(context, check(EXAMPLE, context.live.current), EXAMPLE),
                elem_id="recipe-check", apply_default_css=False, js_on_load=LOADED,
            )  # fmt: skip
    _form(recipe)
    _hub(context, recipe)
    gr.on(
        [recipe.change], lambda text: checked(context, text), recipe, [result, kept],
        trigger_mode="always_last", **QUIET,
    )  # fmt: skip
    upload.upload(read_upload, upload, recipe, **QUIET)
    return SubmitTab(result, recipe, kept)


def checked(context: Context, text: str) -> tuple[str, str]:
    """The check of a text, and the text for the browser to store."""
    return result_html(context, check(text, context.live.current), text), text[:LONGEST_RECIPE]


def read_upload(path: str) -> str:
    """An uploaded file's text; bytes that are no UTF-8 are shown as replacement characters."""
    with open(path, "rb") as stream:  # noqa: PTH123 - Gradio hands a temporary file's name
        return stream.read(LONGEST_RECIPE + 1).decode("utf-8", "replace")


def result_html(context: Context, found: CheckResult, text: str) -> str:
    """Problems with links to their lines, or what the recipe is and where to send it."""
    if found.recipe is None:
        body = (
            f"<h2>{count_of(len(found.problems), 'problem')}</h2>"
            + "".join(map(problem_html, found.problems))
            + _send(None, FIX_FIRST)
        )
    else:
        body = _accepted(found) + _sending(context, found, text)
    return f'<div class="mb mb-page" role="status" aria-live="polite">{body}</div>'


def problem_html(problem: Problem) -> str:
    """One problem in the command line's words; its line is a link into the text."""
    jump = (
        f' <a href="#recipe-text" data-line="{problem.line}">Go to line {problem.line}</a>'
        if problem.line
        else ""
    )
    return f'<div class="mb-problem">{code(render_problem(problem))}{jump}</div>'


def _accepted(found: CheckResult) -> str:
    recipe = found.recipe
    assert recipe is not None  # noqa: S101 - asked only where there is one
    parents = ", ".join(str(reference) for reference in recipe.references())
    lines = [
        '<h2 class="mb-better">✔ The recipe is valid</h2>',
        f"<p>{html(recipe.merge_method)} of {html(parents)}</p>",
        '<p class="mb-muted">Not checked here: that the parents exist and fit together.</p>',
    ]
    for row in found.known:
        link = f'<a href="{address_of(row)}">{html(row.name)}</a>'
        lines.append(f'<p class="mb-warn">⚠ This recipe has been run before: {link}</p>')
    if not found.known:
        lines.append(
            f'<p class="mb-muted">New to this board ({html((found.hash or "")[:12])}).</p>'
        )
    return "".join(lines)


def _sending(context: Context, found: CheckResult, text: str) -> str:
    if found.known:
        return _send(None, "The board has this recipe's result already.")
    repository = context.settings.recipes
    if not repository:
        return _send(None, "This board takes recipes from its own folder: no repository is set.")
    link = new_file_link(repository, file_name(found), text)
    if link is None:
        return _send(None, f"Too long for a link: put it into {file_name(found)} of {repository}.")
    return _send(link, f"Opens {repository} on GitHub with the recipe filled in.")


def _send(link: str | None, words: str) -> str:
    """The button, or a disabled one with its reason."""
    if link is None:
        button = '<button type="button" class="mb-button" disabled>Open pull request</button>'
    else:
        button = (
            f'<a class="mb-button" target="_blank" rel="noopener" href="{html(link)}">'
            "Open pull request</a>"
        )
    return f'<p>{button}</p><p class="mb-muted">{html(words)}</p>'


def from_form(name: object, method: object, base: object, models: object, dtype: object) -> str:
    """The YAML of the form's fields; each is a text of bounded length."""
    fields = [
        value[:LONGEST_FIELD] if isinstance(value, str) else ""
        for value in (name, method, base, models, dtype)
    ]
    return recipe_yaml(
        name=fields[0], method=fields[1], base=fields[2], models=fields[3], dtype=fields[4]
    )


def _form(recipe: Any) -> None:
    with gr.Accordion("Build it with a form", open=False):
        with gr.Row():
            name = gr.Textbox(label="Name", value="my-merge")
            method = gr.Dropdown(list(load_signatures()), value="task_arithmetic", label="Method")
            dtype = gr.Dropdown(list(DTYPES), value="bfloat16", label="Type of numbers")
        base = gr.Textbox(label="Base model (where the method wants one)")
        models = gr.Textbox(label="Models, one a line: name and weight", lines=4)
        fields = [name, method, base, models, dtype]
        gr.Button("Write the recipe", elem_id="recipe-write").click(
            from_form,
            fields, recipe, **QUIET,
        )  # fmt: skip


def _hub(context: Context, recipe: Any) -> None:
    """The Hub's own pull request, where the operator keeps recipes there and people can sign in."""
    requests = context.requests
    if requests is None:
        return

    def sent(text: str, token: gr.OAuthToken | None) -> str:
        found = check(text, context.live.current)
        if found.hash is None:
            return _note(FIX_FIRST)
        if token is None:
            return _note("Sign in to submit; the recipe stays in the box.")
        try:
            address = requests.open(
                path=file_name(found), text=text, digest=found.hash, token=token.token
            )
        except MergebotError as refused:
            return _note(f"{refused.message}. {refused.hint or ''}")
        link = f'<a href="{html(address)}" rel="noopener">{html(address)}</a>'
        return f'<p class="mb" role="status">Pull request: {link}</p>'

    with gr.Row():
        if context.settings.login:
            gr.LoginButton()
        button = gr.Button("Open pull request on the Hub", elem_id="hub-request")
    button.click(sent, recipe, gr.HTML(elem_id="hub-result", apply_default_css=False), **QUIET)


def _note(words: str) -> str:
    return f'<p class="mb" role="status">{html(words)}</p>'
