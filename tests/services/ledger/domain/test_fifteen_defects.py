"""The defects that a reviewer of a ledger looks for: each test fails if the defect is there."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.ceilings import all_in_rate, ceiling_rate, quote
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.policies import (
    CARD_TIER,
    EU_RETAIL,
    FIVE_TIER,
    IFRS_9,
    METRO_2,
    PBOC,
    RBI,
)
from services.ledger.domain.replay import timeline
from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import RepaymentMethod
from shared.kernel.dates import DayCount, days_thirty_360, days_thirty_e_360_isda
from tests.services.ledger.domain.desk import TERMS, Desk

LEVEL = msgspec.structs.replace(TERMS, method=RepaymentMethod.LEVEL_INSTALMENT)


def lateness(desk: Desk) -> tuple[int, date | None]:
    """Return days past due and the due date they count from."""
    standing = standing_of(desk.account.timeline(desk.on))
    return standing.days_past_due, standing.oldest_due_on


def test_01_grace_does_not_shift_the_due_date() -> None:
    """Three days of grace: on the fourth day the loan is 4 days past due, not 1."""
    desk = Desk()
    desk.go_to(date(2026, 2, 9))

    assert lateness(desk) == (4, date(2026, 2, 5))
    assert desk.account.timeline(desk.on).penalty_outstanding > 0


def test_02_a_partial_payment_does_not_reset_days_past_due() -> None:
    """Half of the instalment paid: still as many days past due."""
    desk = Desk()
    desk.go_to(date(2026, 3, 1))
    desk.repay("500.00")

    assert lateness(desk) == (24, date(2026, 2, 5))


def test_03_no_off_by_one_between_conventions() -> None:
    """At 30 elapsed days: RBI SMA-1, Metro 2 71, PBOC 1, and IFRS 9 not yet stage 2."""
    at = [scheme.bucket(30) for scheme in (RBI, METRO_2, PBOC, IFRS_9)]

    assert at == ["SMA-1", "71", "1", "STAGE_1"]


def test_04_a_new_plan_does_not_erase_history() -> None:
    """After a restructuring the past still says how late the loan was, and is not restated."""
    desk = Desk()
    desk.go_to(date(2026, 4, 1))
    plan = {"instalments": 6, "first_due_on": date(2026, 5, 5), "rate_annual": Decimal("0.06")}
    approved = {"reason": "hardship", "approved_by": "Li"}
    desk.ask(cmd.RestructureLoan, effective_on=desk.on, **plan, **approved)

    assert lateness(desk) == (0, None)
    then = standing_of(desk.account.timeline(date(2026, 3, 31)))
    assert (then.days_past_due, then.instalments_overdue) == (54, 2)


def test_05_loans_are_not_classified_by_the_card_table() -> None:
    """At 130 days a card is doubtful; a loan is substandard."""
    assert (FIVE_TIER.bucket(130), CARD_TIER.bucket(130)) == ("SUBSTANDARD", "DOUBTFUL")


def test_06_fees_and_guarantee_count_in_the_ceiling() -> None:
    """23 % interest is allowed; with 3 % paid to a guarantor it is not: net proceeds count."""
    terms = msgspec.structs.replace(
        LEVEL, rate_annual=Decimal("0.23"), cost_ceiling="cn-all-in-24/1"
    )
    line = timeline(terms, date(2026, 1, 5), (), date(2026, 1, 5))
    assert Decimal("0.225") < all_in_rate(line) <= Decimal("0.24")
    Desk(terms)

    with_fee = msgspec.structs.replace(terms, fees_elsewhere_minor=36_000)
    with pytest.raises(no.CostCeilingExceeded):
        Desk(with_fee)


def test_06_every_later_charge_meets_the_ceiling_again() -> None:
    """A charge that would lift the cost above the ceiling is refused; a small one is not."""
    terms = msgspec.structs.replace(
        LEVEL, rate_annual=Decimal("0.23"), cost_ceiling="cn-all-in-24/1"
    )
    desk = Desk(terms)
    desk.go_to(date(2026, 2, 1))
    charge = {"value_on": desk.on, "currency": "CNY", "reason": "service"}

    desk.ask(cmd.ApplyCharge, amount_minor=100, **charge)
    with pytest.raises(no.CostCeilingExceeded):
        desk.ask(cmd.ApplyCharge, amount_minor=50_000, **charge)


def test_07_the_prime_rate_is_that_of_the_contract_date() -> None:
    """Four times LPR of a loan of October 2024 stays 12.4 % after LPR fell to 3.0 %."""
    assert ceiling_rate("cn-4-lpr/1", date(2024, 10, 21)) == Decimal("0.1240")
    assert ceiling_rate("cn-4-lpr/1", date(2025, 6, 1)) == Decimal("0.1200")


PRIME_RATE_FALLS = [
    # contract   | paid out     | up to 12.4 % until 2025-05-19, 12.0 % from 2025-05-20
    ("2025-05-19", "2025-05-20", True),
    ("2025-05-20", "2025-05-20", False),
    (None, "2025-05-19", True),
    (None, "2025-05-20", False),
]


@pytest.mark.parametrize(("contract", "paid_out", "lawful"), PRIME_RATE_FALLS)
def test_07_a_later_payout_does_not_change_the_law_of_the_contract(
    contract: str | None, paid_out: str, lawful: bool
) -> None:
    """12.2 % agreed on the last day of 12.4 % may be paid out the day after; agreed then, not."""
    on = date.fromisoformat(paid_out)
    terms = msgspec.structs.replace(
        LEVEL,
        rate_annual=Decimal("0.122"),
        first_due_on=date(2025, 6, 20),
        cost_ceiling="cn-4-lpr/1",
        concluded_on=date.fromisoformat(contract) if contract else None,
    )
    with nullcontext() if lawful else pytest.raises(no.CostCeilingExceeded):
        quote(terms, on)


def test_07_no_contract_is_dated_after_its_payout() -> None:
    """Who dates it later would choose its law."""
    terms = msgspec.structs.replace(LEVEL, cost_ceiling="cn-4-lpr/1", concluded_on=date(2026, 1, 6))
    with pytest.raises(no.TermsInvalid) as refused:
        quote(terms, date(2026, 1, 5))
    assert refused.value.field == "terms.concluded_on"


def test_08_penalty_is_on_overdue_principal_only() -> None:
    """One instalment of 1,000.00 is 30 days late: 18 % of it for 30 days, not of 12,000.00."""
    desk = Desk()
    desk.go_to(date(2026, 3, 5))
    desk.repay("0.01")
    desk.go_to(date(2026, 3, 7))

    line = desk.account.timeline(date(2026, 3, 5))
    assert line.penalty_outstanding == 100_000 * 18 * 28 // 36_000 - 1


def test_09_no_penalty_on_penalty_or_interest() -> None:
    """Without the switch nothing compounds: penalty grows by the same amount every day."""
    desk = Desk(msgspec.structs.replace(TERMS, instalments=1))
    days = []
    for day in (10, 20, 30):
        desk.go_to(date(2026, 3, day))
        days.append(desk.account.timeline(desk.on).penalty_outstanding)

    assert days[2] - days[1] == days[1] - days[0] == 1_200_000 * 18 * 10 // 36_000


def test_09_compound_interest_is_a_switch() -> None:
    """With it overdue interest of 240.00 bears 18 % too; grace days bear none if so agreed."""
    plain = msgspec.structs.replace(TERMS, instalments=1, rate_annual=Decimal("0.24"))
    found = []
    for terms in (
        plain,
        msgspec.structs.replace(plain, penalty_on_interest=True),
        msgspec.structs.replace(plain, penalty_from_grace=True),
    ):
        desk = Desk(terms)
        desk.go_to(date(2026, 2, 25))
        found.append(desk.account.timeline(desk.on).penalty_outstanding)

    assert found == [12_000, 12_240, 1_200_000 * 18 * 17 // 36_000]


def test_materiality_needs_both_thresholds() -> None:
    """150.00 late is above 100.00 but not above 1 % of 20,000.00: late, not classified."""
    small = msgspec.structs.replace(TERMS, delinquency=EU_RETAIL, rate_annual=Decimal(0))
    buckets = []
    for principal, count in ((2_000_000, 134), (1_200_000, 80)):
        desk = Desk(msgspec.structs.replace(small, principal_minor=principal, instalments=count))
        desk.go_to(date(2026, 3, 4))
        buckets.append((lateness(desk)[0], desk.account.standing.buckets["m"]))

    assert buckets == [(27, "M0"), (27, "M1")]


def test_10_the_last_instalment_absorbs_rounding() -> None:
    """100.00 in three: 33.33, 33.33, 33.34."""
    terms = msgspec.structs.replace(
        TERMS, principal_minor=10_000, instalments=3, rate_annual=Decimal(0)
    )

    assert [r.principal_due_minor for r in schedule(terms, date(2026, 1, 5))] == [3333, 3333, 3334]


def test_11_thirty_360_at_the_end_of_february() -> None:
    """The kinds differ on the last of February, and the ISDA kind spares the last date."""
    assert days_thirty_360(date(2007, 2, 28), date(2007, 8, 31)) == 183
    assert days_thirty_e_360_isda(date(2006, 2, 28), date(2006, 8, 31)) == 180
    assert days_thirty_e_360_isda(date(2011, 8, 31), date(2012, 2, 29), date(2012, 2, 29)) == 179


def test_14_a_guarantor_does_not_lower_the_debt() -> None:
    """The creditor of what was paid changes; the borrower owes as much, and no claim twice."""
    desk = Desk()
    desk.go_to(date(2026, 5, 20))
    owed = desk.account.timeline(desk.on).payoff
    claim = {"value_on": desk.on, "currency": "CNY", "guarantor_ref": "G-7"}

    desk.ask(cmd.PostGuaranteePayment, amount_minor=owed - 100, **claim)

    line = desk.account.timeline(desk.on)
    assert (line.payoff, line.subrogated) == (owed, owed - 100)
    assert lateness(desk)[0] == 104
    with pytest.raises(no.ClaimAbovePayoff):
        desk.ask(cmd.PostGuaranteePayment, amount_minor=101, **claim)


def test_day_counts_are_all_there() -> None:
    """Every convention yields a schedule that repays the principal."""
    for day_count in DayCount:
        rows = schedule(msgspec.structs.replace(LEVEL, day_count=day_count), date(2026, 1, 5))
        assert sum(row.principal_due_minor for row in rows) == 1_200_000
