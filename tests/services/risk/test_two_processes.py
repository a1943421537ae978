"""Two risk processes on one PostgreSQL, asked the same at the same time: one effect each."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from lending.risk.v1 import affordability_service_pb2 as plan_pb
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk import wire_decisions
from services.risk.application.book import Decided
from services.risk.application.deciding import Deciding
from services.risk.application.decision_desk import DecisionDesk
from services.risk.application.exposures import Exposures
from services.risk.application.plans import Plans
from services.risk.config import APPLICATION_ID
from services.risk.entrypoints.affordability_service import AffordabilityService
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records, RequestIdReused
from tests.services.risk.asking import asked
from tests.services.risk.test_decision import MODELS, POLICIES
from tests.services.risk.test_plan_affordability import POLICIES as PLANS
from tests.services.risk.test_plan_affordability import asked as planned
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
