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


def test_interest_paid_for_days_that_are_paused_pays_the_next() -> None:
    """120.00 paid ahead, then 26 of 30 days earn nothing: 104.00 of it are for March's interest."""
    desk = Desk()
    desk.repay("1120.00")
    desk.go_to(date(2026, 1, 10))

    desk.ask(cmd.PauseInterest, from_on=desk.on, until_on=date(2026, 2, 5), **APPROVED)

    line = desk.account.timeline(date(2026, 3, 5))
    assert [row.unpaid for row in line.rows[:3]] == [0, 110_000 - 10_400 + 1_000, 110_000]
    assert line.payoff == 1_100_000 + 11_000 - 10_400


@pytest.mark.parametrize("later", ["a pause", "a further part"])
def test_interest_of_an_earlier_plan_outlives_the_next_change(later: str) -> None:
    """60.00 were earned when the rate was halved: a pause of two days takes 2.00, and not those."""
    desk = Desk(part="6000.00", parts=2) if later == "a further part" else Desk()
    desk.go_to(date(2026, 1, 20))
    desk.ask(cmd.RestructureLoan, effective_on=desk.on, rate_annual=Decimal("0.06"), **APPROVED)
    earned = desk.account.timeline(desk.on).interest_owed

    if later == "a pause":
        desk.ask(cmd.PauseInterest, from_on=desk.on, until_on=date(2026, 1, 21), **APPROVED)
    else:
        desk.ask(cmd.DisburseLoan, value_on=desk.on, amount_minor=600_000, currency="CNY")

    first = desk.account.timeline(desk.on).rows[0]
    assert desk.account.timeline(desk.on).interest_owed == earned
    # Fifteen days at the new rate on 12,000.00, of which the pause takes one night.
    assert first.interest_due == earned + (2_800 if later == "a pause" else 3_000)
