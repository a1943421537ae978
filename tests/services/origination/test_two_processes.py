"""Two processes over one PostgreSQL: of two steps that exclude each other one is taken."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.common.v1 import money_pb2
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire_security
from services.origination.application.desk import ApplicationChangedMeanwhile, Desk, Prepared
from services.origination.application.disbursing import Disbursing
from services.origination.application.holding import hold
from services.origination.application.offering import withdraw
from services.origination.application.resolving import Resolving
from services.origination.application.securing import Securing
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import Application
from services.origination.domain.guarantors import Guarantor, GuarantorOverLimit
from services.origination.domain.pledges import Pledge, PolicySecuresAnother
from services.origination.domain.securities import LoanToValueExceeded
from services.origination.domain.state_machine import Status
from shared.kernel.errors import LendingError
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records, Work
from tests.services.origination.counterparts import Bank, DateOutOfOrder, FakeLedger
from tests.services.origination.killing import NOW, POLICIES, TOLD, contracted, disburse_request
from tests.services.origination.room import register
from tests.services.origination.test_pledges import THING, policy
from tests.system.processes import free_port

PAIRS = 30


@pytest.fixture
async def desks() -> AsyncIterator[tuple[Desk, Desk]]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    records = [Records(open_database(server.url())) for _ in range(2)]
    await records[0].create(APPLICATION_ID)
    ledger = FakeLedger()
    one, other = (Desk(each, ledger, POLICIES, *TOLD, lambda: NOW) for each in records)
    yield one, other
    for each in records:
        await each.engine.dispose()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def store(desk: Desk, application: Application) -> None:
    async with desk.records.work() as work:
        held = await hold(work, Application, application.application_id)
        await desk.keep(held, application)


def request(request_id: str, application_id: str) -> pb.ApplicationRequest:
    return pb.ApplicationRequest(request_id=request_id, application_id=application_id)


async def outcome(work: Any) -> Any:
    """Return what came of it: an answer or a refusal."""
    try:
        return await work
    except LendingError as refusal:
        return refusal


async def test_a_step_waits_for_the_other_and_gives_way(desks: tuple[Desk, Desk]) -> None:
    """While one process is about to store a withdrawal, another stores nothing beside it."""
    one, other = desks
    await store(one, contracted())
    found, stored, gate = await one.load("A-1"), asyncio.Event(), asyncio.Event()

    async def slowly(found: Application) -> Prepared:
        async def wait(work: Work) -> None:
            stored.set()
            await gate.wait()

        return (await withdraw(one)(found))._replace(also=wait)

    first = asyncio.create_task(one.step(request("w-1", "A-1"), "WithdrawApplication", slowly))
    await stored.wait()
    second = asyncio.create_task(outcome(other.swap(found, contracted())))
    changed = asyncio.create_task(
        outcome(other.swap(found, msgspec.structs.replace(found, region="SH")))
    )
    await asyncio.sleep(0.3)
    gate.set()

    assert (await first).status == pb.APPLICATION_STATUS_WITHDRAWN
    assert isinstance(await second, ApplicationChangedMeanwhile)
    assert isinstance(await changed, ApplicationChangedMeanwhile)
    assert (await one.load("A-1")).status is Status.WITHDRAWN


async def test_money_or_withdrawal(desks: tuple[Desk, Desk]) -> None:
    """What is withdrawn at one process was not paid out at the other."""
    one, other = desks
    bank, ends = Bank(), set()
    for number in range(PAIRS):
        name = f"A-{number}"
        await store(one, msgspec.structs.replace(contracted(), application_id=name))

        async def draw(name: str, delay: float) -> Any:
            await asyncio.sleep(delay)
            return await other.step(request(f"w-{name}", name), "Withdraw", withdraw(other))

        pay = Disbursing(one, bank).disburse(disburse_request(name))
        _, drawn = await asyncio.gather(outcome(pay), outcome(draw(name, number * 0.0004)))
        end = (await one.load(name)).status
        ends.add(end)
        withdrawn = getattr(drawn, "status", 0) == pb.APPLICATION_STATUS_WITHDRAWN
        assert withdrawn == (end is Status.WITHDRAWN)
        assert (f"payout-{name}-1" in bank.paid) == (end is Status.DISBURSED)

    assert ends <= {Status.WITHDRAWN, Status.DISBURSED}


async def test_two_applications_of_one_guarantor(desks: tuple[Desk, Desk]) -> None:
    """A guarantor with room for one takes one; what it guarantees adds up."""
    one, other = desks
    for number in range(PAIRS):
        name = f"G-{number}"
        async with one.records.work() as work:
            given = Guarantor(
                guarantor_ref=name,
                currency="CNY",
                net_assets_minor=10_000_000,
                elsewhere_minor=99_000_000,
                small_borrowers=False,
                stated_on=NOW.date(),
            )
            await (await hold(work, Guarantor, name)).put(given)
        for side in "ab":
            fresh = {"application_id": f"{name}-{side}", "borrower_ref": f"B-{number}{side}"}
            fresh |= {"terms_json": "", "contract_sha256": "", "status": Status.SUBMITTED}
            await store(one, msgspec.structs.replace(contracted(), signatures=(), **fresh))

        found = await asyncio.gather(
            outcome(Securing(one, wire_security).add(guarantee(f"{name}-a", name))),
            outcome(Securing(other, wire_security).add(guarantee(f"{name}-b", name))),
        )
        async with one.records.work() as work:
            after = await work.get(Guarantor, name)

        assert [type(o) for o in found if isinstance(o, LendingError)] == [GuarantorOverLimit]
        assert after is not None
        assert after.outstanding_minor == 100_000_000


@pytest.mark.parametrize("what", ["policy", "thing"])
async def test_two_applications_of_one_policy_or_thing(desks: tuple[Desk, Desk], what: str) -> None:
    """Asked for at two processes at once it secures one of them, and what is counted is right."""
    one, other = desks
    for number in range(PAIRS // 2):
        for side in "ab":
            fresh = {"application_id": f"P-{number}-{side}", "borrower_ref": f"B-{number}{side}"}
            fresh |= {"terms_json": "", "contract_sha256": "", "status": Status.SUBMITTED}
            await store(one, msgspec.structs.replace(contracted(), signatures=(), **fresh))
        await register(one, f"I-{number}", 1_000_000_000)

        found = await asyncio.gather(
            outcome(Securing(one, wire_security).add(pledging(what, number, "a"))),
            outcome(Securing(other, wire_security).add(pledging(what, number, "b"))),
        )
        async with one.records.work() as work:
            pledges = [p async for p in work.every(Pledge) if f"P-{number}-" in str(p.secured)]

        refusal = PolicySecuresAnother if what == "policy" else LoanToValueExceeded
        assert [type(o) for o in found if isinstance(o, LendingError)] == [refusal]
        assert [[s.amount_minor for s in pledge.secured] for pledge in pledges] == [[60_000]]


def pledging(what: str, number: int, side: str) -> pb.AddGuaranteeRequest:
    """Ask for a policy, or for more than half of a thing."""
    asked = pb.AddGuaranteeRequest(
        request_id=f"pledge-{number}-{side}",
        application_id=f"P-{number}-{side}",
        provider_ref=f"I-{number}",
        amount=money_pb2.Money(amount_minor=60_000, currency="CNY"),
        kind=pb.GUARANTEE_KIND_INSURANCE if what == "policy" else pb.GUARANTEE_KIND_COLLATERAL,
    )
    if what == "policy":
        asked.insurance.CopyFrom(policy("PGI-1"))
    else:
        asked.collateral.CopyFrom(THING)
        asked.collateral.value_minor = 100_000
    return asked


async def test_words_beside_a_machine_that_goes_on(desks: tuple[Desk, Desk]) -> None:
    """
    The ledger begins to take a disbursal while two persons say elsewhere that it was taken back.

    Either it is lent, or it was taken back and the ledger has nothing: never both.
    """
    one, other = desks
    ledger, bank, ends = one.ledger, Bank(), set()
    for number in range(PAIRS):
        name = f"W-{number}"
        await store(one, msgspec.structs.replace(contracted(), application_id=name))
        ledger.trouble[f"disbursal-{name}-1"] = DateOutOfOrder("the day is closed")
        await outcome(Disbursing(one, bank).disburse(disburse_request(name)))

        async def words(name: str) -> None:
            for by in ("officer-1", "officer-2"):
                body = {"application_id": name, "payout_id": f"payout-{name}-1"}
                body |= {"request_id": f"{name}-{by}", "resolved_by": by, "reference": "recall"}
                word = pb.ResolvePayoutRequest(outcome=pb.PAYOUT_OUTCOME_RETURNED, **body)
                await outcome(Resolving(other, Disbursing(other, bank)).resolve(word))

        async def machine(name: str, delay: float) -> None:
            await asyncio.sleep(delay)
            ledger.trouble.clear()
            await outcome(Disbursing(one, bank).finish(name))

        await asyncio.gather(words(name), machine(name, number * 0.001))
        await outcome(Disbursing(one, bank).finish(name))
        found = await one.load(name)
        lent = bool(ledger.loans[found.loan_id].out)
        ends.add(found.status)
        assert lent == (found.status is Status.DISBURSED), found.trail

    assert ends <= {Status.DISBURSED, Status.PAYOUT_RETURNED}


def guarantee(application_id: str, guarantor_ref: str) -> pb.AddGuaranteeRequest:
    return pb.AddGuaranteeRequest(
        request_id=f"add-{application_id}",
        application_id=application_id,
        kind=pb.GUARANTEE_KIND_GUARANTOR,
        provider_ref=guarantor_ref,
        amount=money_pb2.Money(amount_minor=1_000_000, currency="CNY"),
    )


def test_records_are_written_by_who_holds_them() -> None:
    """Applications and guarantors are stored through `Held`; documents are written once."""
    room = Path(__file__).parents[3] / "services/origination"
    found = {
        f"{path.name}: {line.strip()}"
        for path in room.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if "work.put" in line or ".put_all(" in line
    }

    assert found == {
        "holding.py: await self.work.put(after, self.record_id, state)",
        "keeping.py: await work.put(shown, shown_id(application.application_id, kind, "
        "text.sha256))",
    }
