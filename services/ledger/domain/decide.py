"""A command meets an account: events that say what it did, or a refusal that says why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from services.ledger.domain import acceleration
from services.ledger.domain import commands as cmd
from services.ledger.domain import contract_facts as contract
from services.ledger.domain import events as ev
from services.ledger.domain import money_facts as money
from services.ledger.domain import refusals as no
from services.ledger.domain.aftermath import aftermath, age, stamp
from services.ledger.domain.approvals import ApproverIsMaker
from services.ledger.domain.ceilings import quote
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.loan_account import LoanAccount, evolve
from services.ledger.domain.terms import check_terms

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
    if command.version and command.version != account.version:
        raise no.LoanChangedMeanwhile(
            f"loan {account.loan_id} is at version {account.version}",
            field="etag",
            expected=str(account.version),
        )
    if isinstance(command, cmd.AgeLoan):
        return age(account, command)
    if command.business_on is None:
        raise no.BusinessDateNotSet("the ledger has no business date yet")
    if getattr(command, "approved_by", None) == command.actor:
        raise ApproverIsMaker(f"{command.actor} asks and approves", field="approved_by")
    if account.status is LoanStatus.CANCELLED:
        raise no.PayoutWasReturned(f"loan {account.loan_id} is cancelled", field="loan_id")
    fact = FACTS[type(command)](command, account)
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
    if on < command.terms.first_due_on:
        quote(command.terms, on)
    return [
        ev.LoanOpened(
            **stamp(command, on),
            borrower_ref=command.borrower_ref,
            product=command.product,
            terms=command.terms,
        )
    ]


FACTS: dict[type[cmd.Asked], Callable[[Any, LoanAccount], ev.Fact]] = {
    cmd.DisburseLoan: money.disbursed,
    cmd.PostRepayment: money.repaid,
    cmd.PostRecovery: money.recovered,
    cmd.ReverseRepayment: money.reversed_,
    cmd.ApplyCharge: money.charged,
    cmd.WaiveCharge: money.waived,
    cmd.RefundCredit: money.refunded,
    cmd.ChangeDelinquencyPolicy: contract.policy_changed,
    cmd.RestructureLoan: contract.restructured,
    cmd.AccelerateLoan: acceleration.accelerated,
    cmd.WithdrawAcceleration: acceleration.withdrawn,
    cmd.TransferLoan: contract.transferred,
    cmd.PauseInterest: contract.interest_paused,
    cmd.PauseDelinquency: contract.delinquency_paused,
    cmd.ResumeDelinquency: contract.delinquency_resumed,
    cmd.ChargeOffLoan: contract.charged_off,
    cmd.UndoChargeOff: contract.charge_off_undone,
    cmd.WriteOffLoan: contract.written_off,
    cmd.PostGuaranteePayment: money.guaranteed,
    cmd.SettleLoan: money.settled,
    cmd.ReturnDisbursement: money.returned,
}
"""Which function makes the fact of which command."""
