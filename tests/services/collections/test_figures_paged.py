"""Figures of a book of any size: part by part, and no work waits for them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from lending.collections.v1 import work_service_pb2 as pb

from services.collections.application.reporting import Reporting
from services.collections.application.working import Working
from services.collections.compose import House
from services.collections.domain.case import Case
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.figures import Book, Span
from services.collections.domain.matter import Matter
from services.collections.domain.message import Message
from services.collections.domain.task import Task
from services.collections.entrypoints.work_service import WorkService
from tests.services.collections.counting import tally
from tests.services.collections.house import a_house, event, hear

BORROWERS, CASES_MOST, TODAY = 60, 25, date(2026, 6, 30)


async def late(house: House, number: int) -> None:
    """Every borrower has two loans; some are cured, in grace or later, some never."""
    for loan in (f"L-{number}", f"L-{number}.2"):
        known = {"loan": loan, "borrower": f"B-{number}"}
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, **known))
        if number % 3 == 0:
            await hear(house, event(2, "CURED", "2026-02-07", 0, **known))
        elif number % 3 == 1:
            await hear(house, event(2, "BUCKET_CHANGED", "2026-03-10", 33, **known))
            await hear(house, event(3, "CURED", f"2026-0{3 + number % 3}-20", 0, **known))


async def everything(house: House) -> Book:
    """The whole book in memory, kind by kind, as one would count it on a small one."""

    async def every(kind: Any) -> list[Any]:
        async with house.desk.records.work() as work:
            return [one async for one in work.every(kind)]

    kinds = (Case, Attempt, Message, Debtor, Task, Matter)
    return Book(*[await every(kind) for kind in kinds])


async def test_figures_are_those_of_the_whole_book(tmp_path: Path) -> None:
    """In five parts every share, month and rate is what the whole book says; nobody is in two."""
    async with a_house(tmp_path) as house:
        for number in range(BORROWERS):
            await late(house, number)
        working = Working(house.desk.records, house.desk.contacting)
        parted = Reporting(house.desk.records, CASES_MOST)
        service = WorkService(working, parted, lambda: TODAY)

        answer = await service.GetFigures(pb.GetFiguresRequest(), None)

        whole = tally(await everything(house), Span(date.min, date.max, TODAY))
        books = [book async for book in parted.books(await parted.extent(TODAY))]

    found = [(s.figure, s.arm, s.part, s.whole, s.young, s.borrowers) for s in answer.shares]
    assert found == [one[:6] for one in whole.shares()]
    assert {figure for figure, *_ in found} >= {"cure", "self_cure", "roll_grace", "complaint"}
    bounds = [tuple(map(str, one.bounds or ("", "", ""))) for one in whole.shares()]
    assert [(one.share, one.low, one.high) for one in answer.shares] == bounds
    assert [month.opened for month in answer.months] == [m.opened for m in whole.months()]
    assert answer.contacts_per_cure == str(whole.contacts_per_cure())
    people = [{case.borrower_ref for case in book.cases} for book in books]
    assert len(books) == 5 and all(0 < len(book.cases) < 2 * CASES_MOST for book in books)
    assert sum(map(len, people)) == len(set().union(*people)) == BORROWERS


async def test_no_work_waits_for_figures(tmp_path: Path) -> None:
    """Between two parts the records are free: a case that is heard meanwhile is kept."""
    async with a_house(tmp_path) as house:
        for number in range(3):
            await late(house, number)
        parted = Reporting(house.desk.records, 1)
        async for _ in parted.books(await parted.extent(TODAY)):
            assert not house.desk.records.turn.locked()
            await hear(house, event(5, "GRACE_ENTERED", "2026-05-06", 1, borrower="B-1"))
