"""Look at a loan from two clocks: the date it is about, and the instant we knew it."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from services.ledger.application.ports import Log
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.refusals import LoanNotFound


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
