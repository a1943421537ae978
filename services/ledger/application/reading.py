"""Look at a loan from two clocks: the date it is about, and the instant we knew it."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from services.ledger.application.ports import Log
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount, LoanStatus, fold
from services.ledger.domain.refusals import DateOutOfOrder, LoanNotFound
from services.ledger.domain.terms import Terms, check_terms


class Seen(NamedTuple):
    """A loan as known at an instant, to be looked at on a date."""

    account: LoanAccount
    on: date


def see_loan(
    log: Log,
    loan_id: str,
    on: date,
    *,
    known_at: datetime | None = None,
    version_max: int | None = None,
) -> Seen:
    """
    Replay a loan up to what was known.

    Raises:
        LoanNotFound: nothing of it was known then.
    """
    events = log.stream(f"loan/{loan_id}", version_max)
    facts = [event for event in events if isinstance(event, Fact)]
    if known_at is not None:
        facts = [event for event in facts if event.recorded_at <= known_at]
    account = fold(facts)
    if account is None:
        raise LoanNotFound(f"loan {loan_id} does not exist", field="loan_id")
    return Seen(account, on)


def preview(terms: Terms, value_on: date) -> LoanAccount:
    """
    Return the account that terms would make, were it paid out on a date.

    Raises:
        TermsInvalid: a term leaves its range.
        DateOutOfOrder: the first due date is not after the date.
    """
    check_terms(terms)
    if terms.first_due_on <= value_on:
        raise DateOutOfOrder(
            "the first due date is not after the disbursal",
            field="terms.first_due_on",
            expected=f"after {value_on}",
        )
    return LoanAccount(
        loan_id="",
        borrower_ref="",
        product="",
        terms=terms,
        status=LoanStatus.OPENED,
        disbursed_on=value_on,
    )
