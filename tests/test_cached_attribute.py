"""Attributes worked out once, by threads that do not wait for each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Barrier, Thread

from bot.cached_attribute import cached_attribute


@dataclass(frozen=True)
class Room:
    together: Barrier
    made: list[int] = field(default_factory=list)

    @cached_attribute
    def number(self) -> int:
        """Worked out while another room's is."""
        self.together.wait(timeout=10)
        self.made.append(1)
        return len(self.made)


def test_two_objects_are_asked_at_the_same_time_and_each_once() -> None:
    together = Barrier(2)
    rooms = [Room(together), Room(together)]
    threads = [Thread(target=lambda room=room: room.number) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [room.made for room in rooms] == [[1], [1]]
    assert [room.number for room in rooms] == [1, 1]


def test_the_class_knows_what_it_says() -> None:
    assert Room.number.__doc__ == "Worked out while another room's is."
