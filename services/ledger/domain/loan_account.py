"""The account of one loan: the facts so far, and what the last of them left behind."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import singledispatch
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import Standing
from services.ledger.domain.facts import FactKind, MoneyFact
from services.ledger.domain.kept import KEEPER, T
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.trail import Trail


class LoanStatus(StrEnum):
    """Where a loan stands in its life."""

    OPENED = "OPENED"
    ACTIVE = "ACTIVE"
    CHARGED_OFF = "CHARGED_OFF"
    SETTLED = "SETTLED"
    WRITTEN_OFF = "WRITTEN_OFF"


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
        kinds = RECEIVED.values()
        return next((f for f in self.facts if f.kind in kinds and f.fact_id == repayment_id), None)


Received = ev.RepaymentPosted | ev.RecoveryPosted | ev.SettlementPosted
RECEIVED: dict[type[ev.Fact], FactKind] = {
    ev.RepaymentPosted: FactKind.REPAYMENT,
    ev.RecoveryPosted: FactKind.RECOVERY,
    ev.SettlementPosted: FactKind.SETTLEMENT,
}
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
    """
    ours = False
    for event in events:
        if account is None or not ours or type(event) is ev.LoanOpened:
            account, ours = evolve(account, event), True
        else:
            _assign(account, event)
    return account


def evolve(account: LoanAccount | None, event: ev.Fact) -> LoanAccount:
    """Assign what one event says."""
    if account is None or type(event) is ev.LoanOpened:
        return _opened(event)
    after: LoanAccount = account.__copy__()  # type: ignore[attr-defined]
    _assign(after, event)
    return after


def _assign(account: LoanAccount, event: ev.Fact) -> None:
    """Assign what an event says to an account that nobody else has seen."""
    kind = type(event)
    changes = _KNOWN.get(kind) or _KNOWN.setdefault(kind, _changes.dispatch(kind))
    for name, value in changes(event, account).items():
        force_setattr(account, name, value)
    force_setattr(account, "version", account.version + 1)
    force_setattr(account, "known_at", event.recorded_at)


def _opened(event: ev.Fact) -> LoanAccount:
    assert isinstance(event, ev.LoanOpened), "the first event of a loan opens it"
    return LoanAccount(
        loan_id=event.loan_id,
        borrower_ref=event.borrower_ref,
        product=event.product,
        terms=event.terms,
        version=1,
        known_at=event.recorded_at,
    )


_KNOWN: dict[type[ev.Fact], Callable[[Any, LoanAccount], dict[str, object]]] = {}
"""What was dispatched before, by the type of event."""


@singledispatch
def _changes(event: ev.Fact, account: LoanAccount) -> dict[str, object]:
    raise TypeError(f"no evolve for {type(event).__name__}")


def _with_fact(
    account: LoanAccount, kind: FactKind, event: ev.Fact, **more: Any
) -> dict[str, object]:
    on, latest = event.effective_on, account.latest_on
    fact = MoneyFact(kind=kind, effective_on=on, version=account.version + 1, **more)
    if latest is None or on >= latest:
        counting, latest = account.counting.grown(fact), on
    else:
        place = bisect_right(account.counting, on, key=attrgetter("effective_on"))
        counting = Trail([*account.counting[:place], fact, *account.counting[place:]])
    return {"facts": account.facts.grown(fact), "counting": counting, "latest_on": latest}


def _taken_back(account: LoanAccount, fact_id: str) -> dict[str, object]:
    """Let a fact count no more; it stays among the facts."""
    counting = Trail(fact for fact in account.counting if fact.fact_id != fact_id)
    return {"reversed_ids": account.reversed_ids | {fact_id}, "counting": counting}


@_changes.register
def _(event: ev.LoanDisbursed, account: LoanAccount) -> dict[str, object]:
    if account.disbursed_on is not None:
        more = _with_fact(account, FactKind.DISBURSEMENT, event, amount_minor=event.amount_minor)
        return {"status": LoanStatus.ACTIVE, **more}
    amount = event.amount_minor
    whole = amount == account.terms.principal_minor
    return {
        "status": LoanStatus.ACTIVE,
        "disbursed_on": event.effective_on,
        "latest_on": event.effective_on,
        "disbursed_minor": None if whole else amount,
    }


