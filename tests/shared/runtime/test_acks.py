"""Acknowledgements of a real NATS: each to whom it belongs, and none waited for in vain."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import pytest

from shared.runtime.bus import (
    Bus,
    BusDown,
    Draft,
    Fence,
    NeverStored,
    SequenceMoved,
    Stored,
)
from shared.runtime.nats_server import start_nats
from tests.system.processes import free_port

SUBJECT = "lending.v1.risk.tried.R-1"


async def test_each_message_gets_its_own_answer(tmp_path: Path) -> None:
    """A thousand at once, the same again, a fence that does not hold, no stream, too large."""
    port = free_port()
    nats = start_nats(tmp_path, port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "acks")
    await bus.ensure_streams()

    subjects = [f"lending.v1.risk.tried.R-{n}" for n in range(1_000)]
    stored = await asyncio.gather(*(bus.publish(one, b"x", one, {}) for one in subjects))
    again = await bus.publish(SUBJECT, b"x", SUBJECT, {})
    found = [await bus.message_at("LENDING", one.sequence) for one in stored[::100]]
    began = monotonic()
    with pytest.raises(SequenceMoved):
        await bus.publish(SUBJECT, b"y", "", {}, Fence(SUBJECT, 9_999))
    with pytest.raises(BusDown, match="no stream"):
        await bus.publish("nobody.hears", b"x", "", {})
    with pytest.raises(NeverStored):
        await bus.publish(SUBJECT, b"x" * 2_000_000, "", {})

    assert sorted(one.sequence for one in stored) == list(range(1, 1_001))
    assert [one[0] for one in found if one] == subjects[::100]
    assert again == (stored[1].sequence, True)
    assert monotonic() - began < 3 and not bus.acks.waiting
    await bus.close()
    nats.kill()
    nats.wait()


async def test_a_broker_that_comes_back_answers_again(tmp_path: Path) -> None:
    """Away, it is said; back, the same connection stores the next message."""
    port = free_port()
    nats = start_nats(tmp_path, port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "acks")
    await bus.ensure_streams()
    first = await bus.publish(SUBJECT, b"1", "", {})
    nats.kill()
    nats.wait()

    with pytest.raises(BusDown):
        await bus.publish(SUBJECT, b"2", "m-2", {})
    nats = start_nats(tmp_path, port)
    while not bus.client.is_connected:
        await asyncio.sleep(0.05)
    second = await bus.publish(SUBJECT, b"2", "m-2", {})

    assert second.sequence == first.sequence + 1 and not bus.acks.waiting
    await bus.close()
    nats.kill()
    nats.wait()


async def test_one_that_is_refused_does_not_keep_the_next(tmp_path: Path) -> None:
    """Three by one write: a fence does not hold, and a line break in a value makes no header."""
    port = free_port()
    nats = start_nats(tmp_path, port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "acks")
    await bus.ensure_streams()

    outcomes = await bus.publish_all(
        [
            Draft(SUBJECT, b"1", "", {"ce-subject": "R\r\nNats-Msg-Id: forged"}, Fence(SUBJECT, 0)),
            Draft(SUBJECT, b"2", "", {}, Fence(SUBJECT, 9)),
            Draft(SUBJECT, b"3", "", {}, Fence(SUBJECT, 1)),
        ]
    )
    stored = await bus.client.jsm().get_msg("LENDING", 1)

    assert [type(one) for one in outcomes] == [Stored, SequenceMoved, Stored]
    assert outcomes[2] == (2, False)
    assert stored.headers is not None and "Nats-Msg-Id" not in stored.headers
    assert stored.headers["ce-subject"] == "R Nats-Msg-Id: forged"
    await bus.close()
    nats.kill()
    nats.wait()
