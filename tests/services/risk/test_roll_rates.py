"""Roll rates and vintages: hand-made books, and what holds of every book."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.domain.roll_rates import (
    ABSORBING,
    STATES,
    Move,
    StateUnknown,
    cure_rates,
    default_curve,
    flow_rates,
    roll_matrix,
)
from services.risk.domain.vintage import LoanLife, months_between, vintages
from shared.kernel.dates import add_months

#     before | after        | balance | loans
BOOK = [
    *[Move("M0", "M0", 100)] * 90,
    *[Move("M0", "M1", 200)] * 10,
    *[Move("M1", "M0", 100)] * 5,
    *[Move("M1", "M1", 100)] * 3,
    *[Move("M1", "M2", 400)] * 2,
    *[Move("M2", "CHARGED_OFF", 50)] * 1,
    *[Move("M2", "SETTLED", 150)] * 1,
]


def test_a_book_by_count_and_by_balance() -> None:
    """Ten of a hundred current loans roll, with 2,000 of 11,000; half of M1 is cured."""
    matrix = roll_matrix(BOOK)
    by_count, by_balance = matrix.by_count(), matrix.by_balance()

    assert by_count[0][1] == Fraction(10, 100)
    assert by_balance[0][1] == Fraction(2_000, 11_000)
    assert cure_rates(matrix) == {"M1": Fraction(1, 2), "M2": Fraction(1, 2)}
    assert flow_rates(matrix) == {
        "M0": Fraction(2, 11),
        "M1": Fraction(1, 2),
        "M2": Fraction(1, 4),
    }


def test_default_is_reached_through_the_buckets() -> None:
    """From M2 half the loans are charged off in a month; from M0 two months later at best."""
    matrix = roll_matrix(BOOK)

    assert default_curve(matrix, "M2", 2) == [0.5, 0.5]
    assert default_curve(matrix, "M0", 3) == pytest.approx([0, 0, 0.1 * 0.2 * 0.5])
    assert default_curve(matrix, "M5", 2) == [1, 1]


def test_wrong_states_are_refused() -> None:
    """A state that nobody knows, and a loan that comes back from charge-off, are errors."""
    with pytest.raises(StateUnknown):
        roll_matrix([Move("M0", "M9", 1)])
    with pytest.raises(StateUnknown):
        roll_matrix([Move("CHARGED_OFF", "M0", 1)])


def test_a_state_of_one_month_only_is_named() -> None:
    """A code that appears only at the end of the window is likely no bucket but a coding change."""
    assert roll_matrix(BOOK).seen_once() == []
    assert roll_matrix([*BOOK, Move("M1", "M3", 1)]).seen_once() == ["M3"]


_living = [state for state in STATES if state not in ABSORBING]
_moves = st.lists(
    st.builds(Move, st.sampled_from(_living), st.sampled_from(STATES), st.integers(0, 10**9)),
    max_size=60,
)


@given(_moves)
def test_rows_seen_sum_to_one(moves: list[Move]) -> None:
    """Whatever the book, every row with a loan in it sums to exactly one, by count and balance."""
    matrix = roll_matrix(moves)

    for row, shares in zip(matrix.counts, matrix.by_count(), strict=True):
        assert sum(shares) == (1 if sum(row) else 0)
    for row, shares in zip(matrix.balances_minor, matrix.by_balance(), strict=True):
        assert sum(shares) == (1 if sum(row) else 0)
    assert sum(map(sum, matrix.counts)) == len(moves)


@given(_moves, st.sampled_from(_living))
def test_default_only_grows(moves: list[Move], state: str) -> None:
    """The chance of having defaulted never falls with time, and never leaves 0 to 1."""
    curve = default_curve(roll_matrix(moves), state, 24)

    assert all(b >= a - 1e-12 for a, b in pairwise(curve))
    assert curve[0] >= -1e-12 and curve[-1] <= 1 + 1e-9


def life(on: str, bad: str | None = None, late: str | None = None) -> LoanLife:
    return LoanLife(
        disbursed_on=date.fromisoformat(on),
        bad_on=date.fromisoformat(bad) if bad else None,
        over_thirty_on=date.fromisoformat(late) if late else None,
    )


def test_vintages_blank_what_is_not_known_yet() -> None:
    """Two months on book for the youngest loan of January is all that January shows."""
    january = [life("2026-01-05", "2026-02-20"), life("2026-01-31"), *[life("2026-01-10")] * 2]
    found = vintages([*january, life("2026-03-01")], date(2026, 4, 15), 4)

    assert [(row.month, row.loans) for row in found] == [("2026-01", 4), ("2026-03", 1)]
    assert found[0].ever_bad == (0, Fraction(1, 4), None, None)
    assert found[1].ever_bad == (0, None, None, None)


def test_vintages_show_who_was_ever_late_beside_who_is_lost() -> None:
    """Four loans: one 30 days late and cured, one late and lost, one lost without a month late."""
    lives = [
        life("2026-01-05", late="2026-02-28"),
        life("2026-01-10", late="2026-02-28", bad="2026-04-30"),
        life("2026-01-15", bad="2026-03-31"),
        life("2026-01-20"),
    ]
    (found,) = vintages(lives, date(2026, 5, 31), 5)

    assert found.ever_over_thirty == (0, Fraction(1, 2), Fraction(3, 4), Fraction(3, 4), None)
    assert found.ever_bad == (0, 0, Fraction(1, 4), Fraction(1, 2), None)


_lives = st.lists(
    st.builds(
        LoanLife,
        disbursed_on=st.dates(date(2024, 1, 1), date(2025, 12, 31)),
        bad_on=st.none() | st.dates(date(2024, 1, 1), date(2026, 12, 31)),
        over_thirty_on=st.none() | st.dates(date(2024, 1, 1), date(2026, 12, 31)),
    ),
    max_size=40,
)


@given(_lives, st.dates(date(2025, 1, 1), date(2026, 12, 31)))
def test_ever_bad_never_falls(lives: list[LoanLife], as_of: date) -> None:
    """Shares only rise with months on book, end where knowledge ends, and ignore the future."""
    found = vintages(lives, as_of, 36)

    def known_by(on: date | None) -> date | None:
        return on if on is not None and on <= as_of else None

    blind = [
        LoanLife(
            disbursed_on=one.disbursed_on,
            bad_on=known_by(one.bad_on),
            over_thirty_on=known_by(one.over_thirty_on),
        )
        for one in lives
    ]

    assert found == vintages(blind, as_of, 36)
    for row in found:
        for cells in (row.ever_bad, row.ever_over_thirty):
            known = [cell for cell in cells if cell is not None]
            assert known == sorted(known)
            assert cells[: len(known)] == tuple(known)
        pairs = zip(row.ever_bad, row.ever_over_thirty, strict=True)
        assert all(
            late is None if bad is None else late is not None and late >= bad for bad, late in pairs
        )


@given(_lives, st.dates(date(2025, 1, 1), date(2026, 12, 31)))
def test_a_cell_counts_who_was_bad_by_its_day(lives: list[LoanLife], as_of: date) -> None:
    """A loan is bad within k months on book if it was by the same day k months after its payout."""
    for row in vintages(lives, as_of, 12):
        own = [one for one in lives if f"{one.disbursed_on:%Y-%m}" == row.month]
        own = [one for one in own if one.disbursed_on <= as_of]
        for mob, cell in enumerate(row.ever_bad, start=1):
            ends = [(one.bad_on, add_months(one.disbursed_on, mob)) for one in own]
            bads = sum(on is not None and on <= min(end, as_of) for on, end in ends)
            known = all(end <= as_of for _, end in ends)

            assert cell == (Fraction(bads, len(own)) if known else None)


def test_a_month_that_nobody_looked_at_ends_what_is_known() -> None:
    """Who was late between two books far apart may be cured by the second: no share is known."""
    lives = [life("2026-01-05", bad="2026-04-30"), life("2026-01-10")]
    ends = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 4, 30), date(2026, 5, 31)]
    (found,) = vintages(lives, date(2026, 5, 31), 4, ends)
    (whole,) = vintages(lives, date(2026, 5, 31), 4, [*ends, date(2026, 3, 31)])

    assert found.ever_bad == found.ever_over_thirty == (0, 0, None, None)
    assert whole.ever_bad == (0, 0, 0, Fraction(1, 2))


def test_months_count_from_their_day() -> None:
    """A month is full on the same day of the next, or on its last if it has none; not before."""
    assert months_between(date(2026, 1, 31), date(2026, 2, 27)) == 0
    assert months_between(date(2026, 1, 31), date(2026, 2, 28)) == 1
    assert months_between(date(2024, 2, 29), date(2025, 2, 28)) == 12
    assert months_between(date(2026, 1, 15), date(2026, 2, 14)) == 0
    assert months_between(date(2026, 1, 15), date(2026, 2, 15)) == 1
