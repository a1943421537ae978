"""What changes in the middle of a period: interest is owed for each night, on what was out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain.terms import Prepayment, RepaymentMethod
from shared.kernel.dates import DayCount
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "reviewed", "approved_by": "Li"}


def test_what_was_earned_before_a_further_part_stays_earned() -> None:
    """8,000.00 out and one instalment paid: 15 days earn 26.67; a part of 4,000.00 takes none."""
    terms = msgspec.structs.replace(TERMS, day_count=DayCount.ACT_360, instalments=3)
    desk = Desk(terms, part="8000.00", parts=3)
    desk.go_to(date(2026, 2, 5))
    desk.repay("2749.34")
    desk.go_to(date(2026, 2, 20))
    before = desk.account.timeline(desk.on).interest_owed

    desk.ask(cmd.DisburseLoan, value_on=desk.on, amount_minor=400_000, currency="CNY")

    owed = [desk.account.timeline(date(2026, 2, day)).interest_owed for day in (20, 21)]
    assert before == owed[0] == 2_667
    # 9,333.33 at 12 % for one day more.
    assert owed[1] == 2_978


@pytest.mark.parametrize(
    ("method", "paid_on", "interest"),
    [
        # what the rest of 30/360 owes of the running period, and what whole months owe of it
        (RepaymentMethod.EQUAL_PRINCIPAL, date(2026, 1, 20), (3_030, 3_127)),
        (RepaymentMethod.BULLET, date(2026, 7, 5), (40_320, 40_616)),
    ],
)
def test_a_prepaid_period_is_not_paid_twice(
    method: RepaymentMethod, paid_on: date, interest: tuple[int, int]
) -> None:
    """6,000.00 early: the rest of the running period is owed, not a whole one or a month of it."""
    owed = []
    for day_count in (DayCount.THIRTY_360, DayCount.PERIOD_360):
        rule = {"method": method, "day_count": day_count, "prepayment": Prepayment.REDUCE}
        desk = Desk(msgspec.structs.replace(TERMS, **rule))
        desk.go_to(paid_on)
        desk.repay("6000.00")
        rows = desk.account.timeline(desk.on).rows
        owed.append(next(row.interest_due for row in rows if row.principal_unpaid))

    assert tuple(owed) == interest


@pytest.mark.parametrize("method", [RepaymentMethod.EQUAL_PRINCIPAL, RepaymentMethod.BULLET])
def test_a_new_rate_counts_for_the_rest_of_the_period(method: RepaymentMethod) -> None:
    """Half the rate from 20 January: 16 of the period's 31 days, or 350 of 365, are at 6 %."""
    desk = Desk(msgspec.structs.replace(TERMS, method=method, day_count=DayCount.PERIOD_360))
    desk.go_to(date(2026, 1, 20))

    desk.ask(cmd.RestructureLoan, effective_on=desk.on, rate_annual=Decimal("0.06"), **APPROVED)

    first = next(row for row in desk.account.timeline(desk.on).rows if row.unpaid)
    by_months = {
        RepaymentMethod.EQUAL_PRINCIPAL: (31, 6_000),
        RepaymentMethod.BULLET: (365, 72_000),
    }
    days, half = by_months[method]
    at_the_old = round(2 * half * 15 / days)
    assert first.interest_due == at_the_old + round(half * (days - 15) / days)
    assert first.due_on == {31: date(2026, 2, 5), 365: date(2027, 1, 5)}[days]


def test_a_paid_row_of_an_earlier_plan_is_no_instalment_to_come() -> None:
    """After an early payment 12 dates are to come: a new rate plans 12 instalments, not 13."""
    desk = Desk(msgspec.structs.replace(TERMS, prepayment=Prepayment.REDUCE))
    desk.go_to(date(2026, 1, 20))
    desk.repay("6000.00")

    done = desk.ask(
        cmd.RestructureLoan, effective_on=desk.on, rate_annual=Decimal("0.06"), **APPROVED
    )

    assert done[0].instalments == 12
    unpaid = [row.due_on for row in desk.account.timeline(desk.on).rows if row.unpaid]
    assert (unpaid[0], unpaid[-1], len(unpaid)) == (date(2026, 2, 5), date(2027, 1, 5), 12)
