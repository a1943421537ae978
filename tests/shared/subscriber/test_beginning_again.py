"""A subscriber that meets another of its name, a new stream, or half a snapshot, begins again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.runtime.database import open_database
from shared.runtime.records import Records
from shared.subscriber import snapshot
from shared.subscriber.inbox import Inbox, PlaceMoved, Read, create_inbox
from shared.subscriber.subscriber import Subscriber


class Silent:
    """A reader that delivers part of what is there, and then nothing."""

    stream = "states"

    def __init__(self, *parts: list[Any]) -> None:
        self.parts = list(parts)

    async def left(self) -> int:
        return 1

    async def batch(self, limit: int, timeout_seconds: float) -> list[Any]:
        return self.parts.pop(0) if self.parts else []

    async def close(self) -> None:
        """Nothing is open."""


class Bus:
    """A stream with a last message, which is not the one that was read."""

    client: Any = None

    async def ensure_streams(self) -> None:
        """They are there."""

    async def last_sequence(self, stream: str) -> int:
        return 3

    async def message_at(self, stream: str, sequence: int) -> tuple[str, bytes]:
        return "another", b""


@pytest.mark.parametrize("parts", [[], [[SimpleNamespace(body=b"", pending=2)]]])
async def test_half_a_snapshot_is_none(monkeypatch: pytest.MonkeyPatch, parts: list[Any]) -> None:
    """States that stop coming before the last one are not taken for all."""
    monkeypatch.setattr(snapshot, "Reader", lambda *_: Silent(*parts))
    with pytest.raises(TimeoutError):
        await snapshot.states(Bus())  # type: ignore[arg-type]


async def test_a_new_stream_is_no_history(tmp_path: Path) -> None:
    """Where the old one's history ended says nothing about its numbers."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/desk.db"))
    await create_inbox(records.engine)
    async with records.work() as unit:
        await Inbox("desk").set_read(unit.connection, Read(9, "mark of the old", 100))

    desk: Subscriber[Any] = Subscriber(Bus(), "desk", records.work, _hear)  # type: ignore[arg-type]
    await desk._begin()

    assert desk.read == Read()
    await records.engine.dispose()


async def test_another_of_the_same_name_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins again from what the faster one stored."""
    stop, begun = asyncio.Event(), []
    desk: Subscriber[Any] = Subscriber(Bus(), "desk", lambda: None, _hear)  # type: ignore[arg-type]

    async def begin(_: Subscriber[Any]) -> None:
        begun.append(1)
        if len(begun) == 2:
            stop.set()
        raise PlaceMoved("faster")

    monkeypatch.setattr(Subscriber, "_begin", begin)
    await asyncio.wait_for(desk.run(stop), 5)
    assert len(begun) == 2


async def _hear(*_: Any) -> None:
    """Hear nothing."""
