"""A stream that would lose messages gets none: by its settings, or by how its server writes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import StorageType, StreamConfig

from services.ledger.adapters.relay import StreamSafety
from shared.runtime.bus import Bus
from shared.runtime.nats_server import start_nats
from shared.runtime.streams import STREAM, StreamUnsafe, configs, faults_of, require_safe
from tests.conformance.books import make_book, read_all
from tests.conformance.test_relay import Post, post, stop
from tests.system.processes import free_port
from tests.waiting import until

__all__ = ["post"]
EVENTS = configs()[0]
UNSAFE = [
    # what is set                              | what is said
    ({"max_age": 3600.0}, "max_age is 3600.0"),
    ({"max_msgs": 1000}, "max_msgs is 1000"),
    ({"max_bytes": 10_000}, "max_bytes is 10000"),
    ({"max_msgs_per_subject": 1}, "max_msgs_per_subject is 1"),
    ({"storage": StorageType.MEMORY}, "storage is memory"),
    ({"retention": "interest"}, "retention is not by limits"),
    ({"no_ack": True}, "no_ack is set"),
    ({"subjects": ["lending.v1.risk.>"]}, "subject lending.v1.delinquency.> is not in it"),
]


@pytest.mark.parametrize(("setting", "said"), UNSAFE, ids=[said for _, said in UNSAFE])
def test_settings_that_lose_messages_are_named(setting: dict[str, Any], said: str) -> None:
    """Whatever the profile, limits, memory and other retention are refused."""
    assert any(said in fault for fault in faults_of(EVENTS.evolve(**setting)))
    assert faults_of(EVENTS) == []


async def test_an_unsafe_stream_gets_nothing(tmp_path: Path) -> None:
    """In production one server that syncs every two minutes is refused; syncing always will do."""
    port, monitor = free_port(), free_port()
    await make_book(tmp_path, 1)
    for always, published in ((False, False), (True, True)):
        nats = start_nats(tmp_path / f"nats-{always}", port, monitor, sync_always=always)
        bus = await Bus.connect(f"nats://127.0.0.1:{port}", "test")
        safety = StreamSafety(production=True, monitor_url=f"http://127.0.0.1:{monitor}")
        _, task = await Post(tmp_path, port, nats, bus).relay(f"t-{always}", safety=safety)
        await bus.ensure_streams()
        await asyncio.sleep(0.0 if published else 1.0)

        async def is_there(bus: Bus = bus) -> bool:
            return bool(await read_all(bus))

        assert await (until(is_there) if published else is_there()) == published
        await stop(task)
        await bus.close()
        nats.kill()
        nats.wait()


def test_without_a_monitor_one_server_is_not_trusted() -> None:
    """Three replicas are safe; one, of which nobody knows how it syncs, is not."""
    require_safe(EVENTS.evolve(num_replicas=3), "", production=True)

    with pytest.raises(StreamUnsafe, match="no monitor address"):
        require_safe(EVENTS, "", production=True)
    require_safe(EVENTS, "", production=False)


async def test_a_stream_limited_by_somebody_gets_nothing(post: Post) -> None:
    """Somebody made the stream first, with a limit of age: nothing is published into it."""
    await post.bus.client.jsm().delete_stream(STREAM)
    made = StreamConfig(name=STREAM, subjects=EVENTS.subjects, max_age=3600)
    await post.bus.client.jsm().add_stream(made)

    _, task = await post.relay("one")
    await asyncio.sleep(1.0)

    assert await read_all(post.bus) == []
    await stop(task)
