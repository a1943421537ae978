"""Look at a loan from two clocks: the date it is about, and the instant we knew it."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from services.ledger.application.ports import Log
from services.ledger.domain.ceilings import quote
from services.ledger.domain.difference import Look, Step, difference, figures_at
from services.ledger.domain.events import Fact
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.frames import dates_of
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.refusals import DateOutOfOrder, LoanNotActive, LoanNotFound
from services.ledger.domain.terms import Terms, check_terms
from services.ledger.domain.timeline import Timeline


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
    facts = facts_of(log, loan_id, version_max)
    if known_at is not None:
        facts = [event for event in facts if event.recorded_at <= known_at]
    account = fold(facts)
    if account is None:
        raise LoanNotFound(f"loan {loan_id} does not exist", field="loan_id")
    return Seen(account, on)


def facts_of(log: Log, loan_id: str, version_max: int | None = None) -> list[Fact]:
    """Return the facts of a loan in recorded order; none when it does not exist."""
    events = log.stream(f"loan/{loan_id}", version_max)
    return [event for event in events if isinstance(event, Fact)]


def line_seen(seen: Seen) -> Timeline:
    """
    Return the timeline of a loan that was paid out by then.

    Raises:
        LoanNotActive: it was not paid out on that date, as known then.
    """
    line = seen.account.timeline(seen.on)
    if line is None:
        raise LoanNotActive(f"it was not paid out on {seen.on}", field="effective_on")
    return line


def compare(
    log: Log, loan_id: str, before: Look, after: Look
) -> tuple[dict[str, int], dict[str, int], list[Step]]:
    """
    Return every figure at two looks, and the steps between them.

    Raises:
        LoanNotFound: no such loan.
    """
    facts = facts_of(log, loan_id)
    if not facts:
        raise LoanNotFound(f"loan {loan_id} does not exist", field="loan_id")
    first, second = figures_at(facts, before), figures_at(facts, after)
    return first, second, difference(facts, before, after)


def preview(terms: Terms, value_on: date) -> LoanAccount:
    """
    Return the account that terms would make, were it paid out on a date.

    Raises:
        TermsInvalid: a term leaves its range.
        DateOutOfOrder: the first due date is not after the date.
    """
    check_terms(terms)
    if min(terms.first_due_on, dates_of(terms, value_on)[0]) <= value_on:
        raise DateOutOfOrder(
            "the first due date is not after the disbursal",
            field="terms.first_due_on",
            expected=f"after {value_on}",
        )
    quote(terms, value_on)
    return LoanAccount(
        loan_id="",
        borrower_ref="",
        product="",
        terms=terms,
        status=LoanStatus.OPENED,
        disbursed_on=value_on,
    )
