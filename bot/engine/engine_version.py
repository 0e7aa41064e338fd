"""The engine's semantics as a number; part of every merge key."""

from __future__ import annotations

ENGINE_VERSION = "4"
"""Raised whenever the same recipe over the same parents would give other bytes."""
