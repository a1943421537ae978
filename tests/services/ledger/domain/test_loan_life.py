"""Whole loans as tables: what happens when, and what is owed and how late it is after it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import standing_of
from shared.kernel.errors import LendingError
from tests.services.ledger.domain.desk import NOW, Desk

LIFE = """
2026-02-05 | repay 1120.00 | 11000.00 |   0 | M0 | -
2026-03-05 | wait          | 11000.00 |   0 | M0 | -
2026-03-06 | wait          | 11000.00 |   1 | M1 | minor full
2026-03-08 | wait          | 11000.00 |   3 | M1 | minor full
2026-03-09 | wait          | 11000.00 |   4 | M1 | major full
2026-03-10 | repay 610.00  | 10502.50 |   5 | M1 | major partial
2026-04-04 | wait          | 10502.50 |  30 | M1 | major partial
2026-04-05 | wait          | 10502.50 |  31 | M2 | major partial
2026-04-06 | wait          | 10502.50 |  32 | M2 | major partial full continuous
2026-04-07 | repay 600.00  | 10000.00 |   2 | M1 | minor partial
2026-04-08 | repay 1100.00 |  8999.54 |   0 | M0 | -
"""


def test_the_life_of_a_loan() -> None:
    """Money goes to the oldest instalment; grace suppresses, it does not move the due date."""
    desk = Desk()
    rows = [[cell.strip() for cell in line.split("|")] for line in LIFE.strip().splitlines()]

    seen = []
    for when, what, *_ in rows:
        desk.go_to(date.fromisoformat(when))
        if what.startswith("repay"):
            desk.repay(what.split()[1])
        seen.append([when, what, *_look(desk)])

    assert seen == rows


def _look(desk: Desk) -> list[str]:
    assert desk.account is not None
    line = desk.account.timeline(desk.on)
    assert line is not None
    standing = standing_of(line)
    assert standing.buckets == desk.account.standing.buckets
    flags = [n for n in ("minor", "major", "partial", "full", "continuous") if getattr(standing, n)]
    return [
        f"{Decimal(line.principal_outstanding) / 100:.2f}",
        str(standing.days_past_due),
        standing.buckets["m"],
        " ".join(flags) or "-",
    ]


def test_catching_up_gives_the_events_of_every_day() -> None:
    """An end-of-day run over a year records what 365 runs record."""
    daily, once = Desk(), Desk()

    for day in range(1, 366):
        daily.go_to(date.fromordinal(date(2026, 1, 5).toordinal() + day))
    once.go_to(date(2027, 1, 5))

    def facts(desk: Desk) -> list[ev.Fact]:
        same = {"request_id": "", "recorded_at": NOW}
        return [msgspec.structs.replace(event, **same) for event in desk.events]

    assert facts(daily) == facts(once)


def test_a_reversed_repayment_never_was() -> None:
    """After a returned debit the loan is as late as if the money had never come."""
    desk, other = Desk(), Desk()

    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    paid = desk.events[-1].request_id
    for d in (desk, other):
        d.go_to(date(2026, 3, 20))
    events = desk.ask(cmd.ReverseRepayment, repayment_id=paid, reason="returned debit")

    assert desk.account.standing == standing_of(other.account.timeline(other.on))
    assert desk.account.timeline(desk.on).books == other.account.timeline(desk.on).books
    assert [type(e).__name__ for e in events] == [
        "RepaymentReversed",
        "TimelineRestated",
        "TransitionRecorded",
    ]


def test_a_backdated_repayment_counts_from_its_value_date() -> None:
    """Money that arrived in time and was posted late leaves no lateness behind."""
    late, timely = Desk(), Desk()

    timely.go_to(date(2026, 2, 5))
    timely.repay("1120.00")
    for desk in (late, timely):
        desk.go_to(date(2026, 2, 20))
    late.repay("1120.00", on=date(2026, 2, 5))

    assert late.account.standing == timely.account.standing
    assert late.account.timeline(late.on).books == timely.account.timeline(late.on).books


def test_penalty_only_beyond_grace_and_then_from_the_due_date() -> None:
    """Inside grace no penalty; after it, penalty on overdue principal from the due date."""
    desk = Desk()

    penalties = []
    for day in (8, 9, 10):
        desk.go_to(date(2026, 2, day))
        penalties.append(desk.account.timeline(desk.on).penalty_outstanding)

    # 1000.00 x 18 % / 360 = 0.50 a day, from 5 February.
    assert penalties == [0, 200, 250]


def test_full_prepayment_costs_interest_for_the_days_used() -> None:
    """Settling after fifteen days of a 30/360 month costs half the month's interest."""
    desk = Desk()
    desk.go_to(date(2026, 1, 20))

    events = desk.repay("12060.00")

    assert isinstance(events[-1], ev.LoanSettled)
    assert desk.account.timeline(desk.on).payoff == 0


