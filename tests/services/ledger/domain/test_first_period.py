"""The first period of a loan whose months are whole: as one of them, or by its months and days."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain.refusals import TermsInvalid
from services.ledger.domain.terms import (
    FirstPeriod,
    Prepayment,
    RepaymentMethod,
    ShortMonth,
    Terms,
    check_terms,
)
from shared.kernel.calendars import BusinessDayRule
from shared.kernel.dates import DayCount
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "reviewed", "approved_by": "Li"}
# 12,000.00 at 12 %: 120.00 for a month, 4.00 for a day beside whole months.
BY_MONTHS = msgspec.structs.replace(TERMS, day_count=DayCount.PERIOD_360)
BY_DAYS = msgspec.structs.replace(BY_MONTHS, first_period=FirstPeriod.MONTHS_AND_DAYS)


def cents(*amounts: str) -> list[int]:
    """Return amounts in minor units."""
    return [int(Decimal(amount) * 100) for amount in amounts]


# paid out, first due, due day | counted                   | as a whole month, by months and days
TABLE = """
2026-01-05  2026-02-05   0     | one month                 |  120.00   120.00
2026-01-20  2026-02-05   0     | 16 days                   |  120.00    64.00
2026-01-06  2026-02-05   0     | 30 days                   |  120.00   120.00
2026-02-04  2026-02-05   0     | one day                   |  120.00     4.00
2025-12-20  2026-02-05   0     | one month, 16 days        |  120.00   184.00
2025-12-05  2026-02-05   0     | two months                |  120.00   240.00
2025-11-30  2026-02-05   0     | two months, 5 days        |  120.00   260.00
2026-01-31  2026-02-28  31     | one month, end to end     |  120.00   120.00
2026-02-28  2026-03-31  31     | one month, end to end     |  120.00   120.00
2026-02-10  2026-03-31  31     | one month, 18 days        |  120.00   192.00
2026-01-30  2026-02-28   0     | 29 days, due on each 28th |  120.00   116.00
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_what_the_first_instalment_bears(row: str) -> None:
    """Whole months back from the due date, a 30th of a month for each day left, as App. J."""
    dates, _, interest = row.split("|")
    paid_out, first_due_on, due_day = dates.split()
    due = {"first_due_on": date.fromisoformat(first_due_on), "due_day": int(due_day)}

    found = []
    for terms in (BY_MONTHS, BY_DAYS):
        rows = rows_of(msgspec.structs.replace(terms, **due), date.fromisoformat(paid_out))
        found.append(rows[0][1])
        # Whatever the first bears, the second is a whole month on eleven twelfths.
        assert rows[1][1] == 11_000

    assert found == cents(*interest.split())


def rows_of(terms: Terms, paid_out: date) -> list[tuple[int, int]]:
    """Return principal and interest of each instalment."""
    line = Desk(terms, paid_out).account.timeline(paid_out)
    return [(row.principal_due, row.interest_due) for row in line.rows]


