"""Accounts, explanations, differences and effects as messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from typing import Any

from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.application.ageing import AgeingRun
from services.ledger.application.listing import Listed
from services.ledger.application.ports import Logged
from services.ledger.domain.chart import CHART
from services.ledger.domain.delinquency import DueRow, standing_of
from services.ledger.domain.difference import Step
from services.ledger.domain.effects import Effects
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.status import reason_of, status_on
from services.ledger.domain.timeline import NO_PENALTY, Row, Timeline
from services.ledger.wire_events import delinquency_message, told
from services.ledger.wire_terms import terms_message


def loan_message(
    account: LoanAccount, on: date | None, view: int = loan_pb2.LOAN_VIEW_FULL
) -> loan_pb2.Loan:
    """Return a loan on a date as its message; in the basic view without terms and instalments."""
    line = account.timeline(on) if on else None
    status = status_on(account, line, on) if on else account.status
    message = loan_pb2.Loan(
        loan_id=account.loan_id,
        name=f"loans/{account.loan_id}",
        borrower_ref=account.borrower_ref,
        product=account.product,
        status=loan_pb2.LoanStatus.Value(f"LOAN_STATUS_{status}"),
        status_reason=reason_of(status),
        effective_on=on.isoformat() if on else "",
        version=account.version,
    )
    if view != loan_pb2.LOAN_VIEW_BASIC:
        message.terms.CopyFrom(terms_message(line.terms if line else account.terms))
        if line is not None:
            _add_instalments(message, line)
    if line is not None and account.disbursed_on is not None:
        message.disbursed_on = account.disbursed_on.isoformat()
        _fill_balances(message, line)
    return message


def _add_instalments(message: loan_pb2.Loan, line: Timeline) -> None:
    """Add every row to a loan's message; what nothing was paid of is the short form of it."""
    add = message.instalments.add
    for row in line.rows:
        added = add(
            number=row.number,
            due_on=row.due_on.isoformat(),
            principal_due_minor=row.principal_due,
            interest_due_minor=row.interest_due,
        )
        untouched = row.paid_on is None and row.penalty_exact is NO_PENALTY and not row.charges
        if not untouched or row.principal_paid or row.interest_paid or row.penalty_paid:
            _fill_instalment(added, line, row)


def _fill_instalment(added: loan_pb2.Instalment, line: Timeline, row: Row) -> None:
    if row.penalty_exact is not NO_PENALTY or row.penalty_paid:
        added.penalty_due_minor = line.penalty_due(row)
        added.penalty_paid_minor = row.penalty_paid
    if row.charges:
        added.charges_due_minor = sum(c.due for c in row.charges)
        added.charges_paid_minor = sum(c.paid for c in row.charges)
    if row.paid or row.paid_on:
        added.principal_paid_minor = row.principal_paid
        added.interest_paid_minor = row.interest_paid
        added.paid_on = row.paid_on.isoformat() if row.paid_on else ""
        added.paid_in_advance_minor = row.paid_in_advance
        added.paid_late_minor = row.paid_late


def _fill_balances(message: loan_pb2.Loan, line: Timeline) -> None:
    standing = standing_of(line)
    owed = line.owed()
    message.principal_outstanding_minor = owed.principal
    message.interest_overdue_minor = standing.interest_overdue_minor
    message.penalty_outstanding_minor = owed.penalty
    message.fees_outstanding_minor = owed.charges
    message.unallocated_minor = line.unallocated
    message.recovered_minor = line.recovered
    message.payoff_minor = line.payoff_of(owed)
    message.subrogated_minor = line.subrogated
    message.creditor_ref = line.creditor_ref
    message.accelerated_on = line.accelerated_on.isoformat() if line.accelerated_on else ""
    message.delinquency.CopyFrom(delinquency_message(standing))


