"""The account of one loan: the facts so far, and what the last of them left behind."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from services.ledger.domain import events as ev
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
    Standings, four events of five, are assigned together up to the next event of another kind.
    """
    ours, aged = False, list[ev.TransitionRecorded]()
    for event in events:
        if account is None or not ours or type(event) is ev.LoanOpened:
            account, ours, aged = evolve(account, event), True, []
        elif type(event) is ev.TransitionRecorded:
            aged.append(event)
        else:
            if aged:
                _age(account, aged)
                aged = []
            _assign(account, event)
    if account is not None and aged:
        _age(account, aged)
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
    if type(event) is ev.TransitionRecorded:
        _age(account, (event,))
        return
    _WORK[type(event)](account, event)
    force_setattr(account, "version", account.version + 1)
    force_setattr(account, "known_at", event.recorded_at)


def _age(account: LoanAccount, events: Sequence[ev.TransitionRecorded]) -> None:
    """Assign what standings, one after the other, say to an account nobody else has seen."""
    rows = [
        (version, event.effective_on, event.standing.days_past_due)
        for version, event in enumerate(events, account.version + 1)
    ]
    last = events[-1]
    force_setattr(account, "standing", last.standing)
    force_setattr(account, "standing_on", last.effective_on)
    force_setattr(account, "aged", account.aged.grown_by(rows))
    force_setattr(account, "next_transition_on", last.next_transition_on)
    force_setattr(account, "version", account.version + len(rows))
    force_setattr(account, "known_at", last.recorded_at)


def _count(account: LoanAccount, kind: FactKind, event: ev.Fact, **more: Any) -> None:
    """Let an event be a fact that counts from its date on."""
    on, version = event.effective_on, account.version + 1
    _append(account, MoneyFact(kind=kind, effective_on=on, version=version, **more))


def _append(account: LoanAccount, fact: MoneyFact) -> None:
    on, latest, counting = fact.effective_on, account.latest_on, account.counting
    force_setattr(account, "facts", account.facts.grown(fact))
    if latest is None or on >= latest:
        force_setattr(account, "counting", counting.grown(fact))
        force_setattr(account, "latest_on", on)
    else:
        place = bisect_right(counting, on, key=attrgetter("effective_on"))
        force_setattr(account, "counting", Trail([*counting[:place], fact, *counting[place:]]))


def _take_back(account: LoanAccount, fact_id: str) -> None:
    """Let a fact count no more; it stays among the facts."""
    counting = Trail(fact for fact in account.counting if fact.fact_id != fact_id)
    force_setattr(account, "reversed_ids", account.reversed_ids | {fact_id})
    force_setattr(account, "counting", counting)


def _reopen(account: LoanAccount) -> None:
    """Let a settled loan be one on which something is owed again."""
    if account.status is LoanStatus.SETTLED:
        off = any(fact.kind is FactKind.CHARGE_OFF for fact in account.counting)
        force_setattr(account, "status", LoanStatus.CHARGED_OFF if off else LoanStatus.ACTIVE)


def _disburse(account: LoanAccount, event: ev.LoanDisbursed) -> None:
    amount = event.amount_minor
    force_setattr(account, "status", LoanStatus.ACTIVE)
    if account.disbursed_on is not None:
        _count(account, FactKind.DISBURSEMENT, event, amount_minor=amount)
        return
    whole = amount == account.terms.principal_minor
    force_setattr(account, "disbursed_on", event.effective_on)
    force_setattr(account, "latest_on", event.effective_on)
    force_setattr(account, "disbursed_minor", None if whole else amount)


def _repay(account: LoanAccount, event: ev.RepaymentPosted) -> None:
    # Not by `_count`: its keywords, passed on, are a tenth of a replay.
    fact = MoneyFact(
        kind=FactKind.REPAYMENT,
        effective_on=event.effective_on,
        version=account.version + 1,
        fact_id=event.repayment_id,
        amount_minor=event.amount_minor,
        source=event.source,
    )
    _append(account, fact)


def _receive(account: LoanAccount, event: ev.RecoveryPosted | ev.SettlementPosted) -> None:
    kind = FactKind.RECOVERY if isinstance(event, ev.RecoveryPosted) else FactKind.SETTLEMENT
    _count(account, kind, event, fact_id=event.repayment_id, amount_minor=event.amount_minor)