def test_charge_off_and_recovery_balance() -> None:
    """A recovery is income of the lender and reduces what the borrower owes."""
    desk = Desk()
    desk.go_to(date(2026, 8, 1))

    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="180 days")
    desk.ask(cmd.PostRecovery, value_on=desk.on, amount_minor=50_000, currency="CNY")

    books = desk.account.timeline(desk.on).books
    assert sum(books.values()) == 0
    assert books["loans:principal"] == 0
    assert books["income:recoveries"] == -50_000


def test_restructuring_cures_and_carries_what_is_owed() -> None:
    """A hardship plan spreads all principal and the interest owed over new instalments."""
    desk = Desk()
    desk.go_to(date(2026, 5, 1))
    before = desk.account.timeline(desk.on)

    desk.ask(
        cmd.RestructureLoan,
        effective_on=desk.on,
        instalments=24,
        first_due_on=date(2026, 6, 5),
        rate_annual=Decimal("0.06"),
        reason="hardship: illness",
        approved_by="Li",
    )

    line = desk.account.timeline(desk.on)
    assert line.principal_outstanding == before.principal_outstanding
    assert desk.account.standing.days_past_due == 0
    assert desk.account.next_transition_on == date(2026, 6, 5)
    assert len([row for row in line.rows if row.due_on > desk.on]) == 24


REFUSED = [
    ("RepaymentNotFound", cmd.ReverseRepayment, {"repayment_id": "r-404"}),
    ("RepaymentNotFound", cmd.ReverseRepayment, {"repayment_id": ""}),
    ("RepaymentNotPositive", cmd.PostRepayment, {"amount_minor": 0}),
    ("RepaymentNotPositive", cmd.PostRepayment, {"amount_minor": -1}),
    ("CurrencyDiffers", cmd.PostRepayment, {"currency": "EUR"}),
    ("RepaymentAbovePayoff", cmd.PostRepayment, {"amount_minor": 10**12}),
    ("ValueDateInFuture", cmd.PostRepayment, {"value_on": date(2027, 1, 1)}),
    ("DateOutOfOrder", cmd.PostRepayment, {"value_on": date(2025, 1, 1)}),
    ("LoanNotChargedOff", cmd.PostRecovery, {}),
    ("LoanAlreadyDisbursed", cmd.DisburseLoan, {}),
]


@pytest.mark.parametrize(("name", "kind", "wrong"), REFUSED)
def test_refusals(name: str, kind: type[cmd.Asked], wrong: dict[str, object]) -> None:
    """Each thing that cannot be is refused by the fact in the way, and nothing changes."""
    desk = Desk()
    desk.ask(cmd.ApplyCharge, value_on=desk.on, amount_minor=1, currency="CNY", reason="late fee")
    money = {"value_on": desk.on, "amount_minor": 100, "currency": "CNY"}
    asked = {"reason": "returned"} if kind is cmd.ReverseRepayment else money
    asked |= wrong
    before = desk.account

    with pytest.raises(LendingError) as refusal:
        desk.ask(kind, **asked)

    assert type(refusal.value).__name__ == name
    assert desk.account == before
