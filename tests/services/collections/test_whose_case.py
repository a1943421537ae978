"""A case belongs to whom it was opened for, however its events are told and cut into batches."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.collections import wire
from services.collections.application.desk import messages_of
from services.collections.domain.case import Case
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.collections.house import a_house, event

OPENED = event(1, "GRACE_ENTERED", "2026-02-06", 1, borrower="B-1")
CURED_AS_ANOTHER = event(2, "CURED", "2026-02-07", 0, borrower="B-2")


@pytest.mark.parametrize("batches", [[[OPENED], [CURED_AS_ANOTHER]], [[OPENED, CURED_AS_ANOTHER]]])
async def test_an_event_that_names_another_borrower(
    tmp_path: Path, batches: list[list[Any]]
) -> None:
    """The loan's case is closed, and is still that of its borrower; in one batch and in two."""
    async with a_house(tmp_path) as house:
        for batch in batches:
            async with house.desk.records.work() as work:
                for one in batch:
                    await house.desk.hear(wire.heard(one), work)

        async with house.desk.records.work() as work:
            case = await work.get(Case, "L-1")
            (message,) = await messages_of(work, "L-1")

    assert case is not None
    assert (case.borrower_ref, case.open, len(case.facts)) == ("B-1", False, 2)
    assert message.borrower_ref == "B-1"


async def test_who_changes_a_case_holds_its_borrower(tmp_path: Path, postgres_url: str) -> None:
    """Who holds only the borrower that the event names is not waited for."""
    other = Records(open_database(postgres_url))
    async with a_house(tmp_path, database_url=postgres_url) as house:
        async with house.desk.records.work() as work:
            await house.desk.hear(wire.heard(OPENED), work)

        async with asyncio.timeout(20), other.work() as theirs:
            await theirs.hold("B-2")
            async with house.desk.records.work() as work:
                await house.desk.hear(wire.heard(CURED_AS_ANOTHER), work)
                assert work.held == {"B-1"}
    await other.engine.dispose()
