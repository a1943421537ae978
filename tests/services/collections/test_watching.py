"""The look at the business date outlives what passes, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from services.collections.application.watching import Watching


class Desk:
    """A desk whose database fails in some way at the first new date."""

    def __init__(self, stop: asyncio.Event, state: str) -> None:
        self.stop, self.state, self.seen = stop, state, 0

    async def see(self, on: date) -> None:
        """Fail once."""
        self.seen += 1
        if self.seen == 1:
            orig: Any = SimpleNamespace(sqlstate=self.state)
            raise DBAPIError("UPDATE records", {}, orig)
        self.stop.set()


class Ledger:
    """A ledger with a date."""

    async def GetBusinessDate(self, *_: Any, **__: Any) -> Any:
        """Return it."""
        return SimpleNamespace(on="2026-03-02")


class Orders:
    """No orders."""

    async def carry_out_due(self) -> None:
        """Nothing is due."""


class Relief:
    """No disaster."""

    async def carry_on(self) -> None:
        """Nothing goes on."""


def watching(desk: Desk) -> Watching:
    return Watching(desk, Orders(), Ledger(), Relief())  # type: ignore[arg-type]


async def test_a_transaction_that_gave_way_is_looked_at_again() -> None:
    """Two processes in a deadlock over a new date: one gives way, and works it through later."""
    stop = asyncio.Event()
    desk = Desk(stop, "40P01")

    await asyncio.wait_for(watching(desk).watch(stop), 10)

    assert desk.seen == 2


async def test_a_statement_that_is_wrong_ends_it() -> None:
    """A bug is not looked at again for ever."""
    stop = asyncio.Event()

    with pytest.raises(DBAPIError):
        await asyncio.wait_for(watching(Desk(stop, "42601")).watch(stop), 10)