def test_a_level_loan_from_its_odd_first_days_to_its_end() -> None:
    """
    3,000.00 at 12 % in three, paid out on 20 January: 16 odd days, then two whole months.

    due on     | principal | interest | instalment | left
    2026-02-05 |    995.39 |    16.00 |    1011.39 |  2004.61
    2026-03-05 |    991.34 |    20.05 |    1011.39 |  1013.27
    2026-04-05 |   1013.27 |    10.13 |    1023.40 |     0.00
    """
    level = {"method": RepaymentMethod.LEVEL_INSTALMENT, "principal_minor": 300_000}
    terms = msgspec.structs.replace(BY_DAYS, instalments=3, **level)

    rows = rows_of(terms, date(2026, 1, 20))

    growth = (1 + Decimal("0.12") * 16 / 360) * Decimal("1.01") ** 2
    each = round(300_000 * growth / (Decimal("1.01") ** 2 + Decimal("1.01") + 1))
    assert [p + i for p, i in rows[:2]] == [each, each]
    assert [i for _, i in rows] == [1_600, round((300_000 - rows[0][0]) / 100), rows[2][0] // 100]
    assert sum(p for p, _ in rows) == 300_000


@pytest.mark.parametrize("method", [RepaymentMethod.BULLET, RepaymentMethod.INTEREST_ONLY])
def test_all_interest_of_a_loan_repaid_at_its_end(method: RepaymentMethod) -> None:
    """From 20 January to 5 January next year: eleven months and 16 days, 120.00 and 4.00 each."""
    whole, by_days = (
        sum(interest for _, interest in rows_of(msgspec.structs.replace(t, method=method), paid))
        for t in (BY_MONTHS, BY_DAYS)
        for paid in [date(2026, 1, 20)]
    )
    assert [whole, by_days] == cents("1440.00", "1384.00")


def test_odd_days_are_earned_one_by_one() -> None:
    """On 28 January eight of the 16 nights have passed: who pays everything off owes 32.00."""
    desk = Desk(BY_DAYS, date(2026, 1, 20))
    desk.go_to(date(2026, 1, 28))
    assert desk.account.timeline(desk.on).interest_owed == 3_200

    pause = {"from_on": date(2026, 1, 29), "until_on": date(2026, 2, 1)}
    desk.ask(cmd.PauseInterest, **pause, **APPROVED)
    assert desk.account.timeline(desk.on).rows[0].interest_due == 6_400 - 4 * 400


# what happens on 28 January, 8 of 16 days into the first period   | its interest, the next one's
CHANGES = [
    ("nothing", [6_400, 11_000]),
    # Half the rate for the eight days left: 32.00 and 16.00.
    ("half the rate", [4_800, 5_500]),
    # 32.00 of it pay the eight days that are over; eight are left of 6,032.00; then 11 of 12 parts.
    ("6,000.00 early", [1_609, 5_529]),
    # 32.00 stay owed; to 7 March it is one month and 10 days on all of it, then a month.
    ("due from 7 March on", [3_200 + 16_000, 11_000]),
]


@pytest.mark.parametrize(("what", "interest"), CHANGES, ids=[what for what, _ in CHANGES])
def test_a_change_within_the_odd_first_period(what: str, interest: list[int]) -> None:
    """Its days stay a 30th of a month each; what comes after counts whole months again."""
    terms = msgspec.structs.replace(BY_DAYS, prepayment=Prepayment.REDUCE)
    desk = Desk(terms, date(2026, 1, 20))
    desk.go_to(date(2026, 1, 28))
    if what == "half the rate":
        rate = {"rate_annual": Decimal("0.06")}
        desk.ask(cmd.RestructureLoan, effective_on=desk.on, **rate, **APPROVED)
    if what == "6,000.00 early":
        desk.repay("6000.00")
    if what == "due from 7 March on":
        due = {"first_due_on": date(2026, 3, 7), "instalments": 12}
        desk.ask(cmd.RestructureLoan, effective_on=desk.on, **due, **APPROVED)

    rows = [row for row in desk.account.timeline(desk.on).rows if row.unpaid]
    assert [row.interest_due for row in rows[:2]] == interest


def test_a_later_month_stays_whole_when_its_rest_is_planned_again() -> None:
    """
    Business days move a period's first day: half the rate from its middle still halves a month.

    The period runs from Monday 9 February to 5 March, 24 nights; 12 of them are left.
    """
    moved = {"calendar": "weekends/1", "business_day_rule": BusinessDayRule.FOLLOWING}
    moved |= {"first_due_on": date(2026, 2, 7), "prepayment": Prepayment.REDUCE}
    found = []
    for terms in (BY_MONTHS, BY_DAYS):
        desk = Desk(msgspec.structs.replace(terms, **moved), date(2026, 1, 7))
        desk.go_to(date(2026, 2, 23))
        rate = {"rate_annual": Decimal("0.06")}
        desk.ask(cmd.RestructureLoan, effective_on=desk.on, **rate, **APPROVED)
        found.append([row.interest_due for row in desk.account.timeline(desk.on).rows])

    assert found[0] == found[1]


def test_a_new_first_due_date_of_an_older_contract_counts_as_it_did() -> None:
    """Restructured on 20 April, due from 5 May on: a whole month, or the 15 days that it has."""
    found = []
    for terms in (BY_MONTHS, BY_DAYS):
        desk = Desk(terms)
        for month in (2, 3, 4):
            desk.go_to(date(2026, month, 5))
            desk.repay(f"{1_000 + 120 - 10 * (month - 2)}.00")
        desk.go_to(date(2026, 4, 20))
        due = {"first_due_on": date(2026, 5, 5), "instalments": 9}
        desk.ask(cmd.RestructureLoan, effective_on=desk.on, **due, **APPROVED)
        rows = [row for row in desk.account.timeline(desk.on).rows if row.unpaid]
        found.append((rows[0].interest_due, rows[1].interest_due))

    earned = 4_500
    assert found == [(earned + 9_000, 8_000), (earned + 4_500, 8_000)]


@pytest.mark.parametrize(
    "change",
    [
        {"day_count": DayCount.THIRTY_360},
        {"months_per_instalment": 0, "days_per_instalment": 30},
    ],
)
def test_only_whole_months_can_have_an_odd_first(change: dict[str, object]) -> None:
    """Every other contract counts the days of all its periods."""
    check_terms(BY_DAYS)
    with pytest.raises(TermsInvalid) as refused:
        check_terms(msgspec.structs.replace(BY_DAYS, **change))
    assert refused.value.field == "terms.first_period"


def test_the_month_before_a_date_that_rolled() -> None:
    """Due on the 31st, else on the first of the next: from 31 January to 1 March is one month."""
    rolls = {"due_day": 31, "short_month": ShortMonth.FIRST_OF_NEXT}
    due = {"first_due_on": date(2026, 3, 1), **rolls}
    rows = rows_of(msgspec.structs.replace(BY_DAYS, **due), date(2026, 1, 31))
    assert rows[0][1] == 12_000
