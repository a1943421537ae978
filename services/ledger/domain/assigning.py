"""What each kind of event assigns to the account of its loan; nothing is checked or computed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import force_setattr

from services.ledger.domain import events as ev
from services.ledger.domain.facts import FactKind, LoanStatus, MoneyFact
from services.ledger.domain.trail import Trail

if TYPE_CHECKING:
    from services.ledger.domain.loan_account import LoanAccount


def repayment_of(event: ev.RepaymentPosted, version: int) -> MoneyFact:
    """Return a repayment as the fact that it is; not by `_count`, whose keywords cost a tenth."""
    return MoneyFact(
        kind=FactKind.REPAYMENT,
        effective_on=event.effective_on,
        version=version,
        fact_id=event.repayment_id,
        amount_minor=event.amount_minor,
        source=event.source,
    )


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


def append_all(account: LoanAccount, facts: list[MoneyFact]) -> None:
    """Let facts count, together if each counts from the date of the one before or later."""
    latest = account.latest_on
    for fact in facts:
        if latest is None or fact.effective_on < latest:
            for one in facts:
                _append(account, one)
            return
        latest = fact.effective_on
    force_setattr(account, "facts", account.facts.grown_by(facts))
    force_setattr(account, "counting", account.counting.grown_by(facts))
    force_setattr(account, "latest_on", latest)


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
    _append(account, repayment_of(event, account.version + 1))


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
    back = isinstance(event, ev.InterestPaused) and event.hands_back is True
    days = {"due_on": event.from_on, "until_on": event.until_on}
    _count(account, kind, event, **days, hands_back=back)


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


def _age(account: LoanAccount, event: ev.TransitionRecorded) -> None:
    row = (account.version + 1, event.effective_on, event.standing.days_past_due)
    force_setattr(account, "standing", event.standing)
    force_setattr(account, "standing_on", event.effective_on)
    force_setattr(account, "aged", account.aged.grown(row))
    force_setattr(account, "next_transition_on", event.next_transition_on)


def _restate(account: LoanAccount, event: ev.TimelineRestated) -> None:
    if event.reopened is True:
        _reopen(account)
    gone, aged = event.superseded_versions, account.aged
    left = max(0, len(aged) - len(gone))
    if tuple([row[0] for row in aged[left:]]) == gone:
        # As it mostly is: nothing that counts later was recorded before something that counts.
        force_setattr(account, "aged", aged.first(left))
        return
    superseded = set(gone)
    force_setattr(account, "aged", Trail(row for row in aged if row[0] not in superseded))


ASSIGNERS: dict[type[ev.Fact], Callable[[LoanAccount, Any], None]] = {
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
    ev.TermsRestructured: lambda a, e: _count(
        a, FactKind.RESTRUCTURE, e, terms=e.terms, hands_back=e.hands_back is True
    ),
    ev.LoanAccelerated: lambda a, e: _count(a, FactKind.ACCELERATION, e, fact_id=e.request_id),
    ev.AccelerationWithdrawn: lambda a, e: _take_back(a, e.acceleration_id),
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
    ev.TransitionRecorded: _age,
    ev.TimelineRestated: _restate,
}
"""What assigns each kind of event."""
