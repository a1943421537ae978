"""How a borrower behaved on a loan, as it was known on a date; nothing of what came later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import msgspec

from shared.kernel.errors import InvalidArgument

WINDOW_DAYS = 180
NEVER_DAYS = 999
DRIFT = 0.5
"""Weight of the newest instalment in the moving average of days to pay."""


class FactFromTheFuture(InvalidArgument):
    """A feature was asked for as of a date, and given something that was learned later."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One delinquency event, and the business date on which it was learned; minor units."""

    loan_id: str
    sequence: int
    type: str
    effective_on: date
    known_on: date
    oldest_due_on: date | None = None
    days_past_due: int = 0
    bucket_to: str = ""
    amount_minor: int = 0
    reason: str = ""


def known(facts: Iterable[Fact], as_of: date) -> list[Fact]:
    """Return the facts that were learned by a date, in the order in which they were."""
    return [fact for fact in facts if fact.known_on <= as_of]


def days_past_due(facts: Sequence[Fact], as_of: date) -> int:
    """Return how late the loan was, by the last thing known of it."""
    _no_future(facts, as_of)
    due_on = facts[-1].oldest_due_on if facts else None
    return (as_of - due_on).days if due_on is not None and due_on < as_of else 0


def first_over_thirty(facts: Iterable[Fact]) -> date | None:
    """Return the day on which a loan was more than 30 days past due for the first time."""
    days = [f.effective_on for f in facts if f.type == "BUCKET_CHANGED" and f.bucket_to == "M2"]
    return min(days, default=None)


def ended_on(facts: Iterable[Fact]) -> date | None:
    """Return when a loan was settled, charged off, sold or never paid out; None while it runs."""
    ends = ("SETTLED", "CHARGED_OFF", "TRANSFERRED", "DISBURSEMENT_RETURNED")
    return min((f.effective_on for f in facts if f.type in ends), default=None)


def features(facts: Sequence[Fact], as_of: date) -> dict[str, str]:
    """
    Return what a behavioural model looks at, as attributes.

    Args:
        facts: Everything known of one loan by `as_of`, in the order learned.
        as_of: The date on which the question is asked.
    Raises:
        FactFromTheFuture: a fact was learned after `as_of`.
    """
    _no_future(facts, as_of)
    since = as_of - timedelta(days=WINDOW_DAYS)
    recent = [fact for fact in facts if fact.effective_on > since]
    starts = [fact.effective_on for fact in facts if fact.type == "DELINQUENCY_STARTED"]
    to_pay = days_to_pay(facts, as_of)
    return {
        "instalments_due": str(_count(facts, "INSTALMENT_DUE")),
        "late_starts_180d": str(_count(recent, "DELINQUENCY_STARTED")),
        "late_beyond_grace_180d": str(_count(recent, "GRACE_EXPIRED")),
        "returned_debits_180d": str(_count(recent, "REPAYMENT_REVERSED")),
        "part_payments_180d": str(_count(recent, "PARTIALLY_CURED")),
        "days_since_late": str((as_of - max(starts)).days if starts else NEVER_DAYS),
        "days_late_now": str(days_past_due(facts, as_of)),
        "days_to_pay_drift": f"{_moving_average(to_pay):.2f}",
    }


def days_to_pay(facts: Sequence[Fact], as_of: date) -> list[int]:
    """Return, per instalment that fell due, the days until nothing was overdue; oldest first."""
    _no_future(facts, as_of)
    spans: list[tuple[date, date]] = []
    for fact in facts:
        if fact.type == "DELINQUENCY_STARTED":
            spans.append((fact.effective_on, as_of))
        elif fact.type == "CURED" and spans:
            spans[-1] = (spans[-1][0], max(fact.effective_on, spans[-1][0]))
    dues = [fact.effective_on for fact in facts if fact.type == "INSTALMENT_DUE"]
    found = []
    for due in dues:
        ends = [end for start, end in spans if start - timedelta(days=1) <= due < end]
        found.append((max(ends) - due).days if ends else 0)
    return found


def _moving_average(days: Sequence[int]) -> float:
    average = 0.0
    for number in days:
        average += DRIFT * (number - average)
    return average


def _count(facts: Iterable[Fact], type_: str) -> int:
    return sum(fact.type == type_ for fact in facts)


def _no_future(facts: Sequence[Fact], as_of: date) -> None:
    for fact in facts:
        if fact.known_on > as_of:
            raise FactFromTheFuture(
                f"{fact.loan_id}/{fact.sequence} was learned on {fact.known_on}",
                field="as_of",
                expected=f"facts learned by {as_of}",
            )
