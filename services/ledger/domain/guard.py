"""What must hold before a command is carried out; each refusal names the field in the way."""

from __future__ import annotations

from datetime import date

from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.facts import FactKind, LoanStatus, MoneyFact
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.terms import Overpayment
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.waterfall import PaymentSource
from shared.kernel.errors import InvalidArgument


def positive(amount_minor: int, refusal: type[InvalidArgument]) -> None:
    """Refuse an amount that is not above zero."""
    if amount_minor <= 0:
        raise refusal(f"{amount_minor} is not above zero", field="amount", expected="above 0")


def same_currency(currency: str, account: LoanAccount) -> None:
    """Refuse an amount in another currency."""
    if currency != account.terms.currency:
        raise no.CurrencyDiffers(
            f"the loan is in {account.terms.currency}, not {currency!r}",
            field="amount.currency",
            expected=account.terms.currency,
        )


def not_in_future(command: cmd.Asked, on: date) -> None:
    """Refuse a date after the business date."""
    if command.business_on is not None and on > command.business_on:
        raise no.ValueDateInFuture(
            f"{on} is after the business date",
            field="value_on",
            expected=f"up to {command.business_on}",
        )


def since_disbursal(command: cmd.Asked, on: date, account: LoanAccount) -> None:
    """Refuse a date before the disbursal or in the future."""
    not_in_future(command, on)
    if account.disbursed_on is None or on < account.disbursed_on:
        raise no.DateOutOfOrder(
            f"{on} is before the disbursal",
            field="value_on",
            expected=f"from {account.disbursed_on}",
        )


def after_charge_off(on: date, account: LoanAccount, before: str = "") -> None:
    """Refuse a date before the charge-off, and say what is for it."""
    off = charge_off_of(account).effective_on
    if on < off:
        expected = f"from {off}; before it {before}" if before else f"from {off}"
        raise no.DateOutOfOrder(
            f"{on} is before the charge-off", field="value_on", expected=expected
        )


def before_charge_off(on: date, account: LoanAccount) -> None:
    """Refuse a repayment of a charged-off loan, but one that came before the charge-off."""
    off = charge_off_of(account).effective_on
    if on >= off:
        raise no.LoanIsChargedOff(
            f"the loan is charged off since {off}",
            field="value_on",
            expected=f"before {off}; from then on PostRecovery",
        )


def nothing_later(on: date, account: LoanAccount) -> None:
    """Refuse a date before one from which a fact of the loan counts."""
    last = account.latest_on if account.facts else None
    if last is not None and on < last:
        raise no.DateOutOfOrder(
            "money counts after that date", field="effective_on", expected=f"from {last}"
        )


def before_due(on: date, due_on: date, which: str) -> None:
    """Refuse a disbursal that is not before a due date, of which what it pays out is repaid."""
    if on >= due_on:
        raise no.DateOutOfOrder(
            f"the disbursal is not before the {which}",
            field="value_on",
            expected=f"before {due_on}",
        )


def not_sold(account: LoanAccount) -> None:
    """Refuse a loan that was sold: it is another's to lend on."""
    if any(fact.kind is FactKind.TRANSFER for fact in account.counting):
        raise no.LoanIsTransferred(f"loan {account.loan_id} is sold", field="loan_id")


def not_accelerated(line: Timeline, account: LoanAccount) -> None:
    """Refuse a loan of which everything was declared due."""
    if line.accelerated_on is not None:
        raise no.LoanIsAccelerated(
            f"loan {account.loan_id} was accelerated on {line.accelerated_on}", field="loan_id"
        )


def charge_off_of(account: LoanAccount) -> MoneyFact:
    """
    Return the charge-off in force.

    Raises:
        LoanNotChargedOff: there is none.
    """
    found = [f for f in account.counting if f.kind is FactKind.CHARGE_OFF]
    if account.status is not LoanStatus.CHARGED_OFF or not found:
        raise no.LoanNotChargedOff(f"loan {account.loan_id} is not charged off", field="loan_id")
    return found[-1]


def being_repaid(account: LoanAccount) -> None:
    """Refuse a loan that is settled or was not paid out."""
    if account.status in (LoanStatus.SETTLED, LoanStatus.WRITTEN_OFF):
        raise no.LoanIsSettled(f"loan {account.loan_id} is settled", field="loan_id")
    if account.status is LoanStatus.OPENED:
        raise no.LoanNotActive(f"loan {account.loan_id} was not paid out yet", field="loan_id")


def active(account: LoanAccount) -> None:
    """Refuse a loan that is not active."""
    if account.status is not LoanStatus.ACTIVE:
        raise no.LoanNotActive(f"loan {account.loan_id} is {account.status}", field="loan_id")


def money_in(
    command: cmd.PostRepayment | cmd.PostRecovery | cmd.SettleLoan, account: LoanAccount
) -> None:
    """Refuse money in another currency, from another time, or above what is owed."""
    same_currency(command.currency, account)
    since_disbursal(command, command.value_on, account)
    if account.terms.overpayment is Overpayment.CREDIT:
        return
    assert command.business_on is not None
    line = line_on(command.value_on, account)
    today = line if command.business_on == line.on else line_on(command.business_on, account)
    by_others = getattr(command, "source", PaymentSource.BORROWER) is not PaymentSource.BORROWER
    fee = line.prepayment_fee(line.principal_ahead) if by_others else 0
    if all(owing.owes(command.amount_minor + fee) for owing in (line, today)):
        return
    payoff = line.payoff - fee
    ceiling = min(payoff, max(today.payoff, 0)) if today.on > line.on else payoff
    if command.amount_minor > ceiling:
        raise no.RepaymentAbovePayoff(
            f"{command.amount_minor} is above the payoff of {ceiling}",
            field="amount",
            expected=f"up to {ceiling} minor units",
            payoff_minor=ceiling,
        )


def line_on(on: date, account: LoanAccount) -> Timeline:
    """Return the timeline of a loan that was paid out by a date."""
    line = account.timeline(on)
    assert line is not None
    return line


def disbursed(account: LoanAccount) -> None:
    """Refuse a loan that was not paid out."""
    if account.disbursed_on is None:
        raise no.LoanNotActive(f"loan {account.loan_id} was not paid out yet", field="loan_id")
