"""A settlement: agreed by two, waited for until its day, met by money that lets the rest go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import collections_service_pb2 as pb
from lending.common.v1.money_pb2 import Money

from services.collections.application.desk import messages_of
from services.collections.domain.currency import AmountCurrencyDiffers
from services.collections.domain.hardship import ApproverIsProposer, PlanAlreadyOpen, PlanNotFound
from services.collections.domain.legal import LegalSettlementAgreed
from services.collections.domain.matter import Matter, Step, Taken
from services.collections.domain.settlement import (
    SettlementNotAgreed,
    SettlementNotMet,
    SettlementTooLate,
    SettlementTooLow,
)
from services.collections.entrypoints.grpc_service import CollectionsService
from shared.kernel.errors import LendingError, Refused, Unavailable
from tests.services.collections.house import House, LedgerByHand, a_house, event, hear
from tests.services.collections.test_ladder import checked, write
from tests.services.collections.test_ladder import step as legal_step

LAST_ON = "2026-03-10"


def cny(minor: int, currency: str = "CNY") -> Money:
    return Money(currency=currency, amount_minor=minor)


def offer(minor: int = 60_000, name: str = "plan-1", **more: Any) -> pb.ProposeHardshipPlanRequest:
    return pb.ProposeHardshipPlanRequest(
        request_id=name,
        loan_id="L-1",
        measure=pb.MEASURE_SETTLEMENT,
        first_due_on=LAST_ON,
        settlement=more.pop("settlement", cny(minor)),
        reason="sold the shop",
        proposed_by="officer-1",
        **more,
    )


def yes(by: str = "officer-2") -> pb.ApproveHardshipPlanRequest:
    return pb.ApproveHardshipPlanRequest(
        request_id=f"ok-{by}", loan_id="L-1", approved_by=by, effective_on="2026-02-10"
    )


def money(minor: int = 60_000, on: str = "2026-03-09", name: str = "in-1") -> Any:
    return pb.TakeSettlementRequest(request_id=name, loan_id="L-1", value_on=on, amount=cny(minor))


class Desk:
    """The service, and what the ledger was told."""

    def __init__(self, house: House, ledger: LedgerByHand) -> None:
        self.house, self.ledger = house, ledger
        self.service = CollectionsService(house.desk, house.planning, house.debtors)

    async def agreed(self) -> None:
        await self.service.ProposeHardshipPlan(offer(), None)
        await self.service.ApproveHardshipPlan(yes(), None)

    async def plan(self) -> pb.HardshipPlan:
        case = await self.service.GetCase(pb.GetCaseRequest(loan_id="L-1"), None)
        return case.plan


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A loan 35 days late that owes 1,000.00 in all."""
    ledger = LedgerByHand()
    async with a_house(tmp_path, ledger) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        yield Desk(house, ledger)


async def test_a_settlement_is_previewed_beside_the_other_measures(desk: Desk) -> None:
    """What is to be paid and what would be let go of; too low a sum says so; nothing is stored."""
    asked = pb.PreviewHardshipOptionsRequest(
        loan_id="L-1", effective_on="2026-02-10", first_due_on=LAST_ON, instalments=12
    )
    without = await desk.service.PreviewHardshipOptions(asked, None)
    asked.settlement.CopyFrom(cny(60_000))
    seen = (await desk.service.PreviewHardshipOptions(asked, None)).options
    asked.settlement.CopyFrom(cny(49_999))
    low = (await desk.service.PreviewHardshipOptions(asked, None)).options[-1]

    assert [one.measure for one in seen[:-1]] == [one.measure for one in without.options]
    settlement = seen[-1]
    assert settlement.measure == pb.MEASURE_SETTLEMENT
    assert (settlement.to_pay_minor, settlement.let_go_minor) == (60_000, 40_000)
    assert settlement.to_pay_before_minor == 100_000
    assert low.refusal == "SETTLEMENT_TOO_LOW"
    assert desk.ledger.given == []


