"""What happens while others are asked: nothing is lost, nothing paid twice, nobody starved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.common.v1 import money_pb2
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.events_pb2 import ApplicationChanged
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination import wire_security
from services.origination.application.cancelling import Cancelling
from services.origination.application.deciding import Deciding
from services.origination.application.desk import ApplicationChangedMeanwhile, Desk
from services.origination.application.disbursing import Disbursing
from services.origination.application.disclosing import Disclosing
from services.origination.application.holding import hold
from services.origination.application.parking import PAGE_SIZE
from services.origination.application.ports import PayoutAnswer, PayoutOrder
from services.origination.application.securing import Securing
from services.origination.application.terms import terms_of
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import Application, Review
from services.origination.domain.payouts import Payout
from services.origination.domain.securities import Collateral, Guarantee
from services.origination.domain.state_machine import ApplicationIsExpired, Status
from shared.kernel.errors import LendingError
from shared.runtime.database import open_database
from shared.runtime.records import OUTBOX, Records
from tests.services.origination.counterparts import TODAY, Bank, FakeLedger, LoanIsSettled
from tests.services.origination.killing import NOW, POLICIES, TOLD, contracted, disburse_request
from tests.services.origination.room import register


@dataclass
class Ledger(FakeLedger):
    """A ledger that may wait before it answers and refuse what it is asked next."""

    gates: list[asyncio.Event] = field(default_factory=list)
    refuses: bool = False

    async def DisburseLoan(self, request: Any) -> Any:
        if request.validate_only and self.gates:
            await self.gates.pop().wait()
            return loan_pb2.Loan(loan_id=request.loan_id)
        if self.refuses:
            raise LoanIsSettled("the loan takes no money")
        return await FakeLedger.DisburseLoan(self, request)

    async def SettleLoan(self, request: Any) -> Any:
        raise LoanIsSettled("the loan is settled")


@dataclass
class Risk:
    """Approves, after something else was done meanwhile."""

    meanwhile: Any = None
    asked: list[Any] = field(default_factory=list)

    async def ScoreApplication(self, request: Any) -> Any:
        self.asked.append(request)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        outcome = risk_pb.DECISION_OUTCOME_APPROVED
        return risk_pb.Decision(outcome=outcome, probability_of_default="0.05")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path}/origination.db")
    records = Records(engine)
    await records.create(APPLICATION_ID)
    made = Desk(records, Ledger(), POLICIES, *TOLD, lambda: NOW)
    await register(made, "PICC", 100_000_000)
    yield made
    await engine.dispose()


def submitted(**other: Any) -> Application:
    given = {"status": Status.SUBMITTED, "terms_json": "", "instalments": 12, "signatures": ()}
    given |= {"contract_sha256": "", "valid_until_on": date(2026, 2, 4)}
    return msgspec.structs.replace(contracted(), **{**given, **other})


async def store(desk: Desk, *applications: Application) -> None:
    async with desk.records.work() as work:
        for application in applications:
            await desk.keep(await hold(work, Application, application.application_id), application)


def premium(request_id: str) -> pb.AddGuaranteeRequest:
    money = money_pb2.Money(amount_minor=8_000, currency="CNY")
    return pb.AddGuaranteeRequest(
        request_id=request_id,
        application_id="A-1",
        kind=pb.GUARANTEE_KIND_INSURANCE,
        provider_ref="PICC",
        amount=money_pb2.Money(amount_minor=100_000, currency="CNY"),
        fee=money,
        insurance=pb.Insurance(
            policy_number="P-1",
            valid_from="2026-01-01",
            valid_until="2027-12-31",
            cover_share="0.9",
        ),
    )


async def test_a_security_added_while_risk_was_asked_is_priced(desk: Desk) -> None:
    """The premium of a policy taken in meanwhile stands in the terms that are offered."""
    await store(desk, submitted())
    risk = Risk(lambda: Securing(desk, wire_security).add(premium("add-1")))

    decided = await Deciding(desk, risk, {}).decide("A-1")

    assert decided.status is Status.OFFERED
    assert decided.fees_elsewhere_minor == 8_000
    assert terms_of(decided).fees_elsewhere_minor == 8_000


async def test_a_disclosure_shows_what_is_stored(desk: Desk) -> None:
    """A security without a fee that comes between is shown, or the showing is refused."""
    await store(desk, submitted())
    await Deciding(desk, Risk(), {}).decide("A-1")
    request = pb.ApplicationRequest(request_id="show-1", application_id="A-1")
    preview, free = desk.ledger.PreviewLoan, premium("add-2")
    free.ClearField("fee")

    async def slowly(asked: Any) -> Any:
        desk.ledger.PreviewLoan = preview
        await Securing(desk, wire_security).add(free)
        return await preview(asked)

    desk.ledger.PreviewLoan = slowly
    with pytest.raises(ApplicationChangedMeanwhile):
        await Disclosing(desk, 0).show(request)
    shown = await Disclosing(desk, 0).show(request)

    assert "Who paid for you (a guarantor or insurer)" in shown.text_en
    assert (await desk.load("A-1")).disclosure_sha256 == shown.disclosure_sha256


async def test_an_application_past_its_last_day_is_not_decided(desk: Desk) -> None:
    """After an outage what waited lapses; risk is not asked about it."""
    risk = Risk()
    await store(desk, submitted(queued_at=NOW))
    desk.ledger.on = date(2026, 2, 5)
    deciding = Deciding(desk, risk, {})

    with pytest.raises(ApplicationIsExpired):
        await deciding.decide("A-1")
    await deciding.resume()

    assert (await desk.load("A-1")).status is Status.EXPIRED
    assert risk.asked == []


async def test_who_lost_the_race_does_not_pay(desk: Desk) -> None:
    """A worker that was overtaken by the refusal of another sends no money."""
    await store(desk, contracted())
    bank, gate = Bank(), asyncio.Event()
    slow, quick = Disbursing(desk, bank), Disbursing(desk, bank)
    desk.ledger.gates.append(gate)
    first = asyncio.create_task(slow.disburse(disburse_request("A-1")))
    while desk.ledger.gates:
        await asyncio.sleep(0.01)
    desk.ledger.refuses = True

    returned = await quick.finish("A-1")
    gate.set()
    ended = await first

    assert returned.status is Status.PAYOUT_RETURNED
    assert ended.status == pb.APPLICATION_STATUS_PAYOUT_RETURNED
    assert bank.moves == 0


class HalfBroken(Bank):
    """Breaks on one order, in a way nobody expected."""

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        if order.payout_id.startswith("payout-A-1"):
            raise AttributeError("'list' object has no attribute 'get'")
        return await Bank.pay(self, order)


async def test_one_bad_answer_does_not_stop_the_others(desk: Desk) -> None:
    """What breaks on one payout leaves the rest to be paid."""
    for name in ("A-1", "A-2"):
        await store(desk, msgspec.structs.replace(contracted(), application_id=name))
        with pytest.raises(LendingError):
            await Disbursing(desk, Away()).disburse(disburse_request(name))

    await Disbursing(desk, HalfBroken()).resume()

    found = [(await desk.load(name)).status for name in ("A-1", "A-2")]
    assert found == [Status.DISBURSING, Status.DISBURSED]


class Away:
    """A payer that does not answer."""

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        raise LendingError("no answer")


async def test_every_application_has_its_turn(desk: Desk) -> None:
    """However many stand before it, the last of a status is reached."""
    names = [f"A-{number:04}" for number in range(2 * PAGE_SIZE + 1)]
    some = submitted()
    await store(desk, *(msgspec.structs.replace(some, application_id=name) for name in names))

    found = [a.application_id async for a in desk.each(Status.SUBMITTED)]

    assert found == names


PAYOUT = Payout(payout_id="P", account_ref="", amount_minor=100, value_on=TODAY, reference="R")


async def test_what_the_ledger_refuses_ends_a_cancellation(desk: Desk) -> None:
    """The loan stands as paid out, the trail says why, and nothing is tried for ever."""
    at = datetime(2026, 1, 6, 9, tzinfo=UTC)
    paid = msgspec.structs.replace(
        contracted(),
        status=Status.CANCELLING,
        cancelled_on=at.date(),
        cancelled_minor=100,
        payouts=(PAYOUT,),
    )
    await store(desk, paid)

    with pytest.raises(LoanIsSettled):
        await Cancelling(desk).finish("A-1")
    await Cancelling(desk).resume()

    found = await desk.load("A-1")
    assert found.status is Status.DISBURSED
    assert found.trail[-1].note == "ledger: LOAN_IS_SETTLED"


async def test_what_people_wrote_stays_in_the_service(desk: Desk) -> None:
    """Neither the thing, nor a reviewer's words, nor who acted goes out; ids and codes do."""
    words = ("a red car, plate 12345", "his wife called", "officer-1", "N-77")
    thing = Collateral(
        description=words[0],
        value_minor=1,
        valued_on=TODAY,
        prior_liens_minor=0,
        registration_number=words[3],
    )
    given = Guarantee(
        guarantee_id="Car-1",
        kind="GUARANTEE_KIND_COLLATERAL",
        provider_ref="Car-1",
        amount_minor=5,
        collateral=thing,
    )
    review = Review(reviewer_ref=words[2], approves=False, reason=words[1], at=NOW)
    await store(desk, submitted(guarantees=(given,), reviews=(review,)))

    async with desk.records.engine.connect() as connection:
        rows = (await connection.execute(OUTBOX.select())).mappings().all()
    told = ApplicationChanged.FromString(rows[-1]["body"]).application

    assert not any(word.encode() in rows[-1]["body"] for word in words)
    assert (told.application_id, told.guarantees[0].amount_minor) == ("A-1", 5)
    assert told.status == pb.APPLICATION_STATUS_SUBMITTED