def _reverse(account: LoanAccount, event: ev.RepaymentReversed) -> None:
    _reopen(account)
    _take_back(account, event.repayment_id)


def _charge(account: LoanAccount, event: ev.ChargeApplied) -> None:
    _reopen(account)
    _count(
        account,
        FactKind.CHARGE,
        event,
        fact_id=event.request_id,
        amount_minor=event.amount_minor,
        component=event.component,
        due_on=event.due_on,
    )


def _pause(account: LoanAccount, event: ev.InterestPaused | ev.DelinquencyPaused) -> None:
    of_interest = isinstance(event, ev.InterestPaused)
    kind = FactKind.INTEREST_PAUSE if of_interest else FactKind.DELINQUENCY_PAUSE
    _count(account, kind, event, due_on=event.from_on, until_on=event.until_on)


def _charge_off(account: LoanAccount, event: ev.LoanChargedOff) -> None:
    force_setattr(account, "status", LoanStatus.CHARGED_OFF)
    _count(account, FactKind.CHARGE_OFF, event, fact_id=event.request_id)


def _undo_charge_off(account: LoanAccount, event: ev.ChargeOffUndone) -> None:
    force_setattr(account, "status", LoanStatus.ACTIVE)
    _take_back(account, event.charge_off_id)


def _write_off(account: LoanAccount, event: ev.LoanWrittenOff) -> None:
    force_setattr(account, "status", LoanStatus.WRITTEN_OFF)
    _count(account, FactKind.WRITE_OFF, event)


def _give_back(account: LoanAccount, event: ev.DisbursementReturned) -> None:
    force_setattr(account, "status", LoanStatus.CANCELLED)
    _count(account, FactKind.DISBURSEMENT_RETURN, event, amount_minor=event.amount_minor)


def _transfer(account: LoanAccount, event: ev.LoanTransferred) -> None:
    price, buyer = event.price_minor, event.creditor_ref
    _count(account, FactKind.TRANSFER, event, amount_minor=price, party_ref=buyer)


def _settle(account: LoanAccount, event: ev.LoanSettled) -> None:
    force_setattr(account, "status", LoanStatus.SETTLED)
    force_setattr(account, "next_transition_on", None)


def _restate(account: LoanAccount, event: ev.TimelineRestated) -> None:
    gone = set(event.superseded_versions)
    force_setattr(account, "aged", Trail(row for row in account.aged if row[0] not in gone))


_WORK: dict[type[ev.Fact], Callable[[LoanAccount, Any], None]] = {
    ev.LoanDisbursed: _disburse,
    ev.DisbursementReturned: _give_back,
    ev.RepaymentPosted: _repay,
    ev.RepaymentReversed: _reverse,
    ev.ChargeApplied: _charge,
    ev.ChargeWaived: lambda a, e: _count(a, FactKind.WAIVER, e, fact_id=e.charge_id),
    ev.CreditRefunded: lambda a, e: _count(a, FactKind.REFUND, e, amount_minor=e.amount_minor),
    ev.InterestPaused: _pause,
    ev.DelinquencyPaused: _pause,
    ev.DelinquencyResumed: lambda a, e: _count(a, FactKind.DELINQUENCY_RESUME, e),
    ev.DelinquencyPolicyChanged: lambda a, e: _count(
        a, FactKind.DELINQUENCY_POLICY, e, policy=e.policy
    ),
    ev.TermsRestructured: lambda a, e: _count(a, FactKind.RESTRUCTURE, e, terms=e.terms),
    ev.LoanChargedOff: _charge_off,
    ev.RecoveryPosted: _receive,
    ev.ChargeOffUndone: _undo_charge_off,
    ev.LoanWrittenOff: _write_off,
    ev.GuaranteeClaimPaid: lambda a, e: _count(
        a, FactKind.GUARANTEE, e, amount_minor=e.amount_minor
    ),
    ev.SettlementPosted: _receive,
    ev.LoanTransferred: _transfer,
    ev.LoanSettled: _settle,
    ev.TimelineRestated: _restate,
}
"""What assigns each kind of event; standings apart, which are assigned several at once."""