REFUSED_OFFERS: list[tuple[dict[str, Any], type[LendingError]]] = [
    ({"minor": 49_999}, SettlementTooLow),
    ({"settlement": cny(60_000, "USD")}, AmountCurrencyDiffers),
]


@pytest.mark.parametrize(("asked", "refusal"), REFUSED_OFFERS)
async def test_what_the_house_does_not_offer(
    desk: Desk, asked: dict[str, Any], refusal: type[LendingError]
) -> None:
    """Less than half of what is owed, or in another currency."""
    with pytest.raises(refusal):
        await desk.service.ProposeHardshipPlan(offer(**asked), None)


async def test_two_agree_and_the_ledger_hears_nothing_until_the_money_comes(desk: Desk) -> None:
    """Agreed, nobody is reminded, nothing else is planned; the ledger is told with the money."""
    await desk.service.ProposeHardshipPlan(offer(), None)
    with pytest.raises(SettlementNotAgreed):
        await desk.service.TakeSettlement(money(), None)
    with pytest.raises(ApproverIsProposer):
        await desk.service.ApproveHardshipPlan(yes("officer-1"), None)
    agreed = await desk.service.ApproveHardshipPlan(yes(), None)
    with pytest.raises(PlanAlreadyOpen):
        await desk.service.ProposeHardshipPlan(offer(name="plan-2"), None)
    async with desk.house.desk.records.work() as work:
        before = len(await messages_of(work, "L-1"))
    await hear(desk.house, event(2, "BUCKET_CHANGED", "2026-03-08", 65))
    async with desk.house.desk.records.work() as work:
        assert len(await messages_of(work, "L-1")) == before
    assert agreed.plan.status == pb.PLAN_STATUS_APPROVED and desk.ledger.given == []

    done = await desk.service.TakeSettlement(money(), None)
    again = await desk.service.TakeSettlement(money(), None)

    assert done.plan.status == pb.PLAN_STATUS_COMPLETED
    assert again == done
    (order,) = desk.ledger.given
    assert (type(order).__name__, order.amount.amount_minor) == ("SettleLoanRequest", 60_000)
    assert (order.value_on, order.approved_by) == ("2026-03-09", "officer-2")
    assert "shop" not in order.reason
    with pytest.raises(SettlementNotAgreed):
        await desk.service.TakeSettlement(money(name="in-2"), None)


NOT_MET: list[tuple[dict[str, Any], type[LendingError]]] = [
    ({"minor": 59_999}, SettlementNotMet),
    ({"on": "2026-03-11"}, SettlementTooLate),
]


@pytest.mark.parametrize(("came", "refusal"), NOT_MET)
async def test_money_that_does_not_meet_it(
    desk: Desk, came: dict[str, Any], refusal: type[LendingError]
) -> None:
    """Too little or too late is not taken as full settlement; the loan goes on."""
    await desk.agreed()
    with pytest.raises(refusal):
        await desk.service.TakeSettlement(money(**came), None)
    assert desk.ledger.given == []


async def test_nobody_agrees_to_a_day_that_went_by(desk: Desk) -> None:
    """Approved from a day after its last it would have failed before it began."""
    await desk.service.ProposeHardshipPlan(offer(), None)
    late = yes()
    late.effective_on = "2026-03-11"
    with pytest.raises(SettlementTooLate):
        await desk.service.ApproveHardshipPlan(late, None)


async def test_its_day_goes_by(desk: Desk) -> None:
    """The day after, it failed and another may be offered; until then money of its day meets it."""
    await desk.agreed()
    await desk.house.desk.see(date(2026, 3, 10))
    assert (await desk.plan()).status == pb.PLAN_STATUS_APPROVED
    await desk.house.desk.see(date(2026, 3, 11))
    assert (await desk.plan()).status == pb.PLAN_STATUS_FAILED

    done = await desk.service.TakeSettlement(money(on=LAST_ON), None)
    assert done.plan.status == pb.PLAN_STATUS_COMPLETED


