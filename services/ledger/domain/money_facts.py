"""Commands that move money, each into the fact that it makes, or a refusal."""

from __future__ import annotations

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain import guard
from services.ledger.domain import refusals as no
from services.ledger.domain.aftermath import stamp
from services.ledger.domain.ceilings import check_ceiling, quote
from services.ledger.domain.facts import FactKind, LoanStatus
from services.ledger.domain.frames import dates_of
from services.ledger.domain.loan_account import RECEIVED, LoanAccount
from services.ledger.domain.terms import Overpayment


def disbursed(command: cmd.DisburseLoan, account: LoanAccount) -> ev.Fact:
    """Pay out the principal, or a part of it."""
    guard.not_in_future(command, command.value_on)
    guard.same_currency(command.currency, account)
    if account.terms.disbursements_max > 1:
        return _disbursed_in_parts(command, account)
    if account.status is not LoanStatus.OPENED:
        raise no.LoanAlreadyDisbursed(f"loan {account.loan_id} was paid out", field="loan_id")
    first_on = min(account.terms.first_due_on, dates_of(account.terms, command.value_on)[0])
    guard.before_due(command.value_on, first_on, "first due date")
    if command.amount_minor != account.terms.principal_minor:
        raise no.AmountNotPrincipal(
            f"{command.amount_minor} is not the principal",
            field="amount",
            expected=str(account.terms.principal_minor),
        )
    quote(account.terms, command.value_on)
    return ev.LoanDisbursed(**stamp(command, command.value_on), amount_minor=command.amount_minor)


def repaid(command: cmd.PostRepayment, account: LoanAccount) -> ev.Fact:
    """Take a repayment."""
    guard.positive(command.amount_minor, no.RepaymentNotPositive)
    if account.status is LoanStatus.CHARGED_OFF:
        guard.before_charge_off(command.value_on, account)
    waits = account.terms.overpayment is Overpayment.CREDIT
    if not (waits and account.status is LoanStatus.SETTLED):
        guard.being_repaid(account)
    guard.money_in(command, account)
    return ev.RepaymentPosted(
        **stamp(command, command.value_on),
        repayment_id=command.request_id,
        amount_minor=command.amount_minor,
        allocations=(),
        allocation_policy=account.terms.waterfall.policy,
        source=command.source,
        told=True,
    )


def recovered(command: cmd.PostRecovery, account: LoanAccount) -> ev.Fact:
    """Take a recovery."""
    guard.positive(command.amount_minor, no.RepaymentNotPositive)
    guard.after_charge_off(command.value_on, account, "PostRepayment")
    guard.money_in(command, account)
    return ev.RecoveryPosted(
        **stamp(command, command.value_on),
        repayment_id=command.request_id,
        amount_minor=command.amount_minor,
        allocations=(),
        told=True,
    )


def reversed_(command: cmd.ReverseRepayment, account: LoanAccount) -> ev.Fact:
    """Take a repayment back as of its value date."""
    fact = account.repayment(command.repayment_id)
    if fact is None:
        raise no.RepaymentNotFound(
            f"loan {account.loan_id} has no repayment {command.repayment_id}", field="repayment_id"
        )
    if command.repayment_id in account.reversed_ids:
        raise no.RepaymentAlreadyReversed("it was taken back before", field="repayment_id")
    return ev.RepaymentReversed(
        **stamp(command, fact.effective_on, command.reason),
        repayment_id=command.repayment_id,
        amount_minor=fact.amount_minor,
    )


def charged(command: cmd.ApplyCharge, account: LoanAccount) -> ev.Fact:
    """Charge an amount."""
    guard.positive(command.amount_minor, no.ChargeNotPositive)
    guard.disbursed(account)
    if account.status is LoanStatus.WRITTEN_OFF:
        raise no.LoanIsSettled(f"loan {account.loan_id} is written off", field="loan_id")
    guard.since_disbursal(command, command.value_on, account)
    guard.same_currency(command.currency, account)
    if command.due_on is not None and command.due_on < command.value_on:
        raise no.DateOutOfOrder(
            "the charge is due before it counts",
            field="due_on",
            expected=f"from {command.value_on}",
        )
    line = guard.line_on(command.value_on, account)
    check_ceiling(account.terms, line, (command.due_on or command.value_on, command.amount_minor))
    return ev.ChargeApplied(
        **stamp(command, command.value_on, command.reason),
        amount_minor=command.amount_minor,
        component=command.component,
        due_on=command.due_on,
        told=True,
    )


def waived(command: cmd.WaiveCharge, account: LoanAccount) -> ev.Fact:
    """Let go of what is unpaid of a charge."""
    guard.since_disbursal(command, command.value_on, account)
    line = guard.line_on(command.value_on, account)
    named = [c for c in line.charges if c.fact_id == command.charge_id]
    unpaid = sum(c.due - c.paid for c in named)
    if unpaid <= 0:
        raise no.ChargeNotFound(
            f"nothing of charge {command.charge_id} is unpaid", field="charge_id"
        )
    return ev.ChargeWaived(
        **stamp(command, command.value_on, command.reason),
        charge_id=command.charge_id,
        amount_minor=unpaid,
        approved_by=command.approved_by,
        component=named[0].component,
        told=True,
    )


