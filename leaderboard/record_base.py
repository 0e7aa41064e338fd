"""The one form every part of a record has: frozen, strict, no unknown keys, no NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Self, TypeVar, get_args

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

T = TypeVar("T")

NAMELESS = "(no name)"
"""Stands where a text is empty that may not be."""

Many = Annotated[tuple[T, ...], Field(strict=False)]
"""Any sequence when built, a tuple when read; its items stay strict."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Delta = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]
Short = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(max_length=20_000)]
Message = Annotated[
    str, Field(max_length=20_000), BeforeValidator(lambda said: _fit(said, 0, 20_000))
]
"""A text that is cut where it is too long, whoever makes it: what a model or a person said."""
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:@/+-]{1,200}$")]
FileKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$")]
"""A key that is also a safe file name."""
Instant = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
"""A moment in UTC, to the second: ``2026-11-22T09:14:00Z``."""


class RecordModel(BaseModel):
    """Base of all parts of a record."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True
    )

    @classmethod
    def fitted(cls, **values: Any) -> Self:
        """The part with every text made to fit: cut with "…" where it is too long.

        Names, filters and messages come from recipes and checkpoints, and a run must not fail at
        its end because one of them is long. What is read back from a file is never changed.
        """
        limits = _limits(cls)
        return cls(
            **{name: _fit(value, *limits.get(name, (0, 0))) for name, value in values.items()}
        )


@cache
def _limits(kind: type[RecordModel]) -> Mapping[str, tuple[int, int]]:
    """Least and greatest length of the texts in each field that has a greatest one."""
    found = {}
    for name, field in kind.model_fields.items():
        limit = _limit(field.annotation, field.metadata)
        if limit is not None:
            found[name] = limit
    return found


def _limit(annotation: Any, metadata: Sequence[Any]) -> tuple[int, int] | None:
    longest = next((one.max_length for one in metadata if isinstance(one, MaxLen)), None)
    if longest is not None:
        least = next((one.min_length for one in metadata if isinstance(one, MinLen)), 0)
        return least, longest
    inner = getattr(annotation, "__metadata__", ())
    below = [one for field in inner if isinstance(field, FieldInfo) for one in field.metadata]
    if below:
        return _limit(None, below)
    found = (_limit(argument, ()) for argument in get_args(annotation))
    return next((limit for limit in found if limit is not None), None)


def _fit(value: Any, least: int, longest: int) -> Any:
    if not longest:
        return value
    if isinstance(value, tuple | list):
        return tuple(_fit(item, least, longest) for item in value)
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be written
    if len(text) < least:
        return NAMELESS
    return text if len(text) <= longest else text[: longest - 1] + "…"
