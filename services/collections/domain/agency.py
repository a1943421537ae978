"""An agency collects for us for a while: it is given what it needs, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Outcome, ProtectionKind
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.matter import Matter, Step
from shared.kernel.errors import InvalidArgument, NotFound, Refused

LOOK_BACK_DAYS, DELETION_DAYS = 30, 30


class AgencyNotApproved(Refused):
    """No legal step AGENCY was approved since the loan is late, or its day has not come."""


class LoanAlreadyPlaced(Refused):
    """The loan is with an agency."""


class PlacementNotFound(NotFound):
    """The loan is not with an agency, and never was."""


class LoanNotPlaced(Refused):
    """The loan was recalled already."""


class RecallTooEarly(InvalidArgument):
    """A loan comes back on the day it went out, or later."""


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """
    All that an agency is given; amounts in minor units.

    No name, income, circumstance, region, note, other loan or reason of a shield. `attempts` are
    days and channels only, since limits count across collectors; `quiet_channels` were opted out.
    """

    loan_id: str
    jurisdiction: str
    language: str
    time_zone: str
    phone: str
    email: str
    quiet_channels: tuple[str, ...]
    currency: str
    arrears_minor: int
    days_past_due: int
    attempts: tuple[tuple[str, str], ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """
    One placement of a loan; what was given is kept as its SHA-256 only.

    `number` counts the loan's placements, `approvals` what was approved in its matter by then: one
    approval is for one placement.
    """

    loan_id: str
    agency_ref: str
    placed_on: date
    placed_by: str
    package_sha256: str
    recalled_on: date | None = None
    recalled_by: str = ""
    why: str = ""
    number: int = 1
    approvals: int = 0

    @property
    def is_out(self) -> bool:
        """Whether the agency has it."""
        return self.recalled_on is None

    @property
    def delete_by(self) -> date | None:
        """By when the agency has deleted what it was given; None before recall."""
        return self.recalled_on + timedelta(days=DELETION_DAYS) if self.recalled_on else None


def package(case: Case, debtor: Debtor, attempts: Sequence[Attempt], on: date) -> Package:
    """Return what an agency is given of a case on a day."""
    quiet = {
        one.channel.lower()
        for one in debtor.protections
        if one.kind is ProtectionKind.OPT_OUT
        and one.channel is not None
        and one.from_on <= on
        and (one.until_on is None or on <= one.until_on)
    }
    since = on - timedelta(days=LOOK_BACK_DAYS)
    made = sorted(
        (one.at.date().isoformat(), one.channel.lower())
        for one in attempts
        if one.outcome is not Outcome.NOT_SENT and one.at.date() >= since
    )
    return Package(
        loan_id=case.loan_id,
        jurisdiction=debtor.jurisdiction,
        language=debtor.language,
        time_zone=debtor.time_zone,
        phone="" if {"call", "sms"} <= quiet else debtor.phone,
        email="" if "email" in quiet else debtor.email,
        quiet_channels=tuple(sorted(quiet)),
        currency=case.currency,
        arrears_minor=case.last.arrears_minor,
        days_past_due=case.last.days_past_due,
        attempts=tuple(made),
    )


def placed(before: Placement | None, matter: Matter, new: Placement) -> Placement:
    """Place a loan; raise LoanAlreadyPlaced or AgencyNotApproved."""
    if before is not None and before.is_out:
        raise LoanAlreadyPlaced(f"with {before.agency_ref}", field="loan_id")
    taken = matter.taken(Step.AGENCY)
    if taken is None or new.placed_on < taken.on:
        expected = "an approved step" if taken is None else f"from {taken.on}"
        raise AgencyNotApproved("not approved for then", field="loan_id", expected=expected)
    approvals = sum(1 for one in matter.steps if one.step is Step.AGENCY and one.approved_by)
    if before is None:
        return msgspec.structs.replace(new, approvals=approvals)
    again = matter.due_on < before.placed_on
    if again and approvals <= before.approvals:
        expected = "a step approved after the recall"
        raise AgencyNotApproved("approved for the placement before", expected=expected)
    return msgspec.structs.replace(new, number=before.number + 1, approvals=approvals)


def recalled(placement: Placement | None, on: date, by: str, why: str) -> Placement:
    """Recall a loan; raise PlacementNotFound, LoanNotPlaced or RecallTooEarly."""
    if placement is None:
        raise PlacementNotFound("the loan was never with an agency", field="loan_id")
    if not placement.is_out:
        raise LoanNotPlaced(f"recalled on {placement.recalled_on}", field="loan_id")
    if on < placement.placed_on:
        raise RecallTooEarly(f"{on}", field="on", expected=f"from {placement.placed_on}")
    return msgspec.structs.replace(placement, recalled_on=on, recalled_by=by, why=why)
