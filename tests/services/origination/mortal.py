"""Work that dies at a chosen await."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from shared.runtime import records

LIVES: list[object] = []
GOES_ON = records.to_its_end
"""What a caller who hangs up leaves behind goes on; what a process that dies does goes with it."""


class Killed(BaseException):
    """The process is gone."""


async def _dies_with_it(work: Coroutine[Any, Any, Any]) -> Any:
    return await work


@contextmanager
def _a_life() -> Iterator[None]:
    """Nothing outlives the process while it lives, nor while another one does."""
    life = object()
    LIVES.append(life)
    records.to_its_end = _dies_with_it
    try:
        yield
    finally:
        LIVES.remove(life)
        records.to_its_end = _dies_with_it if LIVES else GOES_ON


class Killable:
    """Runs a coroutine until its nth await, and kills it there; 0 lets it live."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int) -> None:
        self.coroutine, self.at, self.awaits = coroutine, at, 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.coroutine.__await__()
        with _a_life():
            try:
                waits_for = inner.send(None)
                while True:
                    self.awaits += 1
                    if self.awaits == self.at:
                        waits_for = inner.throw(Killed())
                        continue
                    yield waits_for
                    waits_for = inner.send(None)
            except StopIteration as done:
                return done.value
