"""What a test may set on a running server besides faults."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20


@dataclass(kw_only=True)
class Dials:
    """Sizes are bytes; every value may be changed while the server runs."""

    page_size: int = 1000  # entries per page of tree, commits and lists
    regular_limit: int = 5 * _MIB  # larger files go to LFS whatever their kind
    multipart_over: int = 50 * _MIB  # larger LFS objects are uploaded in parts
    part_size: int = 10 * _MIB
    discard_over: int | None = None  # larger LFS objects are hashed and forgotten
    free_plan: bool = False  # creating Gradio and Docker Spaces answers 402
