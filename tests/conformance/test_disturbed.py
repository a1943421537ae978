"""A subscriber on a real NATS that others disturb: streams replaced, stops, late faults."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest
from sqlalchemy import text

from shared.runtime.reading import SILENT_SECONDS_MAX, Reader
from shared.runtime.records import Work
from shared.runtime.streams import STREAM, configs
from shared.runtime.telemetry import configure_logging
from shared.subscriber.event import Event
from shared.subscriber.replay import HistoryBroken, Past
from shared.subscriber.subscriber import Subscriber
from tests.conformance.messages import chained, event, publish
from tests.conformance.test_beginning import Desk, desk
from tests.conformance.test_past import replayed
from tests.waiting import timed

__all__ = ["desk"]


async def test_a_stream_replaced_under_an_open_connection_is_read_again(desk: Desk) -> None:
    """Somebody restores a stream while NATS runs: no connection breaks, nothing is missed."""
    first, other, second = chained(
        event(loan, "CURED", f"2026-02-0{day}") for day, loan in enumerate(("L-1", "L-2", "L-1"), 1)
    )
    await publish(desk.bus, [first])
    async with desk.following():
        await desk.until("L-1/1")
        manager = desk.bus.client.jsm()
        await manager.delete_stream(STREAM)
        await manager.add_stream(configs()[0])
        await publish(desk.bus, [other, first, second])
        await desk.until("L-1/1", "L-2/1", "L-1/2")

    assert await desk.parked() == []


async def test_told_to_stop_while_nats_is_away_it_stops(desk: Desk) -> None:
    """A service that is shut down during an outage need not be killed."""
    stop = asyncio.Event()
    made = Subscriber(desk.bus, "desk", desk.records.work, desk.hear)
    following = asyncio.create_task(made.run(stop))
    await asyncio.sleep(0.5)
    desk.nats.kill()
    desk.nats.wait()
    await asyncio.sleep(3)
    stop.set()

    async with timed() as took:
        await asyncio.wait({following}, timeout=60)
        seconds = took.seconds
    await desk.wipe()

    assert following.done() and seconds < 2


TABLES = (
    "CREATE TABLE plan (id TEXT PRIMARY KEY)",
    "CREATE TABLE step (plan TEXT REFERENCES plan(id) DEFERRABLE INITIALLY DEFERRED)",
)


async def test_what_fails_only_at_the_commit_is_put_aside(desk: Desk) -> None:
    """A write that the database refuses at the end harms its own loan, and no other."""
    configure_logging("test", "CRITICAL")
    async with desk.records.engine.begin() as connection:
        for table in TABLES:
            await connection.execute(text(table))

    async def hear(one: Event, unit: Work) -> None:
        if one.loan_id == "L-1":
            await unit.connection.execute(text("INSERT INTO step VALUES ('nowhere')"))
        desk.heard.append((one.id, one.replay))

    await publish(desk.bus, chained(event(f"L-{n}", "CURED") for n in (0, 1, 2)))
    made = Subscriber(desk.bus, "desk", desk.records.work, hear)
    following = asyncio.create_task(made.run(asyncio.Event()))
    until = monotonic() + 60
    while not (found := await desk.parked()) and monotonic() < until:
        await asyncio.sleep(0.1)
    while made.read.sequence < 3 and monotonic() < until:
        await asyncio.sleep(0.1)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert found == ["L-1/1 POISON"]
    assert made.read.sequence == 3
    assert desk.heard[-1] == ("L-2/1", False)


async def test_what_waited_and_fails_at_the_commit_puts_itself_aside(desk: Desk) -> None:
    """Not the event that was missing, in whose transaction it was told: that one is heard."""
    configure_logging("test", "CRITICAL")
    async with desk.records.engine.begin() as connection:
        for table in TABLES:
            await connection.execute(text(table))

    async def hear(one: Event, unit: Work) -> None:
        if one.id == "L-1/3":
            await unit.connection.execute(text("INSERT INTO step VALUES ('nowhere')"))
        await unit.connection.execute(text(f"INSERT INTO plan VALUES ('{one.id}')"))

    first, second, third, fourth = chained(
        event("L-1", "CURED", f"2026-02-0{day}") for day in range(1, 5)
    )
    await publish(desk.bus, [first, third, fourth, second])
    made = Subscriber(desk.bus, "desk", desk.records.work, hear)
    following = asyncio.create_task(made.run(asyncio.Event()))
    until = monotonic() + 60
    while "POISON" not in str(found := await desk.parked()) and monotonic() < until:
        await asyncio.sleep(0.1)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    async with desk.records.engine.connect() as connection:
        rows = await connection.execute(text("SELECT id FROM plan ORDER BY id"))
        heard = [name for (name,) in rows]

    assert found == ["L-1/3 POISON", "L-1/4 BEHIND"]
    assert heard == ["L-1/1", "L-1/2"]


async def test_a_slow_handler_makes_no_new_consumers(desk: Desk) -> None:
    """What was delivered meanwhile is waiting: the server is not silent, we were busy."""
    await publish(desk.bus, chained(event("L-1", "CURED") for _ in range(6)))
    reader, numbers = Reader(desk.bus.client, STREAM, ["lending.v1.delinquency.>"]), []
    for _ in range(3):
        wanted = len(numbers) + 2
        while len(numbers) < wanted:
            numbers += [o.sequence for o in await reader.batch(wanted - len(numbers), 60.0)]
        await asyncio.sleep(SILENT_SECONDS_MAX + 0.5)

    assert numbers == [1, 2, 3, 4, 5, 6]
    assert reader.opened == 1
    await reader.close()


async def test_a_past_without_its_beginning_is_refused(desk: Desk) -> None:
    """The whole past of a loan begins with its first event; a part may begin anywhere."""
    lane = chained(event("L-1", "CURED", f"2026-02-0{day}") for day in range(1, 5))
    await publish(desk.bus, lane[1:])

    with pytest.raises(HistoryBroken, match="L-1/2: GAP"):
        await replayed(desk, Past())
    assert await replayed(desk, Past(start=2)) == ["L-1/3", "L-1/4"]
