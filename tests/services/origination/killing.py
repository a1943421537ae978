"""A process that dies at any await, over a database, a ledger and a bank that live on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire, wire_events
from services.origination.adapters.policy_file import read_policies
from services.origination.application.desk import Desk
from services.origination.application.disbursing import Disbursing
from services.origination.application.holding import hold
from services.origination.application.ports import PayoutAnswer, PayoutOrder
from services.origination.application.terms import as_json
from services.origination.compose import APPLICATION_ID
from services.origination.config import OriginationSettings
from services.origination.domain.application import Application, Signature
from services.origination.domain.state_machine import Status
from shared.kernel.errors import Refused
from shared.runtime.database import open_database
from shared.runtime.records import OUTBOX, Records
from tests.services.origination.mortal import Killable, Killed

TODAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LIVES_MAX, OLD_PAYOFF = 20, 30_000
POLICIES = read_policies(OriginationSettings().policies_file)
TOLD = wire.application_message, wire_events.changed


class RepaymentAbovePayoff(Refused):
    """The ledger takes no more than is owed."""


class LoanAlreadyDisbursed(Refused):
    """The ledger pays a loan out once."""


@dataclass
class Bank:
    """Pays each id once, and counts; it answers after the money has moved."""

    paid: dict[str, int] = field(default_factory=dict)
    moves: int = 0

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        await asyncio.sleep(0)
        if order.payout_id not in self.paid:
            self.paid[order.payout_id] = order.amount_minor
            self.moves += 1
        await asyncio.sleep(0)
        return PayoutAnswer(f"bank-{order.payout_id}")


@dataclass
class FakeLedger:
    """Opens and pays out once per request id, as the ledger does; refuses a second payout."""

    opened: dict[str, str] = field(default_factory=dict)
    disbursed: dict[str, str] = field(default_factory=dict)
    owed: int = OLD_PAYOFF
    owed_later: int = OLD_PAYOFF
    repaid: dict[str, int] = field(default_factory=dict)

    async def GetBusinessDate(self, request: Any) -> Any:
        await asyncio.sleep(0)
        return ledger_pb.BusinessDate(on=TODAY.isoformat())

    async def PreviewLoan(self, request: Any) -> Any:
        await asyncio.sleep(0)
        terms = request.terms
        row = loan_pb2.Instalment(
            number=1, due_on=terms.first_due_on, principal_due_minor=terms.principal_minor
        )
        return loan_pb2.Loan(terms=terms, instalments=[row], effective_on=request.value_on)

    async def OpenLoan(self, request: Any) -> Any:
        await asyncio.sleep(0)
        assert self.opened.setdefault(request.loan_id, request.request_id) == request.request_id
        await asyncio.sleep(0)
        return loan_pb2.Loan(loan_id=request.loan_id)

    async def DisburseLoan(self, request: Any) -> Any:
        await asyncio.sleep(0)
        known = self.disbursed.get(request.loan_id)
        if known is not None and (request.validate_only or known != request.request_id):
            raise LoanAlreadyDisbursed(f"{request.loan_id} is paid out")
        if not request.validate_only:
            self.disbursed[request.loan_id] = request.request_id
        await asyncio.sleep(0)
        return loan_pb2.Loan(loan_id=request.loan_id)

    async def GetLoan(self, request: Any) -> Any:
        await asyncio.sleep(0)
        return loan_pb2.Loan(
            loan_id=request.loan_id,
            borrower_ref="B-1",
            status=loan_pb2.LOAN_STATUS_ACTIVE if self.owed else loan_pb2.LOAN_STATUS_SETTLED,
            terms=loan_pb2.Terms(currency="CNY"),
            payoff_minor=self.owed,
        )

    async def PostRepayment(self, request: Any) -> Any:
        await asyncio.sleep(0)
        amount = request.amount.amount_minor
        if not request.validate_only and not self.repaid:
            self.owed = self.owed_later
        if request.request_id in self.repaid:
            return ledger_pb.PostRepaymentResponse()
        if amount > self.owed:
            raise RepaymentAbovePayoff(f"{amount} is above {self.owed}")
        if not request.validate_only:
            self.repaid[request.request_id] = amount
            self.owed -= amount
        await asyncio.sleep(0)
        return ledger_pb.PostRepaymentResponse()


def contracted() -> Application:
    """Return an application whose contract is accepted."""
    terms = loan_pb2.Terms(
        currency="CNY",
        principal_minor=100_000,
        rate_annual="0.12",
        instalments=1,
        months_per_instalment=1,
        first_due_on="2026-02-05",
    )
    return Application(
        application_id="A-1",
        borrower_ref="B-1",
        applicant_name="Li Lei",
        identity_number="X",
        product="consumer-2026",
        currency="CNY",
        amount_minor=100_000,
        instalments=1,
        method="REPAYMENT_METHOD_BULLET",
        monthly_income_minor=1,
        monthly_debt_payments_minor=0,
        other_lenders=0,
        enquiries_30d=0,
        age_years=30,
        purpose="radio/television",
        attributes={},
        applied_on=TODAY,
        status=Status.CONTRACTED,
        terms_json=as_json(terms),
        contract_sha256="c",
        signatures=(Signature(party_ref="B-1", contract_sha256="c", at=NOW),),
    )


@dataclass
class World:
    """What outlives the process."""

    folder: Path
    bank: Bank = field(default_factory=Bank)
    ledger: FakeLedger = field(default_factory=FakeLedger)
    refinances: str = ""

    async def live(
        self, work: Callable[[Disbursing], Awaitable[Any]], kill_at: int
    ) -> tuple[bool, int]:
        """Start a process, have it work, perhaps kill it; return whether it lived, and awaits."""
        engine = open_database(f"sqlite+aiosqlite:///{self.folder}/origination.db")
        desk = Desk(Records(engine), self.ledger, POLICIES, *TOLD, lambda: NOW)
        life = Killable(work(Disbursing(desk, self.bank)), kill_at)
        try:
            await life
            return True, life.awaits
        except Killed:
            return False, life.awaits
        finally:
            await engine.dispose()

    async def begin(self) -> None:
        """Store the accepted contract."""

        async def work(disbursing: Disbursing) -> None:
            await disbursing.desk.records.create(APPLICATION_ID)
            async with disbursing.desk.records.work() as work:
                refinanced = msgspec.structs.replace(contracted(), refinances=self.refinances)
                held = await hold(work, Application, refinanced.application_id)
                await disbursing.desk.keep(held, refinanced)

        await self.live(work, 0)

    async def check(self) -> None:
        """One payout, one disbursal, one message about it, and the application says so."""

        async def work(disbursing: Disbursing) -> None:
            found = await disbursing.desk.load("A-1")
            assert found.status is Status.DISBURSED
            assert [p.reference for p in found.payouts] == ["bank-payout-A-1-1"]
            steps = [line.step for line in found.trail]
            assert [s for s in steps if s not in ("payoff", "rest")] == [
                "disburse",
                "send",
                "sent",
                "pay",
            ]
            async with disbursing.desk.records.engine.connect() as connection:
                subjects = (await connection.execute(OUTBOX.select())).mappings().all()
            ends = [row for row in subjects if "application_disbursed" in row["subject"]]
            assert len(ends) == 1

        await self.live(work, 0)
        assert sum(self.bank.paid.values()) + sum(self.ledger.repaid.values()) == 100_000
        assert self.ledger.repaid == self.expected_payoff()
        assert self.bank.moves == (2 if self.refinances and self.less() else 1)
        assert self.ledger.disbursed == {"L-A-1": "disbursal-A-1-1"}

    def less(self) -> int:
        """What the old loan turned out not to need."""
        return OLD_PAYOFF - self.ledger.owed_later

    def expected_payoff(self) -> dict[str, int]:
        """One repayment of the old loan, of what it needed; none without one."""
        needed = self.ledger.owed_later
        return {f"payoff-A-1-{needed}": needed} if self.refinances and needed else {}


def disburse_request(application_id: str, request_id: str = "") -> pb.ApplicationRequest:
    """Return a client's request; the same one again unless another id is given."""
    name = request_id or f"disburse-{application_id}"
    return pb.ApplicationRequest(request_id=name, application_id=application_id)


