"""The account of one loan: the facts so far, and what the last of them left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

import msgspec
from msgspec.structs import force_setattr

from services.ledger.domain import events as ev
from services.ledger.domain.assigning import ASSIGNERS, append_all, repayment_of
from services.ledger.domain.delinquency import Standing
from services.ledger.domain.facts import FactKind, LoanStatus, MoneyFact
from services.ledger.domain.kept import KEEPER, T
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.trail import Trail


class LoanAccount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    Everything that deciding the next command needs; derived from events alone.

    `facts` are in recorded order, `counting` are those not taken back, in the order in which they
    count; `latest_on` is the last date from which one of the facts, or the disbursal, counts.
    """

    loan_id: str
    borrower_ref: str
    product: str
    terms: Terms
    status: LoanStatus = LoanStatus.OPENED
    disbursed_on: date | None = None
    disbursed_minor: int | None = None
    facts: Trail[MoneyFact] = msgspec.field(default_factory=Trail)
    counting: Trail[MoneyFact] = msgspec.field(default_factory=Trail)
    latest_on: date | None = None
    reversed_ids: frozenset[str] = frozenset()
    standing: Standing = msgspec.field(default_factory=Standing)
    standing_on: date | None = None
    aged: Trail[tuple[int, date, int]] = msgspec.field(default_factory=Trail)
    next_transition_on: date | None = None
    version: int = 0
    known_at: datetime | None = None

    def timeline(self, effective_on: date) -> Timeline | None:
        """Return the loan on a date; None before it was disbursed."""
        if self.disbursed_on is None or effective_on < self.disbursed_on:
            return None
        disbursed = (self.disbursed_on, self.disbursed_minor)
        return KEEPER.timeline(self.loan_id, self.terms, disbursed, self.counting, effective_on)

    def glance(self, on: date, look: Callable[[Timeline], T]) -> T:
        """Return what a look at the loan finds on a date, not before its disbursal."""
        assert self.disbursed_on is not None
        disbursed = (self.disbursed_on, self.disbursed_minor)
        return KEEPER.glance(self.loan_id, self.terms, disbursed, self.counting, on, look)

    def walked(self, days: Sequence[date], to_on: date) -> tuple[int, Timeline]:
        """Return the most days past due on some dates, none after the last, and the loan on it."""
        assert self.disbursed_on is not None
        disbursed = (self.disbursed_on, self.disbursed_minor)
        return KEEPER.walked(self.loan_id, self.terms, disbursed, self.counting, days, to_on)

    def repayment(self, repayment_id: str) -> MoneyFact | None:
        """Return the repayment or recovery of this id; None when there is none."""
        received = (fact for fact in self.facts if fact.kind in RECEIVED)
        return next((fact for fact in received if fact.fact_id == repayment_id), None)


RECEIVED = (FactKind.REPAYMENT, FactKind.RECOVERY, FactKind.SETTLEMENT)
"""The facts of money that came in."""

ACCOUNT_BYTES, FACT_BYTES, AGED_BYTES = 2_000, 240, 180


def size_of(account: LoanAccount) -> int:
    """Return about how many bytes an account takes; a test holds it against the truth."""
    facts, aged = len(account.facts), len(account.aged)
    return ACCOUNT_BYTES + FACT_BYTES * facts + AGED_BYTES * aged


def fold(events: Iterable[ev.Fact], account: LoanAccount | None = None) -> LoanAccount | None:
    """
    Replay events into an account; None when there are none. Nothing is checked or computed.

    It is assigned to a copy that nobody else has seen, a third of the cost of one per event.
    Standings and repayments, nearly all events of a log, are assigned together up to the next
    event of another kind.
    """
    ours, run = False, list[ev.Fact]()
    for event in events:
        kind = type(event)
        if account is None or not ours or kind is ev.LoanOpened:
            account, ours, run = evolve(account, event), True, []
        elif kind is ev.TransitionRecorded or kind is ev.RepaymentPosted:
            run.append(event)
        else:
            _assign_run(account, run)
            run = []
            _assign(account, event)
    if account is not None:
        _assign_run(account, run)
    return account


def evolve(account: LoanAccount | None, event: ev.Fact) -> LoanAccount:
    """Assign what one event says."""
    if account is None or type(event) is ev.LoanOpened:
        assert isinstance(event, ev.LoanOpened), "the first event of a loan opens it"
        return LoanAccount(
            loan_id=event.loan_id,
            borrower_ref=event.borrower_ref,
            product=event.product,
            terms=event.terms,
            version=1,
            known_at=event.recorded_at,
        )
    after: LoanAccount = account.__copy__()  # type: ignore[attr-defined]
    _assign(after, event)
    return after


def _assign(account: LoanAccount, event: ev.Fact) -> None:
    """Assign what an event says to an account that nobody else has seen."""
    ASSIGNERS[type(event)](account, event)
    force_setattr(account, "version", account.version + 1)
    force_setattr(account, "known_at", event.recorded_at)


def _assign_run(account: LoanAccount, events: list[ev.Fact]) -> None:
    """Assign what standings and repayments, one after the other, say: as each would alone."""
    if len(events) < 2:
        for event in events:
            _assign(account, event)
        return
    aged, paid, last = list[tuple[int, date, int]](), list[MoneyFact](), None
    for version, event in enumerate(events, account.version + 1):
        if type(event) is ev.TransitionRecorded:
            aged.append((version, event.effective_on, event.standing.days_past_due))
            last = event
        else:
            paid.append(repayment_of(event, version))  # type: ignore[arg-type]
    if last is not None:
        force_setattr(account, "standing", last.standing)
        force_setattr(account, "standing_on", last.effective_on)
        force_setattr(account, "aged", account.aged.grown_by(aged))
        force_setattr(account, "next_transition_on", last.next_transition_on)
    append_all(account, paid)
    force_setattr(account, "version", account.version + len(events))
    force_setattr(account, "known_at", events[-1].recorded_at)
