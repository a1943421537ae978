"""A command meets an account: events that say what it did, or a refusal that says why not."""

from __future__ import annotations

from datetime import date
from functools import singledispatch

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain import refusals as no
from services.ledger.domain.aftermath import aftermath, age, stamp
from services.ledger.domain.loan_account import LoanAccount, LoanStatus, evolve
from services.ledger.domain.terms import check_terms
from shared.kernel.errors import InvalidArgument

Decided = list[ev.Fact]


def decide(account: LoanAccount | None, command: cmd.Asked) -> Decided:
    """
    Decide one command.

    Args:
        account: The loan so far; None when there is none.
        command: What is asked, with its clocks passed in.
    Returns:
        Events in order: the fact, then what followed from it (restatement, transitions, settled).
    Raises:
        LendingError: one of the refusals; nothing has changed then.
    """
    if isinstance(command, cmd.OpenLoan):
        return _open(account, command)
    if account is None:
        raise no.LoanNotFound(f"loan {command.loan_id} does not exist", field="loan_id")
    if isinstance(command, cmd.AgeLoan):
        return age(account, command)
    if command.business_on is None:
        raise no.BusinessDateNotSet("the ledger has no business date yet")
    fact = _fact_of(command, account)
    if isinstance(fact, ev.LoanDisbursed):
        postings = (
            ev.Posting("assets:cash", -fact.amount_minor),
            ev.Posting("loans:principal", fact.amount_minor),
        )
        fact = msgspec.structs.replace(fact, postings=postings)
    return aftermath(account, fact, evolve(account, fact), command)


def _open(account: LoanAccount | None, command: cmd.OpenLoan) -> Decided:
    if account is not None:
        raise no.LoanAlreadyOpen(f"loan {command.loan_id} exists", field="loan_id")
    check_terms(command.terms)
    on = command.business_on or command.recorded_at.date()
    return [
        ev.LoanOpened(
            **stamp(command, on),
            borrower_ref=command.borrower_ref,
            product=command.product,
            terms=command.terms,
        )
    ]


@singledispatch
def _fact_of(command: cmd.Asked, account: LoanAccount) -> ev.Fact:
    raise TypeError(f"no decision for {type(command).__name__}")


@_fact_of.register
def _(command: cmd.DisburseLoan, account: LoanAccount) -> ev.Fact:
    if account.status is not LoanStatus.OPENED:
        raise no.LoanAlreadyDisbursed(f"loan {account.loan_id} was paid out", field="loan_id")
    _not_in_future(command, command.value_on)
    _same_currency(command.currency, account)
    if command.value_on >= account.terms.first_due_on:
        raise no.DateOutOfOrder(
            "the disbursal is not before the first due date",
            field="value_on",
            expected=f"before {account.terms.first_due_on}",
        )
    if command.amount_minor != account.terms.principal_minor:
        raise no.AmountNotPrincipal(
            f"{command.amount_minor} is not the principal",
            field="amount",
            expected=str(account.terms.principal_minor),
        )
    return ev.LoanDisbursed(**stamp(command, command.value_on), amount_minor=command.amount_minor)


@_fact_of.register
def _(command: cmd.PostRepayment, account: LoanAccount) -> ev.Fact:
    _positive(command.amount_minor, no.RepaymentNotPositive)
    if account.status is LoanStatus.CHARGED_OFF:
        raise no.LoanIsChargedOff("the loan is charged off: post a recovery", field="loan_id")
    _being_repaid(account)
    _money_in(command, account)
    return ev.RepaymentPosted(
        **stamp(command, command.value_on),
        repayment_id=command.request_id,
        amount_minor=command.amount_minor,
        allocations=(),
    )


@_fact_of.register
def _(command: cmd.PostRecovery, account: LoanAccount) -> ev.Fact:
    _positive(command.amount_minor, no.RepaymentNotPositive)
    if account.status is not LoanStatus.CHARGED_OFF:
        raise no.LoanNotChargedOff(f"loan {account.loan_id} is not charged off", field="loan_id")
    _after_charge_off(command.value_on, account)
    _money_in(command, account)
    return ev.RecoveryPosted(
        **stamp(command, command.value_on),
        repayment_id=command.request_id,
        amount_minor=command.amount_minor,
        allocations=(),
    )


@_fact_of.register
def _(command: cmd.ReverseRepayment, account: LoanAccount) -> ev.Fact:
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