async def disburse(disbursing: Disbursing) -> None:
    """What a client asks."""
    await disbursing.disburse(disburse_request("A-1"))


async def resume(disbursing: Disbursing) -> None:
    """What a started process does by itself."""
    await disbursing.resume()


async def awaits_of_a_quiet_life(folder: Path) -> int:
    """Return at how many awaits a disbursal can die."""
    world = World(folder)
    await world.begin()
    _, awaits = await world.live(disburse, 0)
    await world.check()
    return awaits


async def one_kill(folder: Path, at: int, refinances: str = "", owed_later: int = 0) -> bool:
    """Kill a disbursal once; the next process finishes alone what was begun. Return if it died."""
    world = World(folder, ledger=FakeLedger(owed_later=owed_later), refinances=refinances)
    await world.begin()
    lived, _ = await world.live(disburse, at)
    await world.live(resume, 0)
    await world.live(disburse, 0)
    await world.check()
    return not lived


async def many_kills(folder: Path, seed: int, awaits: int) -> int:
    """Kill process after process at random awaits, clients asking again; return how many died."""
    chance, world, died = random.Random(seed), World(folder), 0
    await world.begin()
    for _ in range(LIVES_MAX):
        work = chance.choice([disburse, resume])
        lived, _ = await world.live(work, chance.randint(1, awaits))
        died += not lived
        if lived and work is disburse:
            break
    await world.live(disburse, 0)
    await world.check()
    return died
