"""What was used last, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Bounded(Generic[V]):
    """
    Values by name; when they are too many bytes, those used longest ago go first.

    Safe from several threads. The value put last stays, however large it is.

    Args:
        bytes_max: What all values together may be.
        size_of: The bytes of one value, about; asked once, when it is put.
    """

    def __init__(self, bytes_max: int, size_of: Callable[[V], int]) -> None:
        self.bytes_max, self.size_of = bytes_max, size_of
        self.bytes = 0
        self._held: OrderedDict[str, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> V | None:
        """Return a value, and count it as used; None when it is not there."""
        with self._lock:
            held = self._held.get(name)
            if held is None:
                return None
            self._held.move_to_end(name)
            return held[0]

    def put(self, name: str, value: V) -> None:
        """Hold a value in place of the one before; let go of others where it gets too much."""
        size = self.size_of(value)
        with self._lock:
            before = self._held.pop(name, None)
            self.bytes += size - (before[1] if before else 0)
            self._held[name] = (value, size)
            while self.bytes > self.bytes_max and len(self._held) > 1:
                self.bytes -= self._held.popitem(last=False)[1][1]

    def drop(self, name: str) -> V | None:
        """Let go of a value, and return it."""
        with self._lock:
            held = self._held.pop(name, None)
            if held is None:
                return None
            self.bytes -= held[1]
            return held[0]

    def clear(self) -> None:
        """Let go of all values."""
        with self._lock:
            self._held.clear()
            self.bytes = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._held)

    def __contains__(self, name: str) -> bool:
        """Say whether a value is there, without counting it as used."""
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        """Go through the names, the one used longest ago first."""
        return iter(list(self._held))
