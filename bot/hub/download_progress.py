"""The client's progress bars as events: bytes of a download as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from huggingface_hub.utils.tqdm import tqdm

Tell = Callable[[int], None]


def telling(tell: Tell) -> type[Any]:
    """A bar that draws nothing and tells how much of a file is there.

    Args:
        tell: told the bytes so far, never fewer than before. A resumed transfer begins above 0;
            where the client counts arrived and written bytes apart, the larger number counts.
    """
    furthest = 0

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            quiet = options | {"disable": True}
            super().__init__(*args, **quiet)  # type: ignore[no-untyped-call]  # not typed there
            self.n = options.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            """Count bytes that arrived."""
            nonlocal furthest
            self.n += n or 0
            furthest = max(furthest, int(self.n))
            tell(furthest)

    return Bar
