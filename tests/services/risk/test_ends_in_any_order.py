"""A loan's end and its application come on two streams: whichever is first, it counts no more."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from services.risk import wire
from services.risk.application.applications import Applications
from services.risk.application.exposures import Exposures
from services.risk.application.watch import Watch
from services.risk.domain.exposure import EVERYTHING
from services.risk.domain.indicators import Heard as Event
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.test_early_warning import RULES
from tests.services.risk.test_reservations import TOLD

APPLICATION = [("OFFERED", 3), ("DISBURSED", 7)]
ENDS = [
    # what becomes of the loan, in order        | counted in the end, minor units
    (["SETTLED"], 0),
    (["SETTLED", "REPAYMENT_REVERSED"], 1_000_000),
    (["SETTLED", "REPAYMENT_REVERSED", "SETTLED"], 0),
    (["TRANSFERRED"], 0),
    (["TRANSFERRED", "REPAYMENT_REVERSED"], 0),
]


async def counted(folder: Path, loan: list[str], loan_first: tuple[int, ...]) -> int:
    """Return what counts after both were heard, the loan's events at the given places."""
    folder.mkdir()
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/risk.db"))
    await records.create(1)
    book = Exposures(records)
    await book.create(1)
    watch, applications = Watch(records, RULES, book, wire.alert_told), Applications(book)
    events, told = iter(enumerate(loan, start=1)), iter(APPLICATION)
    for place in range(len(loan) + len(APPLICATION)):
        if place in loan_first:
            number, type_ = next(events)
            event = Event(
                loan_id="L-A-1",
                borrower_ref="B-1",
                sequence=number,
                type=type_,
                effective_on=date(2026, 3, number),
            )
            async with book.work() as work:
                await watch.hear(event, work)
        else:
            status, steps = next(told)
            one = msgspec.structs.replace(TOLD, status=status, steps=steps)
            await applications.hear([one], place + 1)
    total = book.sum_of("CNY", EVERYTHING, EVERYTHING)
    await records.engine.dispose()
    return total


@pytest.mark.parametrize(("loan", "amount_minor"), ENDS)
async def test_a_loan_that_ended_counts_no_more(
    tmp_path: Path, loan: list[str], amount_minor: int
) -> None:
    """All interleavings of the two streams, each in its own order, come to the same."""
    places = range(len(loan) + len(APPLICATION))
    found = {
        at: await counted(tmp_path / "".join(map(str, at)), loan, at)
        for at in combinations(places, len(loan))
    }

    assert set(found.values()) == {amount_minor}, found
