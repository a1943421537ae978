"""`validate_only`: every step within is taken, answered, and taken back (AIP-163)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from shared.runtime.records import Records, Work

T = TypeVar("T")
Act = Callable[[Work], Awaitable[T]]
_TRYING: ContextVar[bool] = ContextVar("origination_trying", default=False)


class _Tried(Exception):
    """Takes back the transaction that it leaves; carries what was done in it."""

    def __init__(self, done: Any) -> None:
        super().__init__()
        self.done = done


@contextmanager
def trying(only: bool) -> Iterator[None]:
    """Take every step within back after it was taken, if asked."""
    before = _TRYING.set(only or is_trial())
    try:
        yield
    finally:
        _TRYING.reset(before)


def is_trial() -> bool:
    """Say whether what is done now is taken back, and others are to be asked so too."""
    return _TRYING.get()


async def tried(records: Records, act: Act[T]) -> T:
    """Do something in a transaction, take it back, and return what it answered."""
    try:
        async with records.work() as work:
            raise _Tried(await act(work))
    except _Tried as taken_back:
        done: T = taken_back.done
        return done
