"""The relay against a real NATS: killed, twice at once, and with a stream that lost messages."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels, Told
from services.ledger.adapters.relay import Relay
from services.ledger.application.following import Follower
from shared.runtime.bus import Bus, Fence, SequenceMoved
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.subscriber.chain import Verdict, judge
from tests.conformance.books import ENDS_ON, by_loan, differences, make_book, more_loans, read_all
from tests.conformance.messages import chained, event, publish
from tests.conformance.relay_kills import complete, kill_at
from tests.conformance.relay_process import POINTS
from tests.services.ledger.book import open_book
from tests.services.ledger.domain.desk import TERMS
from tests.system.processes import free_port
from tests.waiting import until

LOANS = 5


@dataclass
class Post:
    """A book, a NATS and relays between them."""

    folder: Path
    port: int
    nats: Any
    bus: Bus

    @property
    def database(self) -> Path:
        return self.folder / "ledger.db"

    async def relay(
        self, tables: str, make: type[ReadModels] = ReadModels, **more: Any
    ) -> tuple[Relay, asyncio.Task[None]]:
        """Start a relay with tables of its own."""
        store = open_event_store(f"sqlite+aiosqlite:///{self.database}")
        models = make(open_database(f"sqlite+aiosqlite:///{self.folder}/{tables}.db"))
        await models.create()
        relay = Relay(Follower(store, decode), models, f"nats://127.0.0.1:{self.port}", **more)
        return relay, asyncio.create_task(relay.run(asyncio.Event()))

    async def saved(self, tables: ReadModels) -> None:
        """Wait until a relay has stored that it told all of the log."""
        store = open_event_store(f"sqlite+aiosqlite:///{self.database}")
        last = store.last_position()
        store.close()

        async def is_saved() -> bool:
            return await tables.position("relay") >= last

        assert await until(is_saved)

    def restart_nats(self, wiped: bool = False, from_copy: Path | None = None) -> None:
        """kill -9 the server; start it again as it was, empty, or as it was in a copy."""
        self.nats.kill()
        self.nats.wait()
        if wiped or from_copy:
            shutil.rmtree(self.folder / "nats")
        if from_copy:
            shutil.copytree(from_copy, self.folder / "nats")
        self.nats = start_nats(self.folder / "nats", self.port)


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    await make_book(tmp_path, LOANS)
    port = free_port()
    nats = start_nats(tmp_path / "nats", port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "test")
    await bus.ensure_streams()
    found = Post(tmp_path, port, nats, bus)
    yield found
    await bus.close()
    found.nats.kill()
    found.nats.wait()


async def stop(*tasks: asyncio.Task[None]) -> None:
    """Stop tasks: again, where a wait that ended just then swallowed it (asyncio before 3.12)."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_killed_once_at_each_point(tmp_path: Path) -> None:
    """kill -9 before and after a state, an event, the position: the stream is as the log tells."""
    found = await kill_at(tmp_path, list(POINTS), seed=7)

    assert (found.kills, found.wrong) == (len(POINTS), [])


async def test_two_relays_at_once(post: Post) -> None:
    """Neither doubles nor forks what the other publishes, though neither knows of the other."""
    tasks = [(await post.relay(name))[1] for name in ("one", "two", "three")]

    assert await complete(post.bus, post.database) == []
    await asyncio.sleep(0.5)
    assert await differences(post.bus, post.database) == []
    await stop(*tasks)


async def test_a_loan_of_which_nothing_was_told_lacks_nothing(post: Post) -> None:
    """A loan just paid out has no event and no state: the stream is as whole as it was."""
    async with open_book(post.folder) as book:
        await book.lend("L-new", replace(TERMS, first_due_on=ENDS_ON + timedelta(days=30)))
    relay, task = await post.relay("one")
    await complete(post.bus, post.database)
    await post.saved(relay.tables)
    loans, _, _ = await relay.tables.told_last()
    told = await relay.tables.told(["L-1", "L-new"])
    await stop(task)

    assert (loans, list(told)) == (LOANS, ["L-1"])
    assert await relay._lacks(post.bus) == ""


