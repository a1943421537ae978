"""Signed checkpoints over a real NATS: a forked ledger is named, an honest one never."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.ledger.adapters.checkpoint_relay import CheckpointRelay
from services.ledger.adapters.seals import Sealed, Seals
from services.ledger.application.proving import Prover
from services.ledger.application.sealing import Sealer
from shared.audit.checkpoints import Checkpoint, load_signer
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.runtime.records import Records, Work
from shared.runtime.streams import CHECKPOINT
from shared.subscriber.__main__ import app
from shared.subscriber.checkpoints import Checkpoints, Prove
from shared.subscriber.event import Event
from shared.subscriber.inbox import Inbox, Parked, create_inbox
from shared.subscriber.subscriber import Subscriber
from tests.services.ledger.book import Book, open_book
from tests.system.processes import free_port


@dataclass
class Ledger:
    """A real log in a folder: it can grow, be sealed, and be copied with its key."""

    folder: Path

    async def grow(self, payments: int) -> Sealed:
        """Open the book, take some money, seal; return the last checkpoint."""
        async with open_book(self.folder) as book:
            if not book.writer.business_on:
                await book.go_to(date(2026, 1, 5))
                await book.lend("L-1")
            for k in range(payments):
                await book.repay("L-1", 100 + k)
            return await self._sealed(book)

    async def _sealed(self, book: Book) -> Sealed:
        seals = Seals(book.models.engine)
        signer = load_signer("test/ledger", self.folder / "signing.key")
        sealer = Sealer(book.writer.log, seals, signer, lambda: datetime.now(UTC))
        await sealer.begin()
        while await sealer.step():
            pass
        found = await seals.checkpoint()
        assert found is not None
        return found

    @property
    def verifier(self) -> str:
        return load_signer("test/ledger", self.folder / "signing.key").verifier

    def copied(self, folder: Path) -> Ledger:
        """Return another ledger that goes on from here, with the same key."""
        shutil.copytree(self.folder, folder)
        return Ledger(folder)

    async def prove(self, first: int, second: int) -> Sequence[bytes]:
        """Prove that it grew, as its audit service does."""
        async with open_book(self.folder) as book:
            prover = Prover(book.writer.log, Seals(book.models.engine), lambda: None)
            return await prover.consistency(first, second)


@dataclass
class Watched:
    """A NATS, a relay of checkpoints of whichever ledger, and a subscriber that checks them."""

    folder: Path
    port: int
    bus: Bus
    records: Records
    nats: object = None
    seen: list[Parked] = field(default_factory=list)
    open: int = 0

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """Open a transaction, and count how many are."""
        async with self.records.work() as unit:
            self.open += 1
            try:
                yield unit
            finally:
                self.open -= 1

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def tell(self, ledger: Ledger) -> None:
        """Publish a ledger's last checkpoint by a relay that has just started."""
        async with open_book(ledger.folder) as book:
            relay = CheckpointRelay(Seals(book.models.engine), self.url)
            sealed = await relay.seals.checkpoint()
            assert sealed is not None
            while relay.size < sealed.size:
                await relay._publish(self.bus, sealed)

    async def parked(self) -> list[tuple[str, int]]:
        """Return what waits: reason and size."""
        async with self.records.work() as unit:
            rows = await Inbox("desk").parked(unit.connection)
        return [(row.reason, row.sequence) for row in rows]

    async def known(self, subscriber: str = "desk") -> int:
        """Return the largest checkpoint that was taken."""
        async with self.records.engine.connect() as connection:
            found = await connection.exec_driver_sql("SELECT max(size) FROM stream_checkpoints")
            return int(found.scalar() or 0)

    @asynccontextmanager
    async def following(self, verifier: str, prove: Prove | None = None) -> AsyncIterator[None]:
        """Follow the stream meanwhile, and to its end."""

        async def hear(_: Event, __: Work) -> None:
            """Nothing comes of events."""

        made = Subscriber(
            *(self.bus, "desk", self.work, hear),
            checkpoints=Checkpoints.of(verifier, prove),
        )
        task = asyncio.create_task(made.run(asyncio.Event()))
        try:
            yield
            for _ in range(100):
                if made.read.sequence >= await self.bus.last_sequence():
                    break
                await asyncio.sleep(0.1)
            assert made.read.sequence >= await self.bus.last_sequence()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    port = free_port()
    nats = start_nats(tmp_path / "nats", port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "test")
    await bus.ensure_streams()
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/desk.db"))
    await create_inbox(records.engine)
    found = Watched(tmp_path, port, bus, records, nats)
    yield found
    await records.engine.dispose()
    await bus.close()
    found.nats.kill()  # type: ignore[attr-defined]
    found.nats.wait()  # type: ignore[attr-defined]


