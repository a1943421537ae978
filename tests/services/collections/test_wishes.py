"""What a debtor wishes stays so, attempts end once, and a new house hears history mute."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import collections_service_pb2 as cases_pb

from services.collections.application.trail import AttemptHasEnded
from services.collections.compose import subscriber
from services.collections.config import CollectionsSettings
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Channel, Outcome
from services.collections.domain.debtor import (
    Attempt,
    ContactNotNow,
    EmailNotValid,
)
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_carriers import register
from tests.services.collections.test_sending import protect, shield

LATE = event(1, "GRACE_ENTERED", "2026-02-06", 1)

BAD = ["x@y.z\nfoo", "no address", "a@b@c", "李@example.com"]


@pytest.mark.parametrize("email", BAD)
async def test_an_address_to_which_no_mail_goes_is_refused(tmp_path: Path, email: str) -> None:
    """What cannot stand in a mail's head is refused when it is registered."""
    async with a_house(tmp_path) as house:
        with pytest.raises(EmailNotValid):
            await register(house, email=email)


async def test_setting_the_language_lifts_no_shield(tmp_path: Path) -> None:
    """Who asked not to be contacted stays shielded when only the language is set."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)
        asked = cases_pb.SetPreferencesRequest(
            loan_id="L-1", contact_ceased=True, lost=True, hours_waived=True
        )
        english = cases_pb.SetPreferencesRequest(loan_id="L-1", language="en")
        for request in (asked, english):
            async with house.desk.records.work() as work:
                case = await work.get(Case, "L-1")
                assert case is not None
                debtor = await house.debtors.set_preferences(work, case, request)

        assert [one.until_on for one in debtor.protections] == [None]
        assert (debtor.lost, debtor.hours_waived, debtor.language) == (True, True, "en")


def call(name: str, minute: int = 0, **more: Any) -> Attempt:
    at = datetime(2026, 2, 10, 3, minute, tzinfo=UTC)
    known: dict[str, Any] = {"channel": Channel.CALL, "by": "agent-1", **more}
    return Attempt(attempt_id=name, borrower_ref="B-1", loan_id="L-1", at=at, **known)


async def test_a_breach_counts_at_the_number_it_was_made_to(tmp_path: Path) -> None:
    """What is asked and what broke a rule carry the number, as every permitted attempt does."""
    async with a_house(tmp_path) as house:
        await register(house, phone="+8613800000000")
        await hear(house, LATE)
        await protect(house, shield("DISPUTE"))
        async with house.desk.records.work() as work:
            broke = await house.desk.contacting.happened(work, call("c-1"))
        assert (broke.address, bool(broke.breach)) == ("+8613800000000", True)


async def test_an_attempt_ends_once(tmp_path: Path) -> None:
    """How an attempt ended is said once, and those of messages are not people's to end."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)
        async with house.desk.records.work() as work:
            await house.desk.contacting.permit(work, call("c-1"))
            await house.debtors.finish(work, "c-1", Outcome.REACHED)
        with pytest.raises(AttemptHasEnded):
            async with house.desk.records.work() as work:
                await house.debtors.finish(work, "c-1", Outcome.NO_ANSWER)


async def test_in_real_life_an_attempt_is_recorded_when_it_is_made(tmp_path: Path) -> None:
    """By the wall's clock nobody reserves a call for another day, nor slips one into the past."""
    async with a_house(tmp_path, clock="wall") as house, house.desk.records.work() as work:
        with pytest.raises(ContactNotNow):
            await house.desk.contacting.begin(work, call("c-1"))


HEARD = [("business", "clock", False), ("wall", "clock", True), ("wall", "no", False)]


@pytest.mark.parametrize(("clock", "setting", "muted"), HEARD)
async def test_in_real_life_a_new_house_hears_history_mute(
    tmp_path: Path, clock: str, setting: str, muted: bool
) -> None:
    """A lost database must not write to everybody again."""
    async with a_house(tmp_path) as house:
        settings = CollectionsSettings(clock=clock, mute_history=setting)
        assert subscriber(settings, house, None).mute_history is muted  # type: ignore[arg-type]
