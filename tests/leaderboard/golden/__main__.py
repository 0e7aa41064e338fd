from __future__ import annotations

from tests.leaderboard.golden import write

write()