@_changes.register(ev.RepaymentPosted)
@_changes.register(ev.RecoveryPosted)
@_changes.register(ev.SettlementPosted)
def _(event: Received, account: LoanAccount) -> dict[str, object]:
    more: dict[str, Any] = {"fact_id": event.repayment_id, "amount_minor": event.amount_minor}
    if isinstance(event, ev.RepaymentPosted):
        more["source"] = event.source
    return _with_fact(account, RECEIVED[type(event)], event, **more)


@_changes.register
def _(event: ev.RepaymentReversed, account: LoanAccount) -> dict[str, object]:
    return {"status": _reopened(account), **_taken_back(account, event.repayment_id)}


@_changes.register
def _(event: ev.ChargeApplied, account: LoanAccount) -> dict[str, object]:
    charge = _with_fact(
        account,
        FactKind.CHARGE,
        event,
        fact_id=event.request_id,
        amount_minor=event.amount_minor,
        component=event.component,
        due_on=event.due_on,
    )
    return {"status": _reopened(account), **charge}


def _reopened(account: LoanAccount) -> LoanStatus:
    """Return the status of a loan on which something is owed again."""
    if account.status is not LoanStatus.SETTLED:
        return account.status
    off = any(fact.kind is FactKind.CHARGE_OFF for fact in account.counting)
    return LoanStatus.CHARGED_OFF if off else LoanStatus.ACTIVE


@_changes.register
def _(event: ev.ChargeWaived, account: LoanAccount) -> dict[str, object]:
    return _with_fact(account, FactKind.WAIVER, event, fact_id=event.charge_id)


@_changes.register(ev.InterestPaused)
@_changes.register(ev.DelinquencyPaused)
def _(event: ev.InterestPaused | ev.DelinquencyPaused, account: LoanAccount) -> dict[str, object]:
    of_interest = isinstance(event, ev.InterestPaused)
    kind = FactKind.INTEREST_PAUSE if of_interest else FactKind.DELINQUENCY_PAUSE
    return _with_fact(account, kind, event, due_on=event.from_on, until_on=event.until_on)


@_changes.register
def _(event: ev.DelinquencyResumed, account: LoanAccount) -> dict[str, object]:
    return _with_fact(account, FactKind.DELINQUENCY_RESUME, event)


@_changes.register
def _(event: ev.TermsRestructured, account: LoanAccount) -> dict[str, object]:
    return _with_fact(account, FactKind.RESTRUCTURE, event, terms=event.terms)


@_changes.register
def _(event: ev.LoanChargedOff, account: LoanAccount) -> dict[str, object]:
    fact = _with_fact(account, FactKind.CHARGE_OFF, event, fact_id=event.request_id)
    return {"status": LoanStatus.CHARGED_OFF, **fact}


@_changes.register
def _(event: ev.ChargeOffUndone, account: LoanAccount) -> dict[str, object]:
    return {"status": LoanStatus.ACTIVE, **_taken_back(account, event.charge_off_id)}


@_changes.register
def _(event: ev.LoanWrittenOff, account: LoanAccount) -> dict[str, object]:
    return {"status": LoanStatus.WRITTEN_OFF, **_with_fact(account, FactKind.WRITE_OFF, event)}


@_changes.register(ev.CreditRefunded)
@_changes.register(ev.GuaranteeClaimPaid)
def _(event: ev.CreditRefunded | ev.GuaranteeClaimPaid, account: LoanAccount) -> dict[str, object]:
    kind = FactKind.REFUND if isinstance(event, ev.CreditRefunded) else FactKind.GUARANTEE
    return _with_fact(account, kind, event, amount_minor=event.amount_minor)


@_changes.register
def _(event: ev.LoanTransferred, account: LoanAccount) -> dict[str, object]:
    price, buyer = event.price_minor, event.creditor_ref
    return _with_fact(account, FactKind.TRANSFER, event, amount_minor=price, party_ref=buyer)


@_changes.register
def _(event: ev.LoanSettled, account: LoanAccount) -> dict[str, object]:
    return {"status": LoanStatus.SETTLED, "next_transition_on": None}


@_changes.register
def _(event: ev.TransitionRecorded, account: LoanAccount) -> dict[str, object]:
    aged = (account.version + 1, event.effective_on, event.standing.days_past_due)
    return {
        "standing": event.standing,
        "standing_on": event.effective_on,
        "aged": account.aged.grown(aged),
        "next_transition_on": event.next_transition_on,
    }


@_changes.register
def _(event: ev.TimelineRestated, account: LoanAccount) -> dict[str, object]:
    gone = set(event.superseded_versions)
    return {"aged": Trail(row for row in account.aged if row[0] not in gone)}
