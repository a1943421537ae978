"""What happened so far, in order: grown by one at a time, shared by all who saw a part of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Trail(Sequence[T], Generic[T]):
    """
    An immutable sequence whose successors share its list, so that growing it costs the same
    however long it is.

    Two trails that part ways no longer share: the second to grow takes a copy. Safe from several
    threads, since an item belongs to the trail that finds it at its place.
    """

    __slots__ = ("_items", "_size")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)
        self._size = len(self._items)

    @staticmethod
    def _seen(items: list[T], size: int) -> Trail[T]:
        seen: Trail[T] = Trail.__new__(Trail)
        seen._items, seen._size = items, size
        return seen

    def grown(self, item: T) -> Trail[T]:
        """Return this trail with one more item at its end."""
        items, size = self._items, self._size
        if len(items) == size:
            items.append(item)
        if items[size] is item or items[size] == item:
            return self._seen(items, size + 1)
        return self._seen([*items[:size], item], size + 1)

    def grown_by(self, more: list[T]) -> Trail[T]:
        """Return this trail with more items at its end, oldest first."""
        items, size, until = self._items, self._size, self._size + len(more)
        there = len(items) - size
        if there < len(more) and items[size:] == more[:there]:
            items.extend(more[there:])
        # Another thread may have been first: whose items are not there takes a copy.
        if items[size:until] == more:
            return self._seen(items, until)
        return self._seen([*items[:size], *more], until)

    def first(self, size: int) -> Trail[T]:
        """Return the trail of the first items, at most as many as there are."""
        return self if size >= self._size else self._seen(self._items, size)

    def begins_with(self, other: Trail[T]) -> bool:
        """Say whether another trail is the beginning of this one."""
        if other._size > self._size:
            return False
        if self.shares(other):
            return True
        return self._items[: other._size] == other._items[: other._size]

    def is_same(self, other: Trail[T]) -> bool:
        """Say whether another trail is this one, or was grown by the same items from the same."""
        return self._items is other._items and self._size == other._size

    def shares(self, other: Trail[T]) -> bool:
        """Say whether one of two trails was grown from the other: it then begins with it."""
        return self._items is other._items

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        """Return one item, or a list of some."""
        if isinstance(index, slice):
            return self._items[: self._size][index] if index.step else self._part(index)
        if not -self._size <= index < self._size:
            raise IndexError(index)
        return self._items[index if index >= 0 else self._size + index]

    def _part(self, index: slice) -> list[T]:
        start, stop, _ = index.indices(self._size)
        return self._items[start:stop]

    def __len__(self) -> int:
        """Return how many there are."""
        return self._size

    def __iter__(self) -> Iterator[T]:
        """Go through them, oldest first."""
        return islice(self._items, self._size)

    def __reversed__(self) -> Iterator[T]:
        """Go through them, newest first."""
        return (self._items[k] for k in range(self._size - 1, -1, -1))

    def __eq__(self, other: object) -> bool:
        """Compare item by item, where the list is not the same."""
        if not isinstance(other, Trail):
            return NotImplemented
        return self._size == other._size and self.begins_with(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Show the items."""
        return f"Trail({list(self)!r})"
