"""The ceiling of the sample book: what somebody would say who knows how its payers are made."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import typer

from deploy.sample.book import applicants
from deploy.sample.warnings import ceiling, main
from services.risk.adapters.tape import write_tape
from services.risk.domain.behaviour import Fact
from services.risk.training.warning_trial import Snapshot

PEOPLE = applicants()
AS_OF, PD = date(2024, 8, 31), 0.3
STAYS = 0.5 + 0.2 + 0.3 * 50 / 71
"""Written off, given a plan, or back only after 31 to 80 of 10 to 80 days."""


def due(number: int, months: int) -> Fact:
    on = date(2024, 6, 10) + timedelta(days=30 * months)
    return Fact(
        loan_id=PEOPLE[number].loan_id,
        sequence=months + 1,
        type="INSTALMENT_DUE",
        effective_on=on,
        known_on=on,
    )


def test_a_book_that_is_not_ready_is_named(tmp_path: Path) -> None:
    """Before the sample book has come so far there is nothing to try rules on."""
    tape = tmp_path / "tape.jsonl"
    write_tape(tape, [due(0, 0)])

    with pytest.raises(typer.BadParameter, match="nothing of after 2024-12-31"):
        main(tape)


def test_the_ceiling_counts_what_the_generator_draws() -> None:
    """
    A bad payer of twelve months breaks at one of eight places, each as likely.

    Three are behind, so five are left, and two of them come early enough to be seen. That it got
    so far, five in eight bad ones do, and all good ones.
    """
    (bad,) = [n for n, one in enumerate(PEOPLE) if _of_a_year(n) and not one.good][:1]
    (good,) = [n for n, one in enumerate(PEOPLE) if _of_a_year(n) and one.good][:1]
    tape = [due(number, months) for number in (bad, good) for months in range(8)]
    rows = [
        Snapshot(PEOPLE[number].loan_id, AS_OF, {"application_pd": str(PD)}, None)
        for number in (bad, good)
    ]
    found = [ceiling(tape, rows)[row.loan_id, AS_OF] for row in rows]
    bad_still = PD * 5 / 8 / (PD * 5 / 8 + 1 - PD)

    assert [one.kind_too for one in found] == pytest.approx([STAYS * 2 / 5, 0])
    assert [one.not_the_kind for one in found] == pytest.approx([bad_still * STAYS * 2 / 5] * 2)


def _of_a_year(number: int) -> bool:
    return PEOPLE[number].row["duration_in_month"] == "12"