def effects_message(
    given: Effects, events: Iterable[Fact], loan_id: str, currency: str
) -> loan_pb2.Effects:
    """Return what a command would do as its message."""
    return loan_pb2.Effects(
        events=given.events,
        published=[name for event in events for name, _ in told(event)],
        journal=[
            loan_pb2.JournalLine(
                loan_id=loan_id,
                effective_on=effective_on.isoformat(),
                account=posting.account,
                amount_minor=posting.amount_minor,
                currency=currency,
            )
            for effective_on, posting in given.postings
        ],
        instalments=[
            loan_pb2.InstalmentChange(
                number=row.number,
                due_on=row.due_on.isoformat(),
                principal_due_before_minor=row.principal_due[0],
                principal_due_after_minor=row.principal_due[1],
                interest_due_before_minor=row.interest_due[0],
                interest_due_after_minor=row.interest_due[1],
                unpaid_before_minor=row.unpaid[0],
                unpaid_after_minor=row.unpaid[1],
            )
            for row in given.rows
        ],
        before=delinquency_message(given.standing_before),
        after=delinquency_message(given.standing_after),
        figures_before=given.figures_before,
        figures_after=given.figures_after,
    )


def explanation_message(node: dict[str, Any]) -> loan_pb2.Explanation:
    """Return a tree as its message."""
    message = loan_pb2.Explanation(
        op=node["op"],
        label=node["label"],
        value=node["value"],
        to=node.get("to", ""),
        mode=node.get("mode", ""),
        of=[explanation_message(part) for part in node.get("of", ())],
    )
    setattr(message, "from", node.get("from", ""))
    return message


def past_due_message(row: DueRow) -> loan_pb2.PastDue:
    """Return one row of the past-due table as its message."""
    return loan_pb2.PastDue(
        due_on=row.due_on.isoformat(),
        due_minor=row.due_minor,
        paid_minor=row.paid_minor,
        carried_minor=row.carried_minor,
        days_past_due=row.days_past_due,
    )


def difference_message(
    before: dict[str, int], after: dict[str, int], steps: list[Step]
) -> pb.CompareLoanResponse:
    """Return a difference as its message."""
    return pb.CompareLoanResponse(
        before=before,
        after=after,
        steps=[step_message(step) for step in steps],
    )


def step_message(step: Step) -> loan_pb2.DifferenceStep:
    """Return one cause of a difference as its message."""
    return loan_pb2.DifferenceStep(
        version=step.version, cause=step.cause, on=step.upto.isoformat(), changes=step.changes
    )


def list_message(listed: Listed) -> pb.ListLoansResponse:
    """Return a page of loans as its message."""
    loans = [
        pb.LoanSummary(
            loan_id=row["loan_id"],
            name=f"loans/{row['loan_id']}",
            borrower_ref=row["borrower_ref"],
            product=row["product"],
            currency=row["currency"],
            status=loan_pb2.LoanStatus.Value(f"LOAN_STATUS_{row['status']}"),
            principal_outstanding_minor=row["principal_outstanding_minor"],
            days_past_due=row["days_past_due"],
            arrears_minor=row["arrears_minor"],
            bucket=row["bucket"],
        )
        for row in listed.rows
    ]
    known_at = listed.known_at.isoformat()
    return pb.ListLoansResponse(loans=loans, next_page_token=listed.next_token, known_at=known_at)


def business_date_message(on: date | None, run: AgeingRun | None) -> pb.BusinessDate:
    """Return the business date as its message, with the run that is closing days."""
    message = pb.BusinessDate(on=on.isoformat() if on else "")
    if run is not None:
        message.run.to = run.to.isoformat()
        message.run.loans_due, message.run.loans_done = run.loans_due, run.loans_done
        message.run.loans_per_second = run.loans_per_second
        message.run.seconds_left = run.seconds_left
    return message


def balance_message(name: str, currency: str, total: int) -> pb.AccountBalance:
    """Return an account's balance as its message, with its place in the chart of accounts."""
    account = CHART[name]
    return pb.AccountBalance(
        account=name,
        currency=currency,
        balance_minor=total,
        kind=str(account.kind),
        title_en=account.english,
        title_zh=account.chinese,
    )


def event_message(row: Logged, event: Any) -> loan_pb2.LoanEvent:
    """Return a stored event as its message."""
    return loan_pb2.LoanEvent(
        version=row.version,
        topic=row.topic,
        effective_on=event.effective_on.isoformat(),
        recorded_at=event.recorded_at.isoformat(),
        body_json=row.state.decode(),
        sha256=hashlib.sha256(row.state).hexdigest(),
    )
