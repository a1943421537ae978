"""A case follows the delinquency events of one loan; its promises are kept or broken by them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import msgspec

from shared.kernel.errors import NotFound, Refused


class CaseNotFound(NotFound):
    """The loan has never had a case."""


class CaseIsClosed(Refused):
    """The case is closed: nothing is overdue."""


class PlanAlreadyOpen(Refused):
    """A hardship plan waits for approval."""


class PlanNotFound(NotFound):
    """No hardship plan waits for approval."""


class ApproverIsProposer(Refused):
    """Who proposed a plan does not approve it."""


class PromiseStatus(StrEnum):
    """Whether a promise was kept."""

    OPEN = "OPEN"
    KEPT = "KEPT"
    BROKEN = "BROKEN"


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """A promise to pay; minor units."""

    promise_id: str
    amount_minor: int
    made_on: date
    due_on: date
    paid_minor: int = 0
    known_on: date | None = None

    @property
    def status(self) -> PromiseStatus:
        """A function of what came in time and of how far we have seen; order does not matter."""
        if self.paid_minor >= self.amount_minor:
            return PromiseStatus.KEPT
        seen_past_it = self.known_on is not None and self.known_on > self.due_on
        return PromiseStatus.BROKEN if seen_past_it else PromiseStatus.OPEN


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was sent."""

    stage: str
    sent_on: date
    language: str


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to reach the borrower."""

    at: datetime
    channel: str
    outcome: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed new schedule."""

    status: str
    instalments: int
    first_due_on: date
    rate_annual: str
    reason: str
    proposed_by: str
    number: int
    approved_by: str = ""
    effective_on: date | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The case of one loan."""

    loan_id: str
    borrower_ref: str
    open: bool = True
    stage: str = ""
    opened_on: date
    days_past_due: int = 0
    arrears_minor: int = 0
    language: str = "zh"
    time_zone: str = ""
    contact_ceased: bool = False
    reminders: tuple[Reminder, ...] = ()
    contacts: tuple[Contact, ...] = ()
    promises: tuple[Promise, ...] = ()
    plan: Plan | None = None
    last_sequence: int = 0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One delinquency event as collections hears it; amounts in minor units."""

    loan_id: str
    borrower_ref: str
    sequence: int
    type: str
    effective_on: date
    days_past_due: int
    minor: bool
    bucket: str
    arrears_minor: int
    amount_minor: int = 0


_STAGES = ("GRACE", "M1", "M2", "M3", "M4", "M5", "M6", "M7")
_PAID = {"REPAYMENT_POSTED": 1, "RECOVERY_POSTED": 1, "REPAYMENT_REVERSED": -1}


def stage_of(heard: Heard) -> str:
    """Return the stage of treatment: grace while minor, else the bucket; empty when not late."""
    if heard.days_past_due == 0:
        return ""
    return "GRACE" if heard.minor else heard.bucket


def follow(case: Case | None, heard: Heard) -> tuple[Case | None, list[str]]:
    """
    Let a case hear one event.

    Args:
        case: The case so far; None when the loan never had one.
        heard: The event; one that was heard before changes nothing.
    Returns:
        The case after it, and what happened: case_opened, reminder_due, promise_kept,
        promise_broken, case_closed.
    """
    late = heard.days_past_due > 0
    if case is None and not late:
        return None, []
    if case is not None and heard.sequence <= case.last_sequence:
        return case, []
    happened: list[str] = []
    if case is None or (late and not case.open):
        case = _opened(case, heard)
        happened.append("case_opened")
    after = _promises_after(case, heard)
    happened += _promise_changes(case, after)
    stage = stage_of(heard)
    if late and _rank(stage) > _rank(case.stage):
        happened.append("reminder_due")
    changed = msgspec.structs.replace(
        after,
        stage=max(stage, case.stage, key=_rank),
        days_past_due=heard.days_past_due,
        arrears_minor=heard.arrears_minor,
        last_sequence=heard.sequence,
        open=late or heard.type == "CHARGED_OFF",
    )
    if case.open and not changed.open:
        happened.append("case_closed")
    return changed, happened


def _rank(stage: str) -> int:
    return _STAGES.index(stage) + 1 if stage else 0


def _opened(case: Case | None, heard: Heard) -> Case:
    if case is None:
        return Case(
            loan_id=heard.loan_id, borrower_ref=heard.borrower_ref, opened_on=heard.effective_on
        )
    return msgspec.structs.replace(case, open=True, stage="", opened_on=heard.effective_on)


def _promises_after(case: Case, heard: Heard) -> Case:
    paid = _PAID.get(heard.type, 0) * heard.amount_minor
    promises = tuple(
        msgspec.structs.replace(
            promise,
            paid_minor=promise.paid_minor
            + (paid if promise.made_on <= heard.effective_on <= promise.due_on else 0),
            known_on=max(promise.known_on or heard.effective_on, heard.effective_on),
        )
        for promise in case.promises
    )
    return msgspec.structs.replace(case, promises=promises)


def _promise_changes(before: Case, after: Case) -> list[str]:
    return [
        f"promise_{new.status.lower()}"
        for old, new in zip(before.promises, after.promises, strict=True)
        if old.status is not new.status and new.status is not PromiseStatus.OPEN
    ]


def see_date(case: Case, on: date) -> tuple[Case, list[str]]:
    """Let a case know how far the book has come; a promise whose date went by may be broken."""
    promises = tuple(
        msgspec.structs.replace(promise, known_on=max(promise.known_on or on, on))
        for promise in case.promises
    )
    after = msgspec.structs.replace(case, promises=promises)
    return after, _promise_changes(case, after)


def require_open(case: Case | None, loan_id: str) -> Case:
    """Return an open case; raise CaseNotFound or CaseIsClosed."""
    if case is None:
        raise CaseNotFound(f"loan {loan_id} has no case", field="loan_id")
    if not case.open:
        raise CaseIsClosed(f"the case of loan {loan_id} is closed", field="loan_id")
    return case