async def test_a_log_that_grows_raises_no_alarm(watched: Watched) -> None:
    """Ten checkpoints through ten relays, each proven from the one before: all are taken."""
    ledger, last = Ledger(watched.folder / "ledger"), 0
    for count in range(10):
        last = (await ledger.grow(1 + 7 * count)).size
        async with watched.following(ledger.verifier):
            await watched.tell(ledger)

    assert await watched.parked() == []
    assert await watched.known() == last


async def test_a_forked_ledger_is_named(watched: Watched) -> None:
    """Two histories under one key: the larger one does not grow from what was seen, and is kept."""
    first = Ledger(watched.folder / "first")
    await first.grow(3)
    second = first.copied(watched.folder / "second")
    seen = (await first.grow(4)).size
    other = (await second.grow(9)).size
    async with watched.following(first.verifier):
        await watched.tell(first)
        await watched.tell(second)

    assert await watched.parked() == [("CHECKPOINT_FORKED", other)]
    assert await watched.known() == seen


async def test_people_who_know_why_can_forget(watched: Watched) -> None:
    """A ledger restored from a backup is a fork, until somebody says so; the next one is taken."""
    lost = Ledger(watched.folder / "lost")
    await lost.grow(3)
    restored = lost.copied(watched.folder / "restored")
    seen = (await lost.grow(4)).size
    await restored.grow(9)
    async with watched.following(lost.verifier):
        await watched.tell(lost)
        await watched.tell(restored)
    names = ["--database-url", str(watched.records.engine.url), "--subscriber", "desk"]

    shown = await asyncio.to_thread(CliRunner().invoke, app, ["checkpoints", *names])
    said = await asyncio.to_thread(CliRunner().invoke, app, ["forget", *names, "--faults"])
    after = await asyncio.to_thread(CliRunner().invoke, app, ["checkpoints", *names])
    taken = (await restored.grow(1)).size
    async with watched.following(restored.verifier):
        await watched.tell(restored)

    assert shown.exit_code == 1 and f"{seen}\t" in shown.output and "FORKED" in shown.output
    assert "1 faults forgotten" in said.output
    assert (after.exit_code, after.output) == (0, "")
    assert await watched.parked() == []
    assert await watched.known() == taken


async def test_a_fork_is_named_though_it_is_as_long(watched: Watched) -> None:
    """The same size and another root: nobody needs a proof for that."""
    first = Ledger(watched.folder / "first")
    await first.grow(3)
    second = first.copied(watched.folder / "second")
    async with open_book(second.folder) as book:
        await book.repay("L-1", 999)
        other = await second._sealed(book)
    same = (await first.grow(1)).size
    async with watched.following(first.verifier):
        await watched.tell(first)
        await watched.bus.publish(CHECKPOINT, other.note.encode(), "", {})

    assert other.size == same
    assert await watched.parked() == [("CHECKPOINT_FORKED", same)]


async def test_who_has_another_key_is_not_believed(watched: Watched) -> None:
    """Signed by somebody else, or by nobody; and a smaller one behind a larger one is a fault."""
    ledger, stranger = Ledger(watched.folder / "ledger"), Ledger(watched.folder / "stranger")
    small = await ledger.grow(1)
    large = await ledger.grow(2)
    foreign = await stranger.grow(30)
    forged = Checkpoint("test/ledger", 99, b"\0" * 32).text + "\nno signature\n"
    async with watched.following(ledger.verifier):
        await watched.tell(ledger)
        for note in (foreign.note, forged, small.note):
            await watched.bus.publish(CHECKPOINT, note.encode(), "", {})

    assert await watched.parked() == [
        ("CHECKPOINT_SHRUNK", small.size),
        ("CHECKPOINT_UNSIGNED", foreign.size),
    ]
    assert await watched.known() == large.size


@pytest.mark.parametrize("asks", [False, True])
async def test_a_stream_made_again_is_no_fork(watched: Watched, asks: bool) -> None:
    """
    Its first checkpoint carries no proof from what is known: the ledger is asked, or none is.

    No transaction is open meanwhile: a ledger that is slow to answer holds up no writer.
    """
    ledger, open_then = Ledger(watched.folder / "ledger"), list[int]()
    before = (await ledger.grow(2)).size

    async def ask(first: int, second: int) -> Sequence[bytes]:
        open_then.append(watched.open)
        return await ledger.prove(first, second)

    prove = ask if asks else None
    async with watched.following(ledger.verifier, prove):
        await watched.tell(ledger)
    watched.nats.kill()  # type: ignore[attr-defined]
    watched.nats.wait()  # type: ignore[attr-defined]
    shutil.rmtree(watched.folder / "nats")
    watched.nats = start_nats(watched.folder / "nats", watched.port)
    await watched.bus.ensure_streams()
    after = (await ledger.grow(5)).size
    async with watched.following(ledger.verifier, prove):
        await watched.tell(ledger)

    assert await watched.parked() == []
    assert await watched.known() == (after if asks else before)
    assert open_then == ([0] if asks else [])
