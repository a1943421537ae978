"""A process that dies at any await, over a database, a ledger and a bank that live on."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from lending.common.v1 import money_pb2
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire, wire_events
from services.origination.adapters.policy_file import read_policies
from services.origination.application.desk import Desk
from services.origination.application.disbursing import Disbursing
from services.origination.application.holding import hold
from services.origination.application.terms import as_json
from services.origination.compose import APPLICATION_ID
from services.origination.config import OriginationSettings
from services.origination.domain.application import Application, Signature
from services.origination.domain.state_machine import Status
from shared.runtime.database import open_database
from shared.runtime.records import OUTBOX, Records
from tests.services.origination.counterparts import OLD, TODAY, Bank, FakeLedger, old_loan
from tests.services.origination.mortal import Killable, Killed

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LIVES_MAX, LENT = 20, 100_000
PARTS = (40_000, 35_000, 25_000)
POLICIES = read_policies(OriginationSettings().policies_file)
TOLD = wire.application_message, wire_events.changed


def contracted(parts_max: int = 1) -> Application:
    """Return an application whose contract is accepted, to be paid out in up to some parts."""
    terms = loan_pb2.Terms(
        currency="CNY",
        principal_minor=100_000,
        rate_annual="0.12",
        instalments=1,
        months_per_instalment=1,
        first_due_on="2026-02-05",
        disbursements_max=parts_max,
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
    parts: tuple[int, ...] = (LENT,)

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
        given = contracted(len(self.parts))
        refinanced = msgspec.structs.replace(given, refinances=self.refinances)

        async def work(disbursing: Disbursing) -> None:
            await disbursing.desk.records.create(APPLICATION_ID)
            async with disbursing.desk.records.work() as work:
                held = await hold(work, Application, refinanced.application_id)
                await disbursing.desk.keep(held, refinanced)

        await self.live(work, 0)

    async def check(self) -> None:
        """Each part paid, disbursed and told of once, and the application says so."""

        async def work(disbursing: Disbursing) -> None:
            found = await disbursing.desk.load("A-1")
            if self.ledger.meanwhile_minor and found.status is Status.PAYOUT_RETURNED:
                self.check_nothing_moved(found)
                return
            numbers = range(1, len(self.parts) + 1)
            assert found.status is Status.DISBURSED
            assert [p.reference for p in found.payouts] == [f"bank-payout-A-1-{n}" for n in numbers]
            steps = [line.step for line in found.trail]
            once = ["disburse", "send", "sent", "pay"]
            assert [s for s in steps if s in once] == once * len(self.parts)
            assert set(steps) - set(once) <= {"payoff", "rest", "redate"}
            async with disbursing.desk.records.engine.connect() as connection:
                subjects = (await connection.execute(OUTBOX.select())).mappings().all()
            ends = [row for row in subjects if "application_disbursed" in row["subject"]]
            assert len(ends) == len(self.parts)
            self.check_money(found)

        await self.live(work, 0)

    def check_nothing_moved(self, found: Application) -> None:
        """The borrower paid to the old loan just before its payoff was asked for: no order left."""
        assert [p.returned for p in found.payouts] == ["ledger: REPAYMENT_ABOVE_PAYOFF"]
        assert self.bank.orders == {}
        assert self.ledger.loans["L-A-1"].out == {}
        assert set(self.ledger.loans[OLD].back) == {"by the borrower"}

    def check_money(self, found: Application) -> None:
        """All that is lent went out once: to the old loan what it needed, the rest to the bank."""
        old, new = self.ledger.loans[OLD], self.ledger.loans["L-A-1"]
        ours = {name: amount for name, (_, amount) in old.back.items() if "A-1" in name}
        rest = found.payouts[-1].rest_minor
        assert sum(self.bank.paid.values()) + sum(ours.values()) == sum(self.parts)
        assert self.bank.moves == len(self.parts) + bool(rest)
        assert ours == self.expected_payoff(found.payouts[-1].value_on)
        assert new.out == {
            f"disbursal-A-1-{n}": (payout.value_on, amount)
            for n, (payout, amount) in enumerate(
                zip(found.payouts, self.parts, strict=True), start=1
            )
        }
        assert all(self.bank.orders[p.payout_id].value_on == p.value_on for p in found.payouts)

    def expected_payoff(self, value_on: date) -> dict[str, int]:
        """One repayment of the old loan, of what it needed; none without one."""
        on, before = self.ledger.on, old_loan()
        others = self.ledger.loans[OLD].back.get("by the borrower")
        before.back = {"by the borrower": others} if others else {}
        then, now = before.payoff(value_on), before.payoff(on)
        needed = min(then, now)
        return {f"payoff-A-1-{needed}": needed} if self.refinances and needed > 0 else {}


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


async def draw(disbursing: Disbursing) -> None:
    """What a client asks who draws the loan in parts; parts drawn before are asked for again."""
    for number, amount in enumerate(PARTS, start=1):
        await disbursing.disburse_part(
            pb.DisburseTrancheRequest(
                request_id=f"part-{number}",
                application_id="A-1",
                amount=money_pb2.Money(amount_minor=amount, currency="CNY"),
            )
        )


def asks(world: World) -> Callable[[Disbursing], Awaitable[None]]:
    """Return what the client of a world asks for."""
    return draw if len(world.parts) > 1 else disburse


async def awaits_of_a_quiet_life(world: World) -> int:
    """Return at how many awaits the payouts of a loan can die."""
    await world.begin()
    _, awaits = await world.live(asks(world), 0)
    await world.check()
    return awaits


async def one_kill(world: World, at: int) -> bool:
    """Kill a payout once; the next process finishes alone what was begun. Return if it died."""
    await world.begin()
    lived, _ = await world.live(asks(world), at)
    await world.live(resume, 0)
    await world.live(asks(world), 0)
    await world.check()
    return not lived


async def many_kills(world: World, seed: int, awaits: int) -> int:
    """Kill process after process at random awaits, clients asking again; return how many died."""
    chance, died = random.Random(seed), 0
    world.ledger.turns_at = chance.randint(1, 2 * awaits // 3)
    await world.begin()
    for _ in range(LIVES_MAX):
        work = chance.choice([asks(world), resume])
        lived, _ = await world.live(work, chance.randint(1, awaits))
        died += not lived
        if lived and work is not resume:
            break
    await world.live(asks(world), 0)
    await world.check()
    return died
