"""A loan paid out in parts: each part is owed, on the dates that are left when it is paid out."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from services.ledger.application.reading import preview
from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.books import sub_ledger
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.terms import ShortMonth
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "agreed", "approved_by": "Li"}


def draw(desk: Desk, amount_minor: int) -> None:
    """Pay a part out on the desk's date."""
    desk.ask(cmd.DisburseLoan, value_on=desk.on, amount_minor=amount_minor, currency="CNY")


def posted(desk: Desk, account: str) -> int:
    """Return what the postings of a loan made of an account."""
    lines = [line for event in desk.events for line in getattr(event, "postings", ())]
    return sum(line.amount_minor for line in lines if line.account == account)


def test_nothing_more_is_paid_out_on_a_loan_that_was_sold() -> None:
    """The rest is the buyer's to lend: a part would be in the seller's books and in no row."""
    desk = Desk(part="4000.00", parts=3)
    desk.go_to(date(2026, 1, 20))
    sale = {"creditor_ref": "fund", "price_minor": 390_000, "currency": "CNY"}
    desk.ask(cmd.TransferLoan, effective_on=desk.on, **sale, **APPROVED)

    with pytest.raises(no.LoanIsTransferred):
        draw(desk, 100_000)


def test_a_part_after_everything_before_it_was_paid_is_owed() -> None:
    """4,000.00 paid back, a fee keeps the loan open, 1,000.00 more on 10 March: in ten rows."""
    desk = Desk(part="4000.00", parts=3)
    desk.go_to(date(2026, 1, 20))
    desk.repay("4020.00")
    desk.go_to(date(2026, 3, 10))
    fee = {"amount_minor": 5_000, "currency": "CNY", "reason": "account fee"}
    desk.ask(cmd.ApplyCharge, value_on=desk.on, **fee)

    draw(desk, 100_000)

    line = desk.account.timeline(desk.on)
    assert line.principal_outstanding == posted(desk, "loans:principal") == 100_000
    assert next(row.due_on for row in line.rows if row.unpaid) == date(2026, 4, 5)
    desk.go_to(date(2026, 4, 20))
    assert desk.account.standing.arrears_minor > 0


def test_a_payoff_that_counts_before_a_part_leaves_the_part_owed() -> None:
    """4,020.00 of 20 January, told in March: it paid the first part off, not the second."""
    desk = Desk(part="4000.00", parts=3)
    desk.go_to(date(2026, 2, 2))
    draw(desk, 300_000)
    desk.go_to(date(2026, 3, 1))

    desk.repay("4020.00", date(2026, 1, 20))

    line = desk.account.timeline(desk.on)
    assert desk.account.status is LoanStatus.ACTIVE
    assert line.principal_outstanding == sub_ledger(line)["loans:principal"] == 300_000
    assert posted(desk, "loans:principal") == 300_000
    assert line.days_past_due == 24


def test_a_part_needs_a_date_on_which_it_is_repaid() -> None:
    """On the last due date and later nothing is paid out: it would be late at once."""
    terms = msgspec.structs.replace(TERMS, instalments=3)
    desk = Desk(terms, part="4000.00", parts=3)
    desk.go_to(date(2026, 4, 5))

    with pytest.raises(no.DateOutOfOrder, match="last due date"):
        draw(desk, 100_000)
    with pytest.raises(no.DateOutOfOrder, match="last due date"):
        Desk(terms, disbursed_on=date(2026, 4, 5), part="4000.00", parts=3)


def test_a_disbursal_is_before_the_first_date_that_the_day_of_the_month_gives() -> None:
    """First due 27 February, on the 1st: that is 1 February, before 9 February."""
    month = {"due_day": 1, "short_month": ShortMonth.FIRST_OF_NEXT}
    terms = msgspec.structs.replace(TERMS, first_due_on=date(2026, 2, 27), **month)

    with pytest.raises(no.DateOutOfOrder, match="first due date") as refused:
        Desk(terms, disbursed_on=date(2026, 2, 9))
    assert refused.value.expected == "before 2026-02-01"
    with pytest.raises(no.DateOutOfOrder):
        preview(terms, date(2026, 2, 9))
