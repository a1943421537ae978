"""What counts towards limits: approved by whom it may be, until it falls through or is repaid."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.risk.application.exposures import Exposures
from services.risk.domain.exposure import EVERYTHING
from services.risk.domain.reservation import (
    Heard,
    Held,
    Reservation,
    balance,
    decided,
    heard,
    loan_event,
)
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from tests.services.risk.test_decision import SOUND
from tests.system.processes import free_port

TOLD = Heard(
    application_id="A-1",
    loan_id="L-A-1",
    status="OFFERED",
    steps=3,
    borrower_ref="B-1",
    product="consumer-2026",
    currency="CNY",
    amount_minor=1_000_000,
)
EACH = 15

LIFE = [
    # what happens, in order                                                     | counts
    ("approved", True),
    ("approved declined", False),
    ("approved OFFERED declined", True),
    ("referred", False),
    ("referred REFERRED", False),
    ("referred OFFERED", True),
    ("approved WITHDRAWN", False),
    ("approved EXPIRED", False),
    ("approved OFFERED DECLINED", False),
    ("approved OFFERED DISBURSED", True),
    ("approved OFFERED DISBURSED settled", False),
    ("approved OFFERED DISBURSED settled reversed", True),
    ("approved OFFERED DISBURSED sold", False),
    ("approved OFFERED DISBURSED sold reversed", False),
    ("approved OFFERED DISBURSED bounced", False),
    ("approved OFFERED DISBURSED bounced reversed", False),
    ("approved OFFERED DISBURSED CANCELLING CANCELLED", False),
    ("approved declined approved", True),
    ("approved OFFERED DISBURSED approved settled", False),
    ("approved OFFERED DISBURSED settled approved", False),
    ("approved OFFERED DISBURSED sold approved", False),
    ("approved WITHDRAWN approved", False),
    ("WITHDRAWN approved", False),
]
EVENTS = {
    "settled": "SETTLED",
    "sold": "TRANSFERRED",
    "bounced": "DISBURSEMENT_RETURNED",
    "reversed": "REPAYMENT_REVERSED",
}


def lived(story: str) -> Reservation | None:
    """Return the reservation after a story."""
    now: Reservation | None = None
    for steps, word in enumerate(story.split(), start=1):
        if word in EVENTS:
            assert now is not None
            now = loan_event(now, EVENTS[word])
        elif word.isupper():
            told = msgspec.structs.replace(TOLD, status=word, steps=steps)
            now = heard(now, told, SOUND)
        else:
            now = decided(now, SOUND, word == "approved")
    return now


@pytest.mark.parametrize(("story", "counts"), LIFE)
def test_what_counts(story: str, counts: bool) -> None:
    """People's approval counts as risk's own does; what fell through or was repaid does not."""
    found = lived(story)

    assert (found is not None and found.counts) == counts
    assert found is None or found.values["borrower"] == "B-1"


def test_old_news_changes_nothing() -> None:
    """Heard again, or out of order, an application stays where it was."""
    withdrawn = msgspec.structs.replace(TOLD, status="WITHDRAWN", steps=5)
    now = heard(decided(None, SOUND, True), withdrawn, None)

    assert heard(now, TOLD, None) == now
    assert now is not None and now.held is Held.RELEASED


def test_what_was_repaid_does_not_count() -> None:
    """The balance of a book that is kept takes the place of the amount; an older one does not."""
    paid_out = lived("approved OFFERED DISBURSED")
    assert paid_out is not None
    march = balance(paid_out, 400_000, date(2026, 3, 31))

    assert march.amount_minor == 400_000
    assert balance(march, 700_000, date(2026, 1, 31)) == march


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-risk-"))
    server = start_postgres(folder / "pg", free_port()) if request.param == "postgresql" else None
    yield server.url() if server else f"sqlite+aiosqlite:///{folder}/risk.db"
    if server:
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def book_of(url: str) -> Exposures:
    book = Exposures(Records(open_database(url)))
    await book.create(1)
    return book


async def reserve(book: Exposures, name: str, amount_minor: int) -> None:
    """Reserve as a decision does: counted, then stored, in one transaction."""
    given = msgspec.structs.replace(SOUND, application_id=name, amount_minor=amount_minor)
    async with book.work() as work:
        after = book.decided(await book.get(work, name), given, approved=True)
        await asyncio.sleep(0)
        await book.store(work, [after] if after else [])


async def test_two_processes_count_as_one(database: str) -> None:
    """Whatever the order, every reservation is in every sum, and none is counted twice."""
    one, other = await book_of(database), await book_of(database)
    await asyncio.gather(
        *(
            reserve(book, f"A-{place}-{number}", 100)
            for place, book in enumerate((one, other))
            for number in range(EACH)
        )
    )
    sums = []
    for book in (one, other, await book_of(database)):
        async with book.work():
            sums.append(book.sum_of("CNY", EVERYTHING, EVERYTHING))
            borrower = book.by_value("CNY", "borrower")[0]
        await book.records.engine.dispose()

    assert sums == [2 * EACH * 100] * 3
    assert (borrower.approved, borrower.amount_minor) == (2 * EACH, 2 * EACH * 100)


async def test_what_was_rolled_back_never_counted(tmp_path: Path) -> None:
    """A transaction that fails takes back what it had counted in memory too."""
    book = await book_of(f"sqlite+aiosqlite:///{tmp_path}/risk.db")
    await reserve(book, "A-1", 100)
    with pytest.raises(ZeroDivisionError):
        async with book.work() as work:
            after = book.decided(
                None, msgspec.structs.replace(SOUND, application_id="A-2"), approved=True
            )
            assert after is not None
            await book.store(work, [after])
            raise ZeroDivisionError
    async with book.work():
        left = book.sum_of("CNY", EVERYTHING, EVERYTHING)
        own = book.sum_of("CNY", EVERYTHING, EVERYTHING, without="A-1")
    await book.records.engine.dispose()

    assert (left, own) == (100, 0)


async def test_who_gives_up_waiting_takes_nothing_away(tmp_path: Path) -> None:
    """A caller that hangs up before its turn leaves what is being counted meanwhile alone."""
    url = f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    book, other = await book_of(url), await book_of(url)
    await reserve(book, "A-1", 100)
    async with other.work():
        pass
    given = msgspec.structs.replace(SOUND, application_id="A-2", amount_minor=50)

    async def look() -> None:
        async with book.work():
            pass

    async with book.work() as work:
        waits = asyncio.create_task(look())
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.wait([waits])
        counted = book.sum_of("CNY", EVERYTHING, EVERYTHING)
        after = book.decided(None, given, approved=True)
        await book.store(work, [after] if after else [])
    async with other.work():
        told = other.sum_of("CNY", EVERYTHING, EVERYTHING)
    for one in (book, other):
        await one.records.engine.dispose()

    assert (counted, told) == (100, 150)


async def test_a_decision_after_the_end_keeps_the_end(tmp_path: Path) -> None:
    """A loan that was repaid stays known as one, and counts no more, though decided on again."""
    book = await book_of(f"sqlite+aiosqlite:///{tmp_path}/risk.db")
    repaid = lived("approved OFFERED DISBURSED settled")
    assert repaid is not None
    async with book.work() as work:
        await book.put(work, [repaid])
    await reserve(book, repaid.application_id, 1_000_000)
    async with book.work() as work:
        kept = await book.get(work, repaid.application_id)
        counted = book.sum_of("CNY", EVERYTHING, EVERYTHING)
    await book.records.engine.dispose()

    assert (kept, counted) == (repaid, 0)
