"""What a book does not tell by itself: months, sold and eased loans, days that do not count."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest

from services.risk.domain.book import (
    BookRow,
    Eased,
    eased_again,
    moves,
    remaining_months,
    with_easing,
)
from services.risk.domain.book_losses import allowances, arrays_of, hazards_of, stages_of
from services.risk.domain.early_warning import AlertOutcome, watched_on
from services.risk.domain.portfolio import portfolio
from services.risk.domain.roll_rates import Move, roll_matrix
from services.risk.domain.staging import Scenario, Stage
from shared.kernel.dates import add_months
from tests.services.risk.test_alert_quality import alert
from tests.services.risk.test_portfolio import FEBRUARY, HAZARDS, JANUARY, MARCH, RULES, row

NOBODY: frozenset[str] = frozenset()


def stage(one: BookRow, watched: frozenset[str] = NOBODY) -> Stage:
    return stages_of([one], RULES, HAZARDS, watched, MARCH)[0]


def test_a_month_is_between_two_month_ends() -> None:
    """A book kept on another day, or with a month missing between, tells no roll rate."""
    current, late = [row()], [row(state="M1", days_past_due=10)]
    middle = date(2026, 2, 14)
    found = portfolio([current, current, late, late], [JANUARY, middle, FEBRUARY, MARCH], RULES)
    gap = portfolio([current, late], [JANUARY, MARCH], RULES)
    unfinished = portfolio([current, late], [JANUARY, middle], RULES)

    assert found.months_of_matrix == 2
    assert sum(map(sum, found.matrix.counts)) == 2
    assert found.matrix.counts[0][:2] == (0, 1)
    assert (gap.months_of_matrix, unfinished.months_of_matrix) == (0, 0)


STAGES = [
    # what is said of the loan                           | stage
    ({"state": "M0", "days_past_due": 120}, Stage.PERFORMING),
    ({"state": "M3", "days_past_due": 120}, Stage.RISK_ROSE),
    ({"state": "M4", "days_past_due": 120}, Stage.IMPAIRED),
    ({"eased_on": date(2025, 4, 1)}, Stage.RISK_ROSE),
    ({"eased_on": date(2025, 3, 31)}, Stage.PERFORMING),
]


@pytest.mark.parametrize(("said", "wanted"), STAGES)
def test_days_that_count_and_eased_terms(said: dict[str, object], wanted: Stage) -> None:
    """Immaterial arrears and pauses make no stage 3; eased terms are watched for a year."""
    assert stage(row(**said)) is wanted


def test_easing_counts_from_its_date() -> None:
    """A book of a date before does not know that terms were eased."""
    eased = Eased(loan_id="L-1", on=FEBRUARY)

    assert with_easing(row(), eased, JANUARY).eased_on is None
    assert with_easing(row(), eased, FEBRUARY).eased_on == FEBRUARY


def test_every_easing_counts_from_its_own_date() -> None:
    """A book kept again knows the easing of then, though terms were eased again since."""
    twice = eased_again(eased_again(None, "L-1", MARCH), "L-1", JANUARY)

    assert [with_easing(row(), twice, on).eased_on for on in (JANUARY, FEBRUARY, MARCH)] == [
        JANUARY,
        JANUARY,
        MARCH,
    ]
    assert eased_again(twice, "L-1", MARCH) == twice
    assert with_easing(row(), twice, date(2026, 1, 30)).eased_on is None


def test_charges_alone_are_at_stake_too() -> None:
    """Principal repaid, interest and fees of half a year not: the loan is in default with those."""
    paid = row(balance_minor=0, remaining_minor=(), charges_minor=9_000)
    bad = msgspec.structs.replace(paid, state="M7", days_past_due=190)
    found = [portfolio([[one]], [MARCH], RULES) for one in (paid, bad)]

    assert [one.loans for one in found] == [1, 1]
    assert 0 < found[0].allowance_minor < 9_000 * RULES.lgd < found[1].allowance_minor


def test_a_loan_without_tiers_is_asked_no_provision() -> None:
    """Policies of other countries have no five tiers; the figures are there all the same."""
    found = portfolio([[row(), row("L-2", tier="")]], [MARCH], RULES)

    assert (found.loans, found.provision_minor) == (2, 1_200)


def test_a_loan_defaults_with_what_it_owed_before_the_first_instalment_missed() -> None:
    """Six instalments, a quarter of payers stop before each and never pay again: their balance."""
    quarter = [Move("M0", "M0", 1)] * 3 + [Move("M0", "M1", 1)]
    rolls = [Move(f"M{k}", f"M{k + 1}", 1) for k in (1, 2, 3)]
    base = Scenario(name="base", weight=Decimal(1), odds_times=Decimal(1), lgd_times=Decimal(1))
    rules = msgspec.structs.replace(
        RULES, scenarios=(base,), lgd=Decimal(1), pd_month_min=Decimal(0)
    )
    dues = [(add_months(date(2026, 4, 15), k), 10_000) for k in range(6)]
    left = remaining_months(dues, MARCH)
    one = row(balance_minor=60_000, remaining_minor=left, rate_annual=Decimal(0))
    hazards = hazards_of(roll_matrix(quarter + rolls), rules, 24)
    stages = stages_of([one], rules, hazards, frozenset({one.borrower_ref}), MARCH)
    (found,) = allowances(arrays_of([one], stages, hazards), rules, hazards)
    lost = sum(
        Fraction(1, 4) * Fraction(3, 4) ** paid * (60_000 - 10_000 * paid) for paid in range(6)
    )

    assert stages == [Stage.RISK_ROSE]
    assert abs(found - lost) <= 1


def test_a_sold_loan_is_off_the_book() -> None:
    """It has no balance, no allowance and no roll; what was left of the book stays."""
    sold = row("L-2", creditor_ref="fund")
    found = portfolio([[row(), row("L-2")], [row(), sold]], [JANUARY, FEBRUARY], RULES)

    assert (found.loans, found.balance_minor) == (1, 120_000)
    assert len(moves([row("L-2")], [sold])) == 0


def test_a_bucket_never_seen_is_not_healthy() -> None:
    """With one book kept a loan that is late is taken to roll on, not to stay as it is."""
    book = [row(), row("L-2", state="M1", days_past_due=20), row("L-3", state="M3")]
    found = {part.name: part for part in portfolio([book], [MARCH], RULES).by_state}
    shares = [
        found[name].allowance_minor / found[name].balance_minor for name in ("M0", "M1", "M3")
    ]

    assert shares[0] < 0.01 < 0.3 < shares[1] < shares[2]
    assert hazards_of(roll_matrix([]), RULES, 3).by_state[2][:2] == (
        pytest.approx(float(RULES.pd_month_min)),
        1.0,
    )


def test_a_long_loan_loses_over_all_its_life() -> None:
    """The lifetime loss of stage 2 does not stop after five years."""
    late = {"state": "M2", "days_past_due": 45, "balance_minor": 10_000_000}
    seen = [[row("L-9")] * 99 + [row("L-8", state="M2", days_past_due=45)]] * 2

    def loss(months: int) -> int:
        left = tuple(10_000_000 for _ in range(months))
        one = row("L-8", remaining_minor=left, **late)
        book = [*seen[0][:99], one]
        return portfolio([seen[0], book], [JANUARY, FEBRUARY], RULES).by_state[1].allowance_minor

    assert loss(240) > loss(60)


def test_what_is_overdue_beyond_the_last_due_date_stays_out_until_it_would_be_in_default() -> None:
    """A loan 25 days late on its last instalment still has the months left that default takes."""
    owed = remaining_months([(date(2026, 2, 6), 120_000)], date(2026, 3, 3))
    book = [row(f"L-{n}") for n in range(100, 199)]
    late = row("L-99", state="M1", days_past_due=25, remaining_minor=owed)
    before = [*[row(f"L-{n}") for n in range(3)], row("L-3", state="M1"), row("L-4", state="M2")]
    after = [row("L-0", state="M1"), *[row(f"L-{n}") for n in (1, 2)]]
    after += [row("L-3", state="M2"), row("L-4", state="M3")]
    found = portfolio([before, after, [*book, late]], [JANUARY, FEBRUARY, MARCH], RULES)
    (part,) = [one for one in found.by_state if one.name == "M1"]

    assert owed == (120_000,) * 4
    assert part.allowance_minor > 0.9 * 0.45 * 120_000


def test_a_loan_that_was_in_default_is_not_performing_at_once() -> None:
    """Its ninety days of stage 2 begin with the first book that shows it paid up."""
    cured = [[row(state="M4", days_past_due=95)], [row()]]
    dates = [date(2025, 12, 31), date(2026, 1, 31), date(2026, 4, 30), date(2026, 5, 1)]
    soon = portfolio(cured, dates[:2], RULES)
    still = portfolio([*cured, cured[1]], dates[:3], RULES)
    later = portfolio([*cured, cured[1], cured[1]], dates, RULES)
    once = msgspec.structs.replace(RULES, cure_days=0)

    assert [part.name for part in soon.by_stage] == ["stage 2"]
    assert [part.name for part in still.by_stage] == ["stage 2"]
    assert [part.name for part in later.by_stage] == ["stage 1"]
    assert [part.name for part in portfolio(cured, dates[:2], once).by_stage] == ["stage 1"]


WATCHED = [
    # taken over, closed, how             | watched on 31 March
    (None, None, None, False),
    ("2026-03-01", None, None, True),
    ("2026-04-01", None, None, False),
    ("2026-03-01", "2026-03-20", "FALSE_ALARM", False),
    ("2026-03-01", "2026-04-20", "FALSE_ALARM", True),
    ("2026-03-01", "2026-03-20", "CONFIRMED", True),
    ("2025-02-01", "2025-03-31", "CONFIRMED", False),
]


@pytest.mark.parametrize(("taken", "closed", "how", "wanted"), WATCHED)
def test_who_is_watched_on_a_date(
    taken: str | None, closed: str | None, how: str | None, wanted: bool
) -> None:
    """By what was known on it; a confirmed warning is no reason to look away."""
    one = msgspec.structs.replace(
        alert(1),
        raised_on=date(2025, 1, 15),
        owner="officer" if taken else "",
        acknowledged_on=date.fromisoformat(taken) if taken else None,
        closed_on=date.fromisoformat(closed) if closed else None,
        outcome=AlertOutcome(how) if how else AlertOutcome.UNSPECIFIED,
    )

    assert watched_on(one, MARCH) is wanted
