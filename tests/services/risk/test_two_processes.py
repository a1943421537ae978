"""Two risk processes on one PostgreSQL, asked the same at the same time: one effect each."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from lending.ledger.v1.events_pb2 import DelinquencyEvent
from lending.risk.v1 import affordability_service_pb2 as plan_pb
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk import wire, wire_decisions
from services.risk.adapters.artefacts import read_toml
from services.risk.application.book import Decided
from services.risk.application.deciding import Deciding
from services.risk.application.decision_desk import DecisionDesk
from services.risk.application.exposures import Exposures
from services.risk.application.plans import Plans
from services.risk.application.watch import Watch
from services.risk.config import APPLICATION_ID, RiskSettings
from services.risk.domain.early_warning import Alert, AlertIsClosed, AlertOutcome
from services.risk.domain.indicators import Heard, WarningRules
from services.risk.domain.reservation import heard as told_of
from services.risk.domain.signs import Behaviour
from services.risk.entrypoints.affordability_service import AffordabilityService
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records, RequestIdReused
from shared.subscriber.event import Event, Restatement
from tests.services.risk.asking import asked, cny
from tests.services.risk.test_any_order import MESSAGE
from tests.services.risk.test_decision import MODELS, POLICIES
from tests.services.risk.test_plan_affordability import POLICIES as PLANS
from tests.services.risk.test_plan_affordability import asked as planned
from tests.services.risk.test_reservations import TOLD
from tests.system.processes import free_port

MANY = 30


@pytest.fixture
def url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-risk-"))
    server = start_postgres(folder / "pg", free_port())
    yield server.url()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def desk_of(url: str) -> DecisionDesk:
    book = Exposures(Records(open_database(url)))
    await book.records.create(APPLICATION_ID)
    await book.create(APPLICATION_ID)
    return DecisionDesk(Deciding(book, POLICIES, MODELS), wire_decisions)


async def test_a_batch_at_two_processes_has_one_effect(url: str) -> None:
    """Both processes give the same answers, and each application is decided once."""
    desks = [await desk_of(url) for _ in range(2)]
    forms = [ParseDict(asked(n), pb.ScoreApplicationRequest()) for n in range(100, 100 + MANY)]
    one, other = await asyncio.gather(
        *(asyncio.gather(*(desk.ask(form) for form in forms)) for desk in desks)
    )
    async with desks[0].deciding.records.work() as work:
        kept = [decided.decision_id async for decided in work.every(Decided)]
    for desk in desks:
        await desk.deciding.records.engine.dispose()

    assert one == other
    assert sorted(kept) == sorted(form.request_id for form in forms)


async def watch_of(url: str) -> Watch:
    book = (await desk_of(url)).deciding.book
    rules = msgspec.convert(read_toml(RiskSettings().warning_file), WarningRules)
    return Watch(book.records, rules, book, wire.alert_told)


async def test_an_alert_is_taken_over_or_withdrawn_but_not_both(url: str) -> None:
    """While one process hears that money came in time, an officer takes the alert at another."""
    one, other = await watch_of(url), await watch_of(url)
    loans = [f"L-{number}" for number in range(MANY)]

    def heard(loan_id: str, sequence: int, type_: str, day: int) -> Heard:
        fields = {"loan_id": loan_id, "borrower_ref": f"B-{loan_id}", "sequence": sequence}
        on = date(2026, 2, day)
        return Heard(**fields, type=type_, effective_on=on, log_version=sequence, amount_minor=0)

    for loan_id in loans:
        async with one.book.work() as work:
            await one.hear(heard(loan_id, 1, "GRACE_EXPIRED", 9), work)

    async def takes_back(loan_id: str) -> None:
        body = DelinquencyEvent(borrower_ref=f"B-{loan_id}", effective_on="2026-02-05")
        told = Event(f"{loan_id}/2", "TIMELINE_RESTATED", loan_id, 2, "", "", body, MESSAGE)
        async with one.book.work() as work:
            await one.restate(told, Restatement((1,), "2026-02-05", "2026-02-09", 4, 0), work)

    async def takes_over(loan_id: str) -> str:
        on, alert_id = date(2026, 2, 10), f"2026-02-09.{loan_id}.GRACE_EXPIRED"
        async with other.records.work() as work:
            try:
                await other.acknowledge(work, alert_id, "officer-7", on, AlertOutcome.UNSPECIFIED)
            except AlertIsClosed:
                return ""
        return alert_id

    taken, _ = await asyncio.gather(
        asyncio.gather(*map(takes_over, loans)), asyncio.gather(*map(takes_back, loans))
    )
    async with one.records.work() as work:
        stored = {alert.alert_id: alert async for alert in work.every(Alert)}
    for watch in (one, other):
        await watch.records.engine.dispose()

    assert len(stored) == MANY
    assert {name for name, alert in stored.items() if alert.owner} == {n for n in taken if n}
    assert all(bool(alert.owner) is alert.is_open for alert in stored.values())


async def test_a_batch_and_a_single_request_of_one_id_have_one_effect(url: str) -> None:
    """Whichever comes first counts; the other is told that its id had another body."""
    desk, other = await desk_of(url), await desk_of(url)
    plans = AffordabilityService(other.deciding.records, Plans(PLANS))
    forms = [ParseDict(asked(n), pb.ScoreApplicationRequest()) for n in range(100, 100 + MANY)]
    singles = [
        ParseDict(planned(1, requestId=form.request_id), plan_pb.AssessAffordabilityRequest())
        for form in forms
    ]
    found = await asyncio.gather(
        *(desk.ask(form) for form in forms),
        *(plans.AssessAffordability(single, None) for single in singles),
        return_exceptions=True,
    )
    for one in (desk, other):
        await one.deciding.records.engine.dispose()

    refusals = [one for one in found if isinstance(one, BaseException)]
    assert len(refusals) == MANY
    assert {type(one) for one in refusals} == {RequestIdReused}


async def test_an_income_is_a_sign_whichever_process_knows_the_loan(url: str) -> None:
    """A loan that another process heard of is a loan: its borrower's income is looked at."""
    here, there = await watch_of(url), await watch_of(url)
    async with there.book.work() as work:
        await there.book.put(work, [one for one in [told_of(None, TOLD, None)] if one])
    plans = AffordabilityService(here.records, Plans(PLANS, here))
    income = {"source": "payroll", "verifiedOn": "2026-03-01", "monthly": cny(600_000)}
    given = planned(1, loanId="", verifiedIncome=income)
    await plans.AssessAffordability(ParseDict(given, plan_pb.AssessAffordabilityRequest()), None)
    async with here.records.work() as work:
        known = await work.get(Behaviour, TOLD.borrower_ref)
    for watch in (here, there):
        await watch.records.engine.dispose()

    assert known is not None
    assert [sign.loan_id for sign in known.signs] == [TOLD.loan_id]


async def test_a_borrower_may_have_a_long_reference(url: str) -> None:
    """The ledger takes any text of two hundred characters: what it tells of them is kept too."""
    watch = await watch_of(url)
    names = ["人" * 200, "x\u0000" * 3]
    for number, name in enumerate(names):
        event = Heard(
            loan_id=f"L-{number}",
            borrower_ref=name,
            sequence=1,
            type="GRACE_EXPIRED",
            effective_on=date(2026, 2, 9),
        )
        async with watch.book.work() as work:
            await watch.hear(event, work)
    async with watch.records.work() as work:
        found = [alert.borrower_ref async for alert in work.every(Alert)]
    await watch.records.engine.dispose()

    assert found == names