async def test_a_wiped_stream_is_rebuilt(post: Post) -> None:
    """The relay notices that what it published is gone, and publishes the log again."""
    _, task = await post.relay("one")
    assert await complete(post.bus, post.database) == []
    before = len(await read_all(post.bus))
    await stop(task)

    post.restart_nats(wiped=True)
    await post.bus.ensure_streams()
    _, task = await post.relay("one")

    assert await complete(post.bus, post.database) == []
    assert len(await read_all(post.bus)) == before
    await stop(task)


async def test_who_begins_again_forgets_what_was_told(post: Post) -> None:
    """Position and numbers go together: cut short, the next relay does not count on old numbers."""
    relay, task = await post.relay("one")
    assert await complete(post.bus, post.database) == []
    await post.saved(relay.tables)
    await stop(task)
    post.restart_nats(wiped=True)
    bus = await Bus.connect(f"nats://127.0.0.1:{post.port}", "again")
    await bus.ensure_streams()

    assert await relay._begin(bus) == 0
    assert (await relay.tables.told_last())[0] == 0
    assert await relay.tables.position("relay") == 0
    await bus.close()


class CutShort(ReadModels):
    """Tables whose relay dies when it has stored its position once."""

    async def published(self, told: dict[str, Told], position: int) -> None:
        if position and await self.position("relay"):
            raise asyncio.CancelledError
        await ReadModels.published(self, told, position)


async def test_a_rebuild_cut_short_after_its_first_page_is_completed(post: Post) -> None:
    """The wiped stream is half rebuilt when the relay dies: the next one doubles nothing."""
    relay, task = await post.relay("one", page=40)
    assert await complete(post.bus, post.database) == []
    before = len(await read_all(post.bus))
    await post.saved(relay.tables)
    await stop(task)
    post.restart_nats(wiped=True)
    await post.bus.ensure_streams()

    cut, task = await post.relay("one", CutShort, page=40, save_seconds=0.0)
    await asyncio.wait({task}, timeout=30)
    half, told = len(await read_all(post.bus)), await cut.tables.position("relay")
    _, again = await post.relay("one", page=40)

    assert task.done() and 0 < half < before and told > 0
    assert await complete(post.bus, post.database) == []
    await asyncio.sleep(0.5)
    assert len(await read_all(post.bus)) == before
    await stop(again)


async def test_a_stream_rolled_back_under_a_running_relay_is_completed(post: Post) -> None:
    """An older copy of the server's files comes back: what it lacks is published again."""
    _, task = await post.relay("one")
    await complete(post.bus, post.database)
    await stop(task)
    post.nats.terminate()
    post.nats.wait()
    shutil.copytree(post.folder / "nats", post.folder / "copy")
    post.restart_nats()
    await more_loans(post.folder)
    relay, task = await post.relay("one")
    assert await complete(post.bus, post.database) == []

    post.restart_nats(from_copy=post.folder / "copy")
    await asyncio.sleep(0.5)
    await more_loans(post.folder)
    relay.woken.set()

    assert await complete(post.bus, post.database) == []
    await stop(task)


async def test_what_somebody_slipped_in_is_not_followed_silently(post: Post) -> None:
    """Another first event of a loan is in the stream: its chain and the day's digest show it."""
    other = chained([event("L-0", "CURED")])
    await publish(post.bus, other)

    _, task = await post.relay("one")

    wrong = await complete(post.bus, post.database)
    events = by_loan(await read_all(post.bus, "lending.v1.delinquency.*.L-0"))["L-0"]
    verdict = judge(other[0].place, 2, events[1][2], events[1][1])
    assert wrong == ["L-0", "2026-03-20: {'INSTALMENT_DUE': 1}"]
    assert verdict == Verdict.FORKED
    assert not task.done()
    await stop(task)


async def test_only_the_next_number_is_stored(post: Post) -> None:
    """The fence refuses a message whose forerunner is not the last one of its loan."""
    subject, fence = "lending.v1.delinquency.cured.L-9", "lending.v1.delinquency.*.L-9"
    first = await post.bus.publish(subject, b"1", "", {}, Fence(fence, 0))

    with pytest.raises(SequenceMoved):
        await post.bus.publish(subject, b"2", "", {}, Fence(fence, 0))

    second = await post.bus.publish(subject, b"2", "", {}, Fence(fence, first.sequence))
    assert second.sequence > first.sequence
