"""Which chat template a model's prompts are put into.

Each model uses its own template, or all models use one named template. A model without a template
of its own gets the plain prompt, or is refused, as the suite says.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from bot.errors import UsageError
from bot.evaluation.suite_catalog import Suite
from bot.recipe.problems import nearest

PACKAGED = Path(__file__).with_name("templates")
OWN, NONE = "own", "none"
_LARGEST = 256 << 10


def template_names() -> tuple[str, ...]:
    """The names of the templates that come with mergebot, sorted."""
    return tuple(sorted(path.stem for path in PACKAGED.glob("*.jinja")))


def read_template(name: str) -> str:
    """The text of a named template: one that comes with mergebot, or a ``.jinja`` file.

    Raises:
        UsageError: there is no such template, or the file cannot be read.
    """
    path = Path(name).expanduser() if name.endswith(".jinja") else PACKAGED / f"{name}.jinja"
    if not name.endswith(".jinja") and name not in template_names():
        known = (OWN, NONE, *template_names())
        raise UsageError(
            f"there is no chat template named {name!r}",
            hint=nearest(name, known, noun="templates") + "; or give a .jinja file",
        )
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UsageError(f"{path} is larger than a chat template can be")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the chat template {path} cannot be read: {error}") from error


def with_chat_template(suite: Suite, choice: str) -> Suite:
    """The variant of a suite in which prompts are put into a chat template.

    It has a digest and a version of its own: scores with other templates are not comparable.

    Args:
        suite: the suite.
        choice: "own" for each model's own template, "none" for plain prompts, or one template for
            all models: a packaged one's name, or a ``.jinja`` file.

    Raises:
        UsageError: there is no such template, or it cannot be read.
    """
    text = None if choice in (OWN, NONE) else read_template(choice)
    change = {"apply_chat_template": choice != NONE, "chat_template": text}
    if all(getattr(suite.data, key) == value for key, value in change.items()):
        return suite
    label = "no-template" if choice == NONE else f"{Path(choice).stem}-template"
    version = {"version": f"{suite.data.version}+{label}"}
    return replace(suite, data=suite.data.model_copy(update={**change, **version}))


def with_same_template(suite: Suite, other: Suite) -> Suite:
    """The suite with the chat template of another one, such as the suite whose split it is."""
    names = ("apply_chat_template", "chat_template", "without_template")
    change = {name: getattr(other.data, name) for name in names}
    return replace(suite, data=suite.data.model_copy(update=change))


def template_digest(text: str | None) -> str | None:
    """sha256 of a template's text as 64 hex digits, None for plain prompts."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
