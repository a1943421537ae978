"""Pauses of delinquency: paused days do not classify, and no edge after them is passed over."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.cure import date_counted, days_paused
from services.ledger.domain.delinquency import standing_of
from tests.services.ledger.domain.desk import Desk


def test_a_pause_agreed_ahead() -> None:
    """Agreed on the 10th for the 15th to the 24th: ten days late by the 25th do not classify."""
    desk = Desk()
    desk.go_to(date(2026, 2, 10))
    pause = {"from_on": date(2026, 2, 15), "until_on": date(2026, 2, 24), "reason": "flood"}
    desk.ask(cmd.PauseDelinquency, **pause)
    found = []
    for day in (date(2026, 2, 14), date(2026, 2, 24), date(2026, 3, 16)):
        desk.go_to(day)
        standing = standing_of(desk.account.timeline(day))
        found.append((standing.days_past_due, standing.days_paused, standing.buckets["m"]))

    assert found == [(9, 0, "M1"), (19, 9, "M1"), (39, 9, "M1")]
    with pytest.raises(no.PauseInvalid):
        desk.ask(cmd.PauseDelinquency, **pause)


def test_one_pause_after_another() -> None:
    """A pause that begins on the last day of another shares no night with it; one before does."""
    desk = Desk()
    desk.go_to(date(2026, 2, 10))
    desk.ask(cmd.PauseDelinquency, from_on=desk.on, until_on=date(2026, 2, 15), reason="flood")
    with pytest.raises(no.PauseInvalid):
        desk.ask(
            cmd.PauseDelinquency,
            from_on=date(2026, 2, 14),
            until_on=date(2026, 2, 20),
            reason="more",
        )
    desk.ask(
        cmd.PauseDelinquency, from_on=date(2026, 2, 15), until_on=date(2026, 2, 20), reason="more"
    )
    desk.go_to(date(2026, 2, 25))

    standing = standing_of(desk.account.timeline(desk.on))
    assert (standing.days_past_due, standing.days_paused) == (20, 10)


def test_an_edge_between_two_pauses_is_recorded() -> None:
    """Due 5 February, 10 nights paused: M2 on 18 March, though April will be paused too."""
    desk = Desk()
    desk.go_to(date(2026, 2, 10))
    for first, last in (("2026-02-10", "2026-02-20"), ("2026-04-01", "2026-04-20")):
        pause = {"from_on": date.fromisoformat(first), "until_on": date.fromisoformat(last)}
        desk.ask(cmd.PauseDelinquency, **pause, reason="flood")

    found = {}
    for on in (date(2026, 3, 17), date(2026, 3, 18), date(2026, 5, 5), date(2026, 5, 6)):
        desk.go_to(on)
        found[on] = desk.account.standing.buckets["m"]

    assert list(found.values()) == ["M1", "M2", "M2", "M3"]


@pytest.mark.parametrize(
    "pauses",
    [
        # first and last day of each, in days since the due date
        [(5, 15), (50, 60)],
        [(-9, 4), (4, 9)],
        [(-9, 4), (2, 9)],
        [(0, 1), (30, 31), (31, 99)],
        [(10, 40), (20, 30)],
        [(31, 40)],
        [(3, 3)],
    ],
)
def test_the_date_by_which_so_many_days_count(pauses: list[tuple[int, int]]) -> None:
    """It is the first on which the days since the due date, without paused ones, are that many."""
    due_on = date(2026, 2, 5)
    dated = [(due_on + timedelta(days=a), due_on + timedelta(days=b)) for a, b in pauses]
    for days in range(1, 100):
        on = date_counted(dated, due_on, days)

        assert (on - due_on).days - days_paused(dated, due_on, on) == days
        eve = on - timedelta(days=1)
        assert (eve - due_on).days - days_paused(dated, due_on, eve) == days - 1
