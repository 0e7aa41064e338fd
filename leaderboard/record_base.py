"""The one form every part of a record has: frozen, strict, no unknown keys, no NaN."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

Many = Annotated[tuple[T, ...], Field(strict=False)]
"""Any sequence when built, a tuple when read; its items stay strict."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Delta = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]
Short = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(max_length=20_000)]
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
