"""Promises: bounded when they are given, void when nothing is owed any more."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import contact_service_pb2 as contact_pb

from services.collections.application.clock import DateInTheFuture, DateTooOld
from services.collections.application.desk import messages_of
from services.collections.domain.case import Case, follow, see_date
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Protection
from services.collections.domain.promises import PromiseTooFar
from services.collections.domain.task import Task
from services.collections.entrypoints.grpc_service import CollectionsService
from shared.kernel.errors import LendingError
from tests.services.collections.house import House, a_house, event, hear
from tests.services.collections.test_case import PROMISED, heard

TODAY = date.today()
WORDS = [
    # made | due, days from today | refused by
    (0, [90], None),
    (0, [91], PromiseTooFar),
    (0, [30, 60, 150], None),
    (0, [30, 60, 151], PromiseTooFar),
    (-30, [10], None),
    (-31, [10], DateTooOld),
    (2, [10], DateInTheFuture),
]


def word(made: int, due: list[int], name: str = "word-1") -> pb.RecordPromiseRequest:
    parts = [
        pb.PromisePart(due_on=(TODAY + timedelta(days=day)).isoformat(), amount_minor=100)
        for day in due
    ]
    made_on = (TODAY + timedelta(days=made)).isoformat()
    return pb.RecordPromiseRequest(request_id=name, loan_id="L-1", made_on=made_on, parts=parts)


def service(house: House) -> CollectionsService:
    return CollectionsService(house.desk, house.planning, house.debtors)


@pytest.mark.parametrize(("made", "due", "reason"), WORDS)
async def test_a_promise_is_of_lately_and_for_soon(
    tmp_path: Path, made: int, due: list[int], reason: type[LendingError] | None
) -> None:
    """Its word silences reminders: neither of last year, nor for 2090, nor with a long gap."""
    async with a_house(tmp_path, clock="wall") as house:
        await hear(house, event(1, "BUCKET_CHANGED", TODAY.isoformat(), 35))
        if reason is None:
            told = await service(house).RecordPromise(word(made, due), None)
            assert [one.status for one in told.promises] == [pb.PROMISE_STATUS_OPEN]
        else:
            with pytest.raises(reason):
                await service(house).RecordPromise(word(made, due), None)


VOID = [
    # what was heard after a promise of 100 until 15 February | how it stands on the 20th
    ([("CURED", "2026-02-12", 0, 0)], "VOID"),
    ([("REPAYMENT_POSTED", "2026-02-12", 5, 60), ("CURED", "2026-02-12", 0, 0)], "VOID"),
    ([("REPAYMENT_POSTED", "2026-02-12", 5, 100), ("CURED", "2026-02-12", 0, 0)], "KEPT"),
    ([("RESTRUCTURED", "2026-02-15", 0, 0)], "VOID"),
    ([("CURED", "2026-02-16", 0, 0)], "BROKEN"),
    ([("CURED", "2026-02-12", 0, 0), ("GRACE_ENTERED", "2026-02-13", 1, 0)], "VOID"),
]


@pytest.mark.parametrize(("facts", "status"), VOID)
def test_who_owes_nothing_breaks_no_promise(
    facts: list[tuple[str, str, int, int]], status: str
) -> None:
    """Cured before the day, by a waiver or a plan: the promise is void, neither kept nor broken."""
    case: Case | None = PROMISED
    for number, (kind, on, late, minor) in enumerate(facts, 50):
        case, _ = follow(case, heard(number, kind, on, late, "M1" if late else "M0", minor))
    assert case is not None
    seen, _ = see_date(case, date(2026, 2, 20))

    assert seen.promise_standings()[0].status == status


async def test_a_void_promise_is_nobodys_work(tmp_path: Path) -> None:
    """Told once as void; no task stays behind on a closed case, and no share is pulled down."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        house.desk.sending.clock.see(date(2026, 2, 6))
        asked: dict[str, Any] = {"made_on": "2026-02-06", "due_on": "2026-02-20"}
        request = pb.RecordPromiseRequest(request_id="word-1", loan_id="L-1", **asked)
        request.amount.currency, request.amount.amount_minor = "CNY", 106_619
        await service(house).RecordPromise(request, None)
        await hear(house, event(2, "REPAYMENT_POSTED", "2026-02-10", 35, amount=50_000))
        await hear(house, event(3, "CURED", "2026-02-10", 0))
        await house.desk.see(date(2026, 2, 25))

        told = await service(house).GetCase(pb.GetCaseRequest(loan_id="L-1"), None)
        async with house.desk.records.work() as work:
            tasks = [one async for one in work.every(Task, state="OPEN")]
    assert [one.status for one in told.promises] == [pb.PROMISE_STATUS_VOID]
    assert [one for one in tasks if one.kind.startswith("PROMISE")] == []


KEPT_BACK = ["a dispute of four weeks", "a promise of three weeks"]


@pytest.mark.parametrize("why", KEPT_BACK)
async def test_what_was_kept_back_leaves_when_it_may(tmp_path: Path, why: str) -> None:
    """The written notice of M2 is not lost by waiting: it leaves after, of the day it leaves."""
    async with a_house(tmp_path) as house:
        last = date(2026, 3, 6) if "dispute" in why else date(2026, 2, 27)
        if "dispute" in why:
            shield = Protection(
                protection_id="p-1",
                kind=ProtectionKind.DISPUTE,
                from_on=date(2026, 2, 5),
                until_on=last,
            )
            async with house.desk.records.work() as work:
                known = contact_pb.RegisterDebtorRequest(borrower_ref="B-1", jurisdiction="CN")
                await house.debtors.register(work, known)
                await house.debtors.protect(work, "B-1", shield)
            await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        else:
            await hear(house, event(1, "GRACE_EXPIRED", "2026-02-05", 5))
            house.desk.sending.clock.see(date(2026, 2, 5))
            request = pb.RecordPromiseRequest(
                request_id="word-1", loan_id="L-1", made_on="2026-02-05", due_on=last.isoformat()
            )
            request.amount.currency, request.amount.amount_minor = "CNY", 106_619
            await service(house).RecordPromise(request, None)
            await hear(house, event(2, "BUCKET_CHANGED", "2026-02-06", 35))
        day = date(2026, 2, 7)
        while day <= last + timedelta(days=4):
            await house.desk.see(day)
            await house.desk.sending.send_due()
            day += timedelta(days=1)

        async with house.desk.records.work() as work:
            found = [one for one in await messages_of(work, "L-1") if one.template == "letter"]
    (letter,) = found
    assert letter.state == "SENT" and letter.sent_at is not None
    assert last < letter.sent_at.date() <= last + timedelta(days=3)
    assert (letter.sent_at.date() - letter.because_on).days <= 7
    assert msgspec.structs.asdict(letter)["text"].count("2026-03") == 1
