"""Long histories come page by page: nothing twice, nothing left out, and a token is of its list."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as contact_pb
from lending.collections.v1 import recovery_service_pb2 as recovery_pb
from lending.common.v1.money_pb2 import Money
from lending.common.v1.page_pb2 import Page

from services.collections.application import trail
from services.collections.application.deciding import plan
from services.collections.domain.contact_rules import Channel
from services.collections.domain.message import Message
from services.collections.entrypoints.contact_service import ContactService
from services.collections.entrypoints.recovery_service import RecoveryService
from shared.runtime.listing import PageTokenInvalid
from shared.runtime.requests import NumberOutOfRange
from tests.services.collections.house import House, a_house, event, hear

MORNING = datetime(2026, 2, 10, 2, tzinfo=UTC)


def contact(house: House) -> ContactService:
    return ContactService(house.debtors, house.relief)


def recovery(house: House) -> RecoveryService:
    return RecoveryService(house.claiming, house.escalating, house.placing)


async def pages(ask: Any, request: Any, rows: str, size: int) -> list[list[Any]]:
    """Read a list to its end."""
    request.page.size, found = size, []
    while True:
        answer = await ask(request, None)
        found.append(list(getattr(answer, rows)))
        if not answer.next_page_token:
            return found
        request.page.token = answer.next_page_token


async def noted(house: House, loan_id: str, number: int) -> None:
    async with house.desk.records.work() as work:
        for minute in range(number):
            at = MORNING + timedelta(minutes=minute)
            said = f"{loan_id} note {minute}"
            line = trail.Entry(at=at, borrower_ref="B-1", loan_id=loan_id, what="NOTE", said=said)
            await trail.write(work, line)


async def test_a_trail_comes_in_pages_of_one_borrower_or_one_loan(tmp_path: Path) -> None:
    """Two loans' notes lie mixed in one trail; each page is full until the last."""
    async with a_house(tmp_path) as house:
        await noted(house, "L-1", 25)
        await noted(house, "L-2", 25)
        of_all = contact_pb.ListTrailRequest(borrower_ref="B-1")
        of_one = contact_pb.ListTrailRequest(borrower_ref="B-1", loan_id="L-2")

        every = await pages(contact(house).ListTrail, of_all, "entries", 20)
        one = await pages(contact(house).ListTrail, of_one, "entries", 10)

    assert [len(page) for page in every] == [20, 20, 10]
    assert len({line.said for page in every for line in page}) == 50
    assert [line.at for page in every for line in page] == sorted(
        line.at for page in every for line in page
    )
    assert [[line.said for line in page] for page in one] == [
        [f"L-2 note {number}" for number in some]
        for some in (range(10), range(10, 20), range(20, 25))
    ]


async def test_messages_of_a_loan_come_by_the_day_they_are_for(tmp_path: Path) -> None:
    """A page of two, then the rest; a message planned in between does not shift the rest."""

    def message(day: int, step: str) -> Message:
        on = date(2026, 2, day)
        known = {"borrower_ref": "B-1", "loan_id": "L-1", "stage": "M1", "step": step}
        dated = {"planned_at": MORNING, "because_on": on, "strategy": "s", "template": step}
        name = f"L-1.{on}.M1.{step}"
        return Message(name=name, channel=Channel.EMAIL, **known, **dated)

    asked = contact_pb.ListMessagesRequest(loan_id="L-1", page=Page(size=2))
    async with a_house(tmp_path) as house:
        async with house.desk.records.work() as work:
            for one in (message(3, "b"), message(1, "z"), message(2, "a")):
                await plan(work, one)
        first = await contact(house).ListMessages(asked, None)
        async with house.desk.records.work() as work:
            await plan(work, message(1, "a"))
        asked.page.token = first.next_page_token
        rest = await contact(house).ListMessages(asked, None)

    assert [one.name[-1] for one in (*first.messages, *rest.messages)] == ["z", "a", "b"]
    assert rest.next_page_token == ""


async def test_claims_come_by_id(tmp_path: Path) -> None:
    """Five claims on five guarantors, two a page."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-10", 35))
        for number in range(5):
            claim = recovery_pb.OpenClaimRequest(
                request_id=f"claim-{number}",
                loan_id="L-1",
                standin=recovery_pb.STANDIN_GUARANTOR,
                standin_ref=f"G-{number}",
                cover=Money(currency="CNY", amount_minor=1_000),
                valid_until="2027-01-01",
            )
            await recovery(house).OpenClaim(claim, None)
        asked = recovery_pb.ListClaimsRequest(loan_id="L-1")
        found = await pages(recovery(house).ListClaims, asked, "claims", 2)

    assert [[one.claim_id[-1] for one in page] for page in found] == [["0", "1"], ["2", "3"], ["4"]]


async def test_a_debtor_with_many_loans_shows_some_and_owes_all(tmp_path: Path) -> None:
    """What is overdue is of every loan, whichever page is looked at."""
    asked = contact_pb.GetDebtorRequest(borrower_ref="B-1", page=Page(size=2))
    async with a_house(tmp_path) as house:
        for number in range(3):
            late = event(1, "BUCKET_CHANGED", "2026-02-10", 35, loan=f"L-{number}", arrears=100)
            await hear(house, late)
        first = await contact(house).GetDebtor(asked, None)
        asked.page.token = first.next_cases_token
        rest = await contact(house).GetDebtor(asked, None)

    assert [case.loan_id for case in first.cases] == ["L-0", "L-1"]
    assert [case.loan_id for case in rest.cases] == ["L-2"]
    assert first.arrears_minor == rest.arrears_minor == {"CNY": 300}
    assert rest.next_cases_token == ""


async def test_a_token_is_of_its_own_list(tmp_path: Path) -> None:
    """Made up, of another loan, or a size below zero: said, not guessed at."""
    wrong = [
        # loan | page | refused by
        ("L-1", Page(token="made-up"), PageTokenInvalid),
        ("L-1", Page(size=-1), NumberOutOfRange),
    ]
    async with a_house(tmp_path) as house:
        await noted(house, "L-1", 3)
        asked = contact_pb.ListTrailRequest(borrower_ref="B-1", page=Page(size=1))
        token = (await contact(house).ListTrail(asked, None)).next_page_token
        wrong.append(("L-2", Page(token=token), PageTokenInvalid))
        for loan_id, page, refusal in wrong:
            with pytest.raises(refusal):
                other = contact_pb.ListTrailRequest(borrower_ref="B-1", loan_id=loan_id, page=page)
                await contact(house).ListTrail(other, None)
