"""Work that dies at a chosen await."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any


class Killed(BaseException):
    """The process is gone."""


class Killable:
    """Runs a coroutine until its nth await, and kills it there; 0 lets it live."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int) -> None:
        self.coroutine, self.at, self.awaits = coroutine, at, 0

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self.coroutine.__await__()
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