@_fact_of.register
def _(command: cmd.ApplyCharge, account: LoanAccount) -> ev.Fact:
    _positive(command.amount_minor, no.ChargeNotPositive)
    _being_repaid(account)
    _since_disbursal(command, command.value_on, account)
    _same_currency(command.currency, account)
    return ev.ChargeApplied(
        **stamp(command, command.value_on, command.reason), amount_minor=command.amount_minor
    )


@_fact_of.register
def _(command: cmd.RestructureLoan, account: LoanAccount) -> ev.Fact:
    _active(account)
    _since_disbursal(command, command.effective_on, account)
    if command.first_due_on <= command.effective_on:
        raise no.DateOutOfOrder(
            "the first new due date is not after the restructuring",
            field="first_due_on",
            expected=f"after {command.effective_on}",
        )
    line = account.timeline(command.effective_on)
    assert line is not None
    terms = msgspec.structs.replace(
        line.terms,
        principal_minor=max(1, line.principal_outstanding),
        instalments=command.instalments,
        first_due_on=command.first_due_on,
        rate_annual=command.rate_annual,
    )
    check_terms(terms)
    return ev.TermsRestructured(
        **stamp(command, command.effective_on, command.reason),
        instalments=command.instalments,
        first_due_on=command.first_due_on,
        terms=terms,
        approved_by=command.approved_by,
    )


@_fact_of.register
def _(command: cmd.ChargeOffLoan, account: LoanAccount) -> ev.Fact:
    _active(account)
    _since_disbursal(command, command.effective_on, account)
    last = max((fact.effective_on for fact in account.facts), default=command.effective_on)
    if command.effective_on < last:
        raise no.DateOutOfOrder(
            "money counts after that date", field="effective_on", expected=f"from {last}"
        )
    line = account.timeline(command.effective_on)
    assert line is not None
    return ev.LoanChargedOff(
        **stamp(command, command.effective_on, command.reason),
        principal_minor=line.principal_outstanding,
    )


def _positive(amount_minor: int, refusal: type[InvalidArgument]) -> None:
    if amount_minor <= 0:
        raise refusal(f"{amount_minor} is not above zero", field="amount", expected="above 0")


def _same_currency(currency: str, account: LoanAccount) -> None:
    if currency != account.terms.currency:
        raise no.CurrencyDiffers(
            f"the loan is in {account.terms.currency}, not {currency!r}",
            field="amount.currency",
            expected=account.terms.currency,
        )


def _not_in_future(command: cmd.Asked, on: date) -> None:
    if command.business_on is not None and on > command.business_on:
        raise no.ValueDateInFuture(
            f"{on} is after the business date",
            field="value_on",
            expected=f"up to {command.business_on}",
        )


def _since_disbursal(command: cmd.Asked, on: date, account: LoanAccount) -> None:
    _not_in_future(command, on)
    if account.disbursed_on is None or on < account.disbursed_on:
        raise no.DateOutOfOrder(
            f"{on} is before the disbursal",
            field="value_on",
            expected=f"from {account.disbursed_on}",
        )


def _after_charge_off(on: date, account: LoanAccount) -> None:
    off = next(f.effective_on for f in account.facts if f.kind == "CHARGE_OFF")
    if on < off:
        raise no.DateOutOfOrder(
            f"{on} is before the charge-off", field="value_on", expected=f"from {off}"
        )


def _being_repaid(account: LoanAccount) -> None:
    if account.status is LoanStatus.SETTLED:
        raise no.LoanIsSettled(f"loan {account.loan_id} is settled", field="loan_id")
    if account.status is LoanStatus.OPENED:
        raise no.LoanNotActive(f"loan {account.loan_id} was not paid out yet", field="loan_id")


def _active(account: LoanAccount) -> None:
    if account.status is not LoanStatus.ACTIVE:
        raise no.LoanNotActive(f"loan {account.loan_id} is {account.status}", field="loan_id")


def _money_in(command: cmd.PostRepayment | cmd.PostRecovery, account: LoanAccount) -> None:
    """Refuse money in another currency, from another time, or above what is owed."""
    _same_currency(command.currency, account)
    _since_disbursal(command, command.value_on, account)
    line = account.timeline(command.value_on)
    assert line is not None
    assert command.business_on is not None
    today = account.timeline(command.business_on)
    assert today is not None
    ceiling = min(line.payoff, max(today.payoff, 0)) if today.on > line.on else line.payoff
    if command.amount_minor > ceiling:
        raise no.RepaymentAbovePayoff(
            f"{command.amount_minor} is above the payoff of {ceiling}",
            field="amount",
            expected=f"up to {ceiling} minor units",
            payoff_minor=ceiling,
        )