def refunded(command: cmd.RefundCredit, account: LoanAccount) -> ev.Fact:
    """Pay a credit balance back."""
    guard.positive(command.amount_minor, no.RepaymentNotPositive)
    guard.since_disbursal(command, command.value_on, account)
    guard.same_currency(command.currency, account)
    assert command.business_on is not None
    # What was used or paid back since is not there to be paid back before.
    days = {fact.effective_on for fact in account.counting if fact.effective_on > command.value_on}
    days |= {command.value_on, command.business_on}
    credit = min(guard.line_on(day, account).unallocated for day in sorted(days))
    if command.amount_minor > credit:
        raise no.CreditBelowRefund(
            f"the credit balance is {credit}",
            field="amount",
            expected=f"up to {credit} minor units",
            credit_minor=credit,
        )
    return ev.CreditRefunded(
        **stamp(command, command.value_on, command.reason), amount_minor=command.amount_minor
    )


def settled(command: cmd.SettleLoan, account: LoanAccount) -> ev.Fact:
    """Take money in, or none, as full settlement; taking it back brings the whole debt back."""
    if command.amount_minor:
        guard.positive(command.amount_minor, no.RepaymentNotPositive)
    guard.being_repaid(account)
    guard.money_in(command, account)
    last = account.latest_on if account.facts else None
    if last is not None and command.value_on < last:
        raise no.DateOutOfOrder(
            "something counts after that date", field="value_on", expected=f"from {last}"
        )
    owed = guard.line_on(command.value_on, account).payoff
    return ev.SettlementPosted(
        **stamp(command, command.value_on, command.reason),
        repayment_id=command.request_id,
        amount_minor=command.amount_minor,
        forgiven_minor=max(0, owed - command.amount_minor),
        approved_by=command.approved_by,
    )


_PAID = {*RECEIVED, FactKind.GUARANTEE, FactKind.TRANSFER}
"""Facts by which somebody gave money for the debt, or for some of it."""


def returned(command: cmd.ReturnDisbursement, account: LoanAccount) -> ev.Fact:
    """Take back a disbursal that the bank returned; nobody may have paid on the loan."""
    guard.active(account)
    guard.since_disbursal(command, command.value_on, account)
    guard.same_currency(command.currency, account)
    guard.nothing_later(command.value_on, account)
    if any(fact.kind in _PAID for fact in account.counting):
        raise no.MoneyWasPosted(f"money was paid on loan {account.loan_id}", field="loan_id")
    out = sum(amount for _, amount in guard.line_on(command.value_on, account).paid_out)
    if command.amount_minor != out:
        raise no.AmountNotDisbursed(
            f"{command.amount_minor} is not what was paid out",
            field="amount",
            expected=f"{out} minor units",
        )
    return ev.DisbursementReturned(
        **stamp(command, command.value_on, command.reason),
        amount_minor=out,
        approved_by=command.approved_by,
    )


def guaranteed(command: cmd.PostGuaranteePayment, account: LoanAccount) -> ev.Fact:
    """Take a guarantor's payment in; the borrower owes as much as before."""
    guard.positive(command.amount_minor, no.RepaymentNotPositive)
    guard.being_repaid(account)
    guard.since_disbursal(command, command.value_on, account)
    guard.same_currency(command.currency, account)
    assert command.business_on is not None
    lines = [guard.line_on(day, account) for day in (command.value_on, command.business_on)]
    owed = (line.payoff - line.prepayment_fee(line.principal_ahead) for line in lines)
    left = max(0, min(owed) - lines[-1].subrogated)
    if command.amount_minor > left:
        raise no.ClaimAbovePayoff(
            f"{command.amount_minor} is above {left}",
            field="amount",
            expected=f"up to {left} minor units",
            payoff_minor=left,
        )
    return ev.GuaranteeClaimPaid(
        **stamp(command, command.value_on),
        amount_minor=command.amount_minor,
        guarantor_ref=command.guarantor_ref,
    )


def _disbursed_in_parts(command: cmd.DisburseLoan, account: LoanAccount) -> ev.Fact:
    """Pay out a part of the principal, while parts are left."""
    guard.positive(command.amount_minor, no.DisbursementAbovePrincipal)
    dates = dates_of(account.terms, command.value_on)
    if account.disbursed_on is not None:
        guard.active(account)
        guard.not_sold(account)
        guard.since_disbursal(command, command.value_on, account)
        line = guard.line_on(command.value_on, account)
        guard.not_accelerated(line, account)
        dates = dates_of(line.plan.terms, line.plan.start_on)
    guard.before_due(command.value_on, dates[-1], "last due date")
    later = [f for f in account.facts if f.kind is FactKind.DISBURSEMENT]
    first = account.disbursed_minor or account.terms.principal_minor
    out = first + sum(f.amount_minor for f in later) if account.disbursed_on else 0
    parts = len(later) + (1 if account.disbursed_on else 0)
    left = account.terms.principal_minor - out
    if command.amount_minor > left or parts >= account.terms.disbursements_max:
        raise no.DisbursementAbovePrincipal(
            f"{command.amount_minor} in part {parts + 1}",
            field="amount",
            expected=f"up to {left} in up to {account.terms.disbursements_max} parts",
        )
    return ev.LoanDisbursed(**stamp(command, command.value_on), amount_minor=command.amount_minor)
