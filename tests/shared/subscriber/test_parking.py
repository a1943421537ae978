"""What waits outside its lane: failures, forks that show late, texts that no database takes."""

from __future__ import annotations

import pytest

from shared.subscriber.event import read_event
from shared.subscriber.inbox import Inbox
from shared.subscriber.lanes import HandlerFailed
from tests.shared.subscriber.test_lanes import FORGED_C, LOAN, Desk, desk, received, tampered

__all__ = ["desk"]
A, B, C, D, _ = LOAN


async def test_a_failure_takes_the_whole_transaction_back(desk: Desk) -> None:
    """Nothing of it counts as heard; parked, the loan waits until it is driven again."""
    desk.refuses = {"L-1/2"}
    with pytest.raises(HandlerFailed) as failure:
        await desk.take(A, B)
    desk.heard.clear()
    await desk.take(A)
    async with desk.records.work() as unit:
        await desk.lanes.park_failed(unit, failure.value)
    await desk.take(B, C)
    waited = await desk.waiting()
    desk.refuses.clear()
    async with desk.records.work() as unit:
        assert await Inbox("desk").redrive(unit.connection, "L-1") == 2
    async with desk.records.work() as unit:
        await desk.lanes.redrive(unit, "L-1")

    assert waited == [("L-1/2", "POISON"), ("L-1/3", "BEHIND")]
    assert desk.heard == ["L-1/1", "L-1/2", "L-1/3"]
    assert await desk.waiting() == []


async def test_another_body_for_what_is_poison_is_a_rewrite(desk: Desk) -> None:
    """It is neither heard in its place nor passed over, and the first one is driven again."""
    desk.refuses = {"L-1/2"}
    with pytest.raises(HandlerFailed) as failure:
        await desk.take(A, B)
    async with desk.records.work() as unit:
        await desk.lanes.park_failed(unit, failure.value)
    desk.heard.clear()
    desk.refuses.clear()
    await desk.take(A, B, tampered(B))
    waited = await desk.waiting()
    async with desk.records.work() as unit:
        await Inbox("desk").redrive(unit.connection, "L-1")
        await desk.lanes.redrive(unit, "L-1")

    assert waited == [("L-1/2", "POISON"), ("L-1/2", "REWRITTEN")]
    assert desk.heard == ["L-1/1", "L-1/2"]
    assert await desk.waiting() == [("L-1/2", "REWRITTEN")]


async def test_a_fork_among_what_waits_is_counted_once(desk: Desk) -> None:
    """It is a fault when it shows, not each time that something is told."""
    first = await desk.take(A, FORGED_C)
    second = await desk.take(B)
    third = await desk.take(C, D)

    assert first.faults == [("GAP", "L-1/3")]
    assert second.faults == [("FORKED", "L-1/3")]
    assert third.faults == []


UNSTORABLE = ["half a sign \ud800", "a zero \0"]


@pytest.mark.parametrize("text", UNSTORABLE, ids=["surrogate", "zero"])
async def test_a_failure_that_no_database_takes_is_kept(desk: Desk, text: str) -> None:
    """What the handler says of itself must not be what ends the subscriber."""
    failure = HandlerFailed(read_event(received(A)), ValueError(text))
    async with desk.records.work() as unit:
        await desk.lanes.park_failed(unit, failure)
    async with desk.records.work() as unit:
        (row,) = await Inbox("desk").parked(unit.connection)

    assert row.detail.isprintable() and row.detail.startswith("ValueError: ")
