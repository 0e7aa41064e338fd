"""Which chat template a model's prompts are put into.

Each model uses its own template, or all models use one named template. A model without a template
of its own gets the plain prompt, or is refused, as the suite says.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bot.errors import EvaluationError, UsageError
from bot.evaluation.evaluation_settings import Settings
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


def template_for(name: str, own: str | None, settings: Settings) -> str | None:
    """The text of the template for a model's prompts, None for plain prompts.

    Args:
        name: the model's name, for messages.
        own: the model's own template.
        settings: of the evaluation.

    Raises:
        EvaluationError: the model has no template, and the suite does not allow plain prompts.
    """
    if not settings.apply_chat_template:
        return None
    text = settings.chat_template or own
    if text is None and settings.without_template == "refuse":
        raise EvaluationError(
            f"{name} has no chat template, and this suite applies one",
            hint="choose one template for all models with --chat-template, or a suite without",
        )
    return text


def template_digest(text: str | None) -> str | None:
    """sha256 of a template's text as 64 hex digits, None for plain prompts."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
