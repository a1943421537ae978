"""Commands that change the contract or how lateness counts, each into the fact that it makes."""

from __future__ import annotations

from datetime import date

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain import guard
from services.ledger.domain import refusals as no
from services.ledger.domain.aftermath import stamp
from services.ledger.domain.changes import counted_since
from services.ledger.domain.facts import FactKind
from services.ledger.domain.frames import counted_from
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.terms import (
    ANY_DAY,
    PLANNED_AGAIN,
    RepaymentMethod,
    Terms,
    check_terms,
)
from services.ledger.domain.timeline import Row, Timeline


def restructured(command: cmd.RestructureLoan, account: LoanAccount) -> ev.Fact:
    """Replace the rest of the schedule; what the command leaves out stays."""
    guard.active(account)
    guard.since_disbursal(command, command.effective_on, account)
    line = guard.line_on(command.effective_on, account)
    coming = [row for row in line.rows if row.due_on > line.on and row.period is not None]
    first_due_on = command.first_due_on or _next_due(coming, command)
    if first_due_on <= command.effective_on:
        raise no.DateOutOfOrder(
            "the first new due date is not after the restructuring",
            field="first_due_on",
            expected=f"after {command.effective_on}",
        )
    # A date can have a paid row of an earlier plan beside the one that is to come.
    dates = {row.due_on for row in coming}
    instalments = len(dates) if command.instalments is None else command.instalments
    terms = _planned_again(command, line, coming, first_due_on, instalments)
    check_terms(terms)
    return ev.TermsRestructured(
        **stamp(command, command.effective_on, command.reason),
        instalments=instalments,
        first_due_on=first_due_on,
        terms=terms,
        approved_by=command.approved_by,
        kind=command.kind,
        hands_back=True,
    )


def _planned_again(
    command: cmd.RestructureLoan,
    line: Timeline,
    coming: list[Row],
    first_due_on: date,
    instalments: int,
) -> Terms:
    """Return the terms of the new plan; a bullet whose date stays keeps the months of its life."""
    terms = msgspec.structs.replace(
        line.terms,
        principal_minor=max(1, line.principal_outstanding),
        rate_annual=line.terms.rate_annual if command.rate_annual is None else command.rate_annual,
        agreed=(),
        method=_planned(line.terms.method),
        disbursements_max=1,
        **PLANNED_AGAIN,
    )
    if command.first_due_on is None:
        since = counted_since(line, coming[0])
        terms = msgspec.structs.replace(terms, interest_from=since)
        if terms.method is RepaymentMethod.BULLET and command.instalments is None:
            return terms
    return msgspec.structs.replace(
        terms,
        instalments=instalments,
        first_due_on=command.first_due_on or counted_from(line.terms, first_due_on),
        due_dates=(),
        **(ANY_DAY if command.first_due_on else {}),
    )


def _next_due(coming: list[Row], command: cmd.RestructureLoan) -> date:
    """Return the next due date, where the command does not say it."""
    if not coming:
        raise no.DateOutOfOrder(
            "no instalment is to come: say when the first new one is due",
            field="first_due_on",
            expected=f"after {command.effective_on}",
        )
    return coming[0].due_on


def transferred(command: cmd.TransferLoan, account: LoanAccount) -> ev.Fact:
    """Sell the loan to another creditor; no money may count later than the sale."""
    guard.active(account)
    guard.since_disbursal(command, command.effective_on, account)
    guard.same_currency(command.currency, account)
    if command.price_minor < 0:
        raise no.PriceBelowZero(f"{command.price_minor}", field="price", expected="0 or above")
    guard.nothing_later(command.effective_on, account)
    if guard.line_on(command.effective_on, account).creditor_ref:
        raise no.LoanIsTransferred(f"loan {account.loan_id} is sold", field="loan_id")
    return ev.LoanTransferred(
        **stamp(command, command.effective_on, command.reason),
        creditor_ref=command.creditor_ref,
        price_minor=command.price_minor,
        approved_by=command.approved_by,
    )


def charged_off(command: cmd.ChargeOffLoan, account: LoanAccount) -> ev.Fact:
    """Take the loan off the books."""
    guard.active(account)
    guard.since_disbursal(command, command.effective_on, account)
    guard.nothing_later(command.effective_on, account)
    line = guard.line_on(command.effective_on, account)
    return ev.LoanChargedOff(
        **stamp(command, command.effective_on, command.reason),
        principal_minor=line.principal_outstanding,
    )


