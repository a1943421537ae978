"""When a lender may ask for the whole debt at once, and take that back."""

from __future__ import annotations

from services.ledger.domain import changes, guard
from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain import refusals as no
from services.ledger.domain.aftermath import stamp
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.facts import AccelerationGround, FactKind
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.reasons import instalments_owed


def accelerated(command: cmd.AccelerateLoan, account: LoanAccount) -> ev.Fact:
    """Declare what is not due yet due on a date; the borrower was told before, or on it."""
    on = command.effective_on
    guard.active(account)
    guard.since_disbursal(command, on, account)
    guard.nothing_later(on, account)
    assert account.disbursed_on is not None
    if not account.disbursed_on <= command.notified_on <= on:
        raise no.DateOutOfOrder(
            "the borrower is told first, then everything falls due",
            field="notified_on",
            expected=f"from {account.disbursed_on} to {on}",
        )
    line = guard.line_on(on, account).copied()
    guard.not_accelerated(line, account)
    standing = standing_of(line)
    if command.ground is AccelerationGround.ARREARS and not standing.major:
        raise no.NotInArrears(
            f"loan {account.loan_id} is not late beyond grace on {on}", field="ground"
        )
    due = changes.accelerate(line)
    if due is None:
        raise no.NothingToAccelerate(
            f"no principal of loan {account.loan_id} falls due after {on}", field="effective_on"
        )
    return ev.LoanAccelerated(
        **stamp(command, on, command.reason),
        ground=command.ground,
        notified_on=command.notified_on,
        instalment=due.number,
        principal_minor=due.principal_due,
        interest_minor=due.interest_due,
        owed=instalments_owed(line, standing.oldest_due_on),
        approved_by=command.approved_by,
    )


def withdrawn(command: cmd.WithdrawAcceleration, account: LoanAccount) -> ev.Fact:
    """Take the acceleration in force back, as of its date."""
    guard.active(account)
    assert command.business_on is not None
    in_force = guard.line_on(command.business_on, account).accelerated_on
    found = [fact for fact in account.counting if fact.kind is FactKind.ACCELERATION]
    if in_force is None or not found:
        raise no.LoanNotAccelerated(
            f"no acceleration of loan {account.loan_id} is in force", field="loan_id"
        )
    return ev.AccelerationWithdrawn(
        **stamp(command, found[-1].effective_on, command.reason),
        acceleration_id=found[-1].fact_id,
        approved_by=command.approved_by,
    )
