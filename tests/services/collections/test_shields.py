"""Every protection shields in every jurisdiction, and whose law counts is known, not guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as pb
from sqlalchemy import select

from services.collections.application.clock import DateInTheFuture
from services.collections.application.desk import messages_of
from services.collections.domain.case import Case
from services.collections.domain.contact_gate import refusal_of
from services.collections.domain.contact_rules import (
    Channel,
    Outcome,
    Party,
    ProtectionKind,
    RulesNotFound,
)
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.hardship import Circumstance
from services.collections.domain.task import Task
from shared.runtime.record_tables import OUTBOX
from tests.services.collections.house import LedgerByHand, a_house, event, hear
from tests.services.collections.people import HOME, attempt, debtor, proposed, rules, shielded
from tests.services.collections.test_relief import FLOOD, asked, declare, end
from tests.services.collections.test_sending import protect, shield

LATE = event(1, "BUCKET_CHANGED", "2026-02-06", 35)
DAYS = ["2026-02-10", "2025-07-01"]


@pytest.mark.parametrize("on", DAYS)
@pytest.mark.parametrize("where", sorted(HOME))
@pytest.mark.parametrize("kind", [kind.value for kind in ProtectionKind])
def test_no_protection_is_taken_and_does_nothing(kind: str, where: str, on: str) -> None:
    """Whatever was recorded stops a call, by the law's row or by the house's."""
    day = date.fromisoformat(on)
    known = shielded(kind, channel="CALL" if kind == "OPT_OUT" else None)
    person = debtor(where, protections=(known,)) if day >= known.from_on else None
    if person is None:
        early = Debtor(borrower_ref="B-1", jurisdiction=where, time_zone=HOME[where])
        moved = type(known)(
            protection_id="p", kind=known.kind, from_on=date(2025, 6, 1), channel=known.channel
        )
        person = Debtor(
            borrower_ref="B-1",
            jurisdiction=where,
            time_zone=early.time_zone,
            protections=(moved,),
        )

    refusal = refusal_of(rules(where, on), attempt(f"{on} 12:00 in {HOME[where]}"), person, [])

    assert refusal is not None


LAWS = [("USD", "US"), ("CNY", "CN"), ("GBP", "UK"), ("JPY", "")]


@pytest.mark.parametrize(("currency", "law"), LAWS)
async def test_the_first_loan_says_whose_law_counts(
    tmp_path: Path, currency: str, law: str
) -> None:
    """Registered before the first case, a dollar borrower is not called by Chinese hours."""
    async with a_house(tmp_path) as house:
        async with house.desk.records.work() as work:
            known = pb.RegisterDebtorRequest(borrower_ref="B-1", phone="+12125550100")
            await house.debtors.register(work, known)
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, currency=currency))

        async with house.desk.records.work() as work:
            found = await house.desk.contacting.debtor(work, "B-1")
            (message,) = await messages_of(work, "L-1")
            assert found.jurisdiction == law
            if not law:
                assert (message.state, "RULES_NOT_FOUND" in message.why) == ("CANCELLED", True)
                with pytest.raises(RulesNotFound):
                    await house.desk.contacting.ask(work, call())


def call(**more: Any) -> Attempt:
    known: dict[str, Any] = {
        "attempt_id": "c-1",
        "borrower_ref": "B-1",
        "loan_id": "L-1",
        "at": datetime(2026, 2, 6, 3, tzinfo=UTC),
        "channel": Channel.CALL,
        "by": "agent-1",
        **more,
    }
    return Attempt(**known)


async def test_a_guarantors_call_does_not_count_at_the_debtors_number(tmp_path: Path) -> None:
    """Only who is the debtor is reached where the debtor is."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)
        async with house.desk.records.work() as work:
            known = pb.RegisterDebtorRequest(borrower_ref="B-1", phone="+8613800000000")
            await house.debtors.register(work, known)
            own = await house.desk.contacting.ask(work, call())
            other = await house.desk.contacting.ask(work, call(party=Party.GUARANTOR))

        assert (own.attempt.address, other.attempt.address) == ("+8613800000000", "")