def charge_off_undone(command: cmd.UndoChargeOff, account: LoanAccount) -> ev.Fact:
    """Take the loan back on the books, unless money was recovered."""
    off = guard.charge_off_of(account)
    if any(f.kind is FactKind.RECOVERY for f in account.counting):
        raise no.RecoveriesPosted("money was recovered after the charge-off", field="loan_id")
    return ev.ChargeOffUndone(
        **stamp(command, off.effective_on, command.reason),
        charge_off_id=off.fact_id,
        approved_by=command.approved_by,
    )


def written_off(command: cmd.WriteOffLoan, account: LoanAccount) -> ev.Fact:
    """Let go of the debt of a loan that was charged off."""
    guard.after_charge_off(command.effective_on, account)
    guard.not_in_future(command, command.effective_on)
    return ev.LoanWrittenOff(
        **stamp(command, command.effective_on, command.reason),
        amount_minor=max(0, guard.line_on(command.effective_on, account).payoff),
        approved_by=command.approved_by,
    )


def interest_paused(command: cmd.PauseInterest, account: LoanAccount) -> ev.Fact:
    """Let no interest be earned for some days, past or to come."""
    guard.active(account)
    _whole_pause(command.from_on, command.until_on)
    assert command.business_on is not None
    agreed_on = min(command.from_on, command.business_on)
    guard.since_disbursal(command, agreed_on, account)
    return ev.InterestPaused(
        **stamp(command, agreed_on, command.reason),
        from_on=command.from_on,
        until_on=command.until_on,
        approved_by=command.approved_by,
        hands_back=True,
    )


def delinquency_paused(command: cmd.PauseDelinquency, account: LoanAccount) -> ev.Fact:
    """Let some days not count as late, past or to come; one pause may begin as another ends."""
    guard.being_repaid(account)
    _whole_pause(command.from_on, command.until_on)
    assert command.business_on is not None
    agreed_on = min(command.from_on, command.business_on)
    guard.since_disbursal(command, agreed_on, account)
    for first, last in guard.line_on(max(command.until_on, command.business_on), account).pauses:
        share_nights = first < command.until_on and command.from_on < last
        if share_nights or first == command.from_on:
            raise no.PauseInvalid(f"it overlaps the pause from {first} to {last}", field="from_on")
    return ev.DelinquencyPaused(
        **stamp(command, agreed_on, command.reason),
        from_on=command.from_on,
        until_on=command.until_on,
    )


def delinquency_resumed(command: cmd.ResumeDelinquency, account: LoanAccount) -> ev.Fact:
    """End the running pause."""
    guard.since_disbursal(command, command.on, account)
    pauses = guard.line_on(command.on, account).pauses
    if not any(first <= command.on <= last for first, last in pauses):
        raise no.PauseNotRunning(f"no pause is running on {command.on}", field="on")
    return ev.DelinquencyResumed(**stamp(command, command.on, command.reason))


def policy_changed(command: cmd.ChangeDelinquencyPolicy, account: LoanAccount) -> ev.Fact:
    """Classify lateness under another policy from a date on; nothing may count later."""
    guard.being_repaid(account)
    guard.since_disbursal(command, command.effective_on, account)
    guard.nothing_later(command.effective_on, account)
    before = guard.line_on(command.effective_on, account).terms.delinquency
    if command.policy == before:
        raise no.PolicyIsTheSame(f"it is {before.policy} already", field="delinquency_policy")
    return ev.DelinquencyPolicyChanged(
        **stamp(command, command.effective_on, command.reason),
        policy=command.policy,
        before=before.policy,
        approved_by=command.approved_by,
    )


def _planned(method: RepaymentMethod) -> RepaymentMethod:
    """Return the method of a new plan: agreed amounts end with the plan that they were for."""
    agreed = method is RepaymentMethod.AGREED
    return RepaymentMethod.LEVEL_INSTALMENT if agreed else method


def _whole_pause(from_on: date, until_on: date) -> None:
    if until_on < from_on:
        raise no.PauseInvalid(
            "the pause ends before it begins", field="until_on", expected=f"from {from_on}"
        )
