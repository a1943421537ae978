"""The sealed log: every event proven under a signed root; every change of the file noticed."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

import pytest

from services.ledger.adapters.seals import Seals
from services.ledger.application.proving import EventNotFound, Prover, SizeUnknown
from services.ledger.application.sealing import GATHER_SECONDS, Sealer
from shared.audit.checkpoints import load_signer, read_checkpoint
from shared.audit.merkle import consistent, included, leaf_hash
from tests.services.ledger.book import Book, open_book


def sealer_of(book: Book, folder: Path) -> Sealer:
    """Return a sealer of a book's log, with a key of the folder."""
    signer = load_signer("duebook.test/ledger", folder / "signing.key")
    return Sealer(book.writer.log, Seals(book.models.engine), signer, lambda: datetime.now(UTC))


async def seal(book: Book, folder: Path) -> Sealer:
    """Seal everything there is, as a process does that has just started."""
    sealer = sealer_of(book, folder)
    await sealer.begin()
    while await sealer.step():
        pass
    return sealer


async def sealed_twice(folder: Path, look) -> object:
    """Build a book, seal it in two parts through a restart, and look at it."""
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        for k in range(3):
            await book.lend(f"L-{k}")
        await seal(book, folder)
        for k in range(20):
            await book.repay(f"L-{k % 3}", 100)
        sealer = await seal(book, folder)
        prover = Prover(book.writer.log, Seals(book.models.engine), lambda: None)
        return await look(book, prover, sealer)


def test_a_sealer_that_is_behind_does_not_gather(tmp_path: Path) -> None:
    """Full pages follow one another at once: 40 of them take less than waiting between 20 would."""

    async def behind() -> tuple[float, int, int]:
        async with open_book(tmp_path) as book:
            await book.go_to(date(2026, 1, 5))
            await book.lend("L-0")
            for _ in range(40):
                await book.repay("L-0", 100)
            sealer = sealer_of(book, tmp_path)
            sealer.page = 2
            stop, began = asyncio.Event(), perf_counter()
            running = asyncio.create_task(sealer.run(stop))
            while sealer.position < book.writer.log.last_position():
                await asyncio.sleep(0.01)
            took = perf_counter() - began
            stop.set()
            sealer.woken.set()
            await running
            return took, sealer.size, sealer.page

    took, sealed, page = asyncio.run(behind())

    assert sealed >= 40 * page
    assert took < 20 * GATHER_SECONDS


def test_every_event_is_proven_and_the_log_only_grew(tmp_path: Path) -> None:
    """Each event of each loan under the last root; the first checkpoint is a beginning of it."""

    async def look(book: Book, prover: Prover, sealer: Sealer) -> int:
        proven = 0
        for k in range(3):
            for row in book.writer.log.stored(f"loan/L-{k}"):
                proof = await prover.event(f"L-{k}", row.version)
                said = read_checkpoint(proof.checkpoint.note, sealer.signer.verifier)
                leaf = leaf_hash(proof.leaf)
                assert included(proof.number, said.size, leaf, proof.path, said.root)
                assert proof.leaf.endswith(row.state)
                proven += 1
        last = read_checkpoint((await prover.checkpoint()).note, sealer.signer.verifier)
        sizes = [size for size in range(1, last.size) if await prover.tree.checkpoint(size)]
        first = await prover.checkpoint(sizes[0])
        old = read_checkpoint(first.note, sealer.signer.verifier)
        path = await prover.consistency(old.size, last.size)
        assert consistent(old.size, last.size, old.root, last.root, path)
        for version in (99, 0, -(2**63), 2**63 - 1):
            with pytest.raises(EventNotFound):
                await prover.event("L-0", version)
        with pytest.raises(SizeUnknown):
            await prover.consistency(1, last.size + 1)
        with pytest.raises(SizeUnknown):
            await prover.checkpoint(last.size + 1)
        return proven

    assert asyncio.run(sealed_twice(tmp_path, look)) > 26


def test_a_signer_is_kept(tmp_path: Path) -> None:
    """The same file is the same key; nobody else may read it."""
    path = tmp_path / "keys" / "signing.key"

    assert load_signer("a", path).verifier == load_signer("a", path).verifier
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_in_its_place_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails while a first key is written: no empty file bars the next start."""

    def fails(handle: int) -> None:
        raise OSError("no space left on device")

    path = tmp_path / "signing.key"
    with monkeypatch.context() as patched, pytest.raises(OSError, match="no space"):
        patched.setattr("os.fsync", fails)
        load_signer("ledger", path)

    assert list(tmp_path.iterdir()) == []
    assert load_signer("ledger", path).verifier == load_signer("ledger", path).verifier
    assert path.stat().st_mode & 0o777 == 0o600