async def test_what_the_ledger_refuses_stays_agreed(desk: Desk) -> None:
    """It says why; the money comes again under another request and is another order."""
    await desk.agreed()
    desk.ledger.refusals["SettleLoan"] = Refused("something counts after it")
    first = await desk.service.TakeSettlement(money(), None)
    desk.ledger.refusals.clear()
    second = await desk.service.TakeSettlement(money(on=LAST_ON, name="in-2"), None)

    assert (first.plan.status, first.plan.refusal) == (pb.PLAN_STATUS_APPROVED, "REFUSED")
    assert second.plan.status == pb.PLAN_STATUS_COMPLETED


async def test_while_the_ledger_is_away_the_money_waits(desk: Desk) -> None:
    """Asked again under the same id, or by itself: one order, one end."""
    await desk.agreed()
    desk.ledger.refusals["SettleLoan"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await desk.service.TakeSettlement(money(), None)
    with pytest.raises(SettlementNotAgreed):
        await desk.service.TakeSettlement(money(name="in-2"), None)
    assert (await desk.plan()).status == pb.PLAN_STATUS_SETTLING
    desk.ledger.refusals.clear()

    await desk.house.planning.orders.carry_out_due()
    done = await desk.service.TakeSettlement(money(), None)

    assert done.plan.status == pb.PLAN_STATUS_COMPLETED
    assert len(desk.ledger.given) == 1


async def test_settled_in_the_ledger_it_is_met_however_that_came_about(desk: Desk) -> None:
    """The ledger says SETTLED: the case is closed and the plan completed."""
    await desk.agreed()
    await hear(desk.house, event(2, "SETTLED", "2026-03-09", 0))
    assert (await desk.plan()).status == pb.PLAN_STATUS_COMPLETED


async def test_an_agreed_settlement_may_be_taken_back(desk: Desk) -> None:
    """Before its money came; afterwards there is nothing to take back."""
    await desk.agreed()
    back = pb.WithdrawHardshipPlanRequest(request_id="w-1", loan_id="L-1", withdrawn_by="lead")
    await desk.service.WithdrawHardshipPlan(back, None)
    with pytest.raises(SettlementNotAgreed):
        await desk.service.TakeSettlement(money(), None)
    back.request_id = "w-2"
    with pytest.raises(PlanNotFound):
        await desk.service.WithdrawHardshipPlan(back, None)


async def test_no_law_while_a_settlement_is_waited_for(desk: Desk) -> None:
    """Neither a demand nor an agency until its last day has gone by; then both may be asked for."""
    house = desk.house

    async def demand(on: date) -> Matter:
        async with house.desk.records.work() as work:
            return await house.escalating.propose(work, "L-1", legal_step("DEMAND", f"{on}"))

    for number in range(3):
        await write(house, number, datetime(2026, 2, 10 + number, 3, tzinfo=UTC))
    await checked(house, "2026-03-10")
    await desk.agreed()
    house.desk.sending.clock.see(date(2026, 3, 10))
    with pytest.raises(LegalSettlementAgreed):
        await demand(date(2026, 3, 10))
    step = Taken(step=Step.AGENCY, on=date(2026, 3, 1), proposed_by="o-1", approved_by="o-2")
    async with house.desk.records.work() as work:
        known = {"checked_on": date(2026, 3, 10), "may_go_on": True, "steps": (step,)}
        await work.put(Matter(loan_id="L-1", due_on=date(2026, 2, 5), **known), "L-1/1")
    with pytest.raises(LegalSettlementAgreed):
        async with house.desk.records.work() as work:
            await house.placing.place(work, "L-1", "A-1", date(2026, 3, 10), "lead")

    await house.desk.see(date(2026, 3, 11))
    assert (await demand(date(2026, 3, 11))).waiting is not None