async def test_nothing_has_happened_in_the_future(tmp_path: Path) -> None:
    """Neither a call of 2130 nor a look at the person in 2199, which would hold for ever."""
    async with a_house(tmp_path, clock="wall") as house:
        await hear(house, LATE)
        async with house.desk.records.work() as work:
            with pytest.raises(DateInTheFuture):
                late = call(at=datetime(2130, 1, 1, tzinfo=UTC), outcome=Outcome.REACHED)
                await house.desk.contacting.happened(work, late)
            with pytest.raises(DateInTheFuture):
                on = date(2199, 1, 1)
                await house.escalating.check(work, "L-1", on, "carer", "able", may_go_on=True)


async def test_a_letter_that_came_back_is_no_demand(tmp_path: Path) -> None:
    """No such person: the ladder waits for a demand that can have arrived."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)

        async def notices() -> Any:
            async with house.desk.records.work() as work:
                case = await work.get(Case, "L-1")
                assert case is not None
                return (await house.escalating.matter(work, case)).notices

        assert await notices() == (date(2026, 2, 6),)
        async with house.desk.records.work() as work:
            (letter,) = await messages_of(work, "L-1")
            at = datetime(2026, 2, 7, tzinfo=UTC)
            await house.debtors.receipt(work, letter.name, at, delivered=False, note="unknown")
        assert await notices() == ()


async def test_who_complained_is_answered_in_time_also_when_cured(tmp_path: Path) -> None:
    """Of Monday, within seven working days: Wednesday of the week after; the cure ends it not."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)
        await protect(house, shield("COMPLAINT", from_on=date(2026, 3, 2)))
        await hear(house, event(2, "CURED", "2026-03-03", 0))

        async with house.desk.records.work() as work:
            tasks = [one async for one in work.every(Task) if one.kind == "ANSWER_COMPLAINT"]
        assert [(one.state, one.due_on) for one in tasks] == [("OPEN", date(2026, 3, 11))]


async def test_what_the_borrower_told_stays_here(tmp_path: Path) -> None:
    """Illness and reason go neither on the bus nor into the ledger; each plan's end is told."""
    ledger = LedgerByHand()
    async with a_house(tmp_path, ledger) as house:
        await hear(house, LATE)
        for number in (1, 2):
            async with house.desk.records.work() as work:
                plan = proposed(reason="has cancer", circumstance=Circumstance.ILLNESS)
                await house.planning.propose(work, "L-1", plan)
                await house.planning.approve(work, "L-1", "bob", date(2026, 2, 10))
                await house.planning.settle(work, f"L-1/{number}", "TOO_LONG")
        await house.planning.orders.carry_out_due()

        async with house.desk.records.work() as work:
            rows = (await work.connection.execute(select(OUTBOX))).mappings().all()
    told = [row for row in rows if "plan_refused" in row["message_id"]]
    assert len(told) == 2
    assert all(b"cancer" not in row["body"] and b"ann" not in row["body"] for row in rows)
    assert [order.reason for order in ledger.given] == ["hardship plan 1", "hardship plan 2"]


async def test_undone_relief_does_not_backdate(tmp_path: Path) -> None:
    """A letter because of the 20th, put off by a flood that is undone, leaves on the 20th."""
    async with a_house(tmp_path) as house:
        async with house.desk.records.work() as work:
            known = pb.RegisterDebtorRequest(borrower_ref="B-1", region="CN-51")
            await house.debtors.register(work, known)
        await declare(house)
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-20", 35))
        before = FLOOD.from_on - timedelta(days=1)
        await end(house, before)
        await house.desk.sending.send_due()

        (letter,) = await asked(house, lambda work: messages_of(work, "L-1"))
        assert (letter.state, letter.sent_at.date()) == ("SENT", date(2026, 2, 20))
