"""The last day to sue: from the last instalment, anew from what the law counts; a table."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.collections.compose import House
from services.collections.domain.case import Case, follow
from services.collections.domain.matter import Matter, acknowledged, matter_of
from services.collections.domain.promises import Part, Promise
from tests.services.collections.house import LedgerByHand, a_house, event, hear
from tests.services.collections.test_case import heard
from tests.services.collections.test_ladder import checked, step
from tests.services.collections.test_recovery import POLICY, done

LAST = [
    # last instalment | demand sent | owned up on | last day to sue
    (None, None, [], "2029-02-05"),
    ("2027-01-05", None, [], "2030-01-05"),
    ("2027-01-05", "2026-04-21", [], "2030-01-05"),
    ("2027-01-05", "2027-01-06", [], "2030-01-06"),
    ("2027-01-05", None, ["2026-12-31"], "2030-01-05"),
    ("2027-01-05", None, ["2029-12-31"], "2032-12-31"),
    ("2027-01-05", None, ["2029-12-31", "2032-06-01"], "2035-06-01"),
    ("2027-01-05", None, ["2030-01-06"], "2030-01-05"),
    ("2027-01-05", "2028-03-01", ["2028-06-01"], "2031-06-01"),
]


@pytest.mark.parametrize(("final", "demand", "owned", "last"), LAST)
def test_the_last_day_to_sue(
    final: str | None, demand: str | None, owned: list[str], last: str
) -> None:
    """Three years from the last due date (189), anew from each restart within them (195)."""
    matter = Matter(
        loan_id="L-1",
        due_on=date(2026, 2, 5),
        steps=(done("DEMAND", "2026-04-20"),) if demand else (),
        notices=(date.fromisoformat(demand),) if demand else (),
        final_due_on=date.fromisoformat(final) if final else None,
        acknowledged=tuple(date.fromisoformat(day) for day in owned),
    )

    assert matter.limitation_on(POLICY) == date.fromisoformat(last)


def test_who_promises_or_pays_owns_up() -> None:
    """A promise and a payment restart the period; one that the bank took back does not."""
    case: Case | None = None
    for row in (
        (1, "BUCKET_CHANGED", "2026-02-06", 35, "M2"),
        (2, "REPAYMENT_POSTED", "2026-02-10", 36, "M2", 100),
        (3, "REPAYMENT_POSTED", "2026-02-12", 36, "M2", 100),
        (4, "REPAYMENT_REVERSED", "2026-02-12", 36, "M2", 100),
    ):
        case, _ = follow(case, heard(*row))
    assert case is not None
    word = Promise(promise_id="p", made_on=date(2026, 2, 14), parts=(Part(date(2026, 2, 20), 100),))
    case = msgspec.structs.replace(case, promises=(word,))

    assert acknowledged(case) == (date(2026, 2, 10), date(2026, 2, 14))


def life(*rows: tuple[int, str, str, int]) -> Case:
    case: Case | None = None
    for number, kind, on, late in rows:
        case, _ = follow(case, heard(number, kind, on, late, "M2" if late else "M0"))
    assert case is not None
    return case


def of(due_on: str, *steps: tuple[str, str]) -> Matter:
    taken = tuple(done(*one) for one in steps)
    return Matter(loan_id="L-1", due_on=date.fromisoformat(due_on), steps=taken)


NOW = (5, "BUCKET_CHANGED", "2026-02-06", 35)
BELONGS = [
    # what the case has heard by now | the matter is still the case's own
    ([NOW], True),
    ([(1, "BUCKET_CHANGED", "2025-02-06", 35), (2, "CURED", "2025-03-06", 0), NOW], True),
    ([(4, "GRACE_ENTERED", "2026-02-01", 1), NOW], True),
    ([(6, "BUCKET_CHANGED", "2026-02-20", 35)], True),
    ([NOW, (6, "CURED", "2026-04-01", 0), (7, "BUCKET_CHANGED", "2026-05-02", 35)], False),
    ([NOW, (6, "CURED", "2026-02-20", 0), (7, "BUCKET_CHANGED", "2026-02-25", 35)], False),
]


@pytest.mark.parametrize(("rows", "ours"), BELONGS)
def test_a_matter_belongs_to_its_time_of_being_late(
    rows: list[tuple[int, str, str, int]], ours: bool
) -> None:
    """What is heard later of older days takes no step away; a new time begins at the foot."""
    matter = of("2026-02-05", ("DEMAND", "2026-03-01"))

    assert (matter_of(life(*rows), [matter]) == matter) is ours


async def matter(house: House) -> Matter:
    async with house.desk.records.work() as work:
        case = await work.get(Case, "L-1")
        assert case is not None
        return await house.escalating.matter(work, case)


async def test_an_older_time_heard_later_keeps_check_and_steps(tmp_path: Path) -> None:
    """A stretch of last year, told late, makes this one the second: its check still stands."""
    async with a_house(tmp_path, LedgerByHand()) as house:
        await hear(house, event(9, "BUCKET_CHANGED", "2026-02-06", 75))
        await checked(house, "2026-02-06")
        await hear(house, event(1, "BUCKET_CHANGED", "2025-02-06", 35))
        await hear(house, event(2, "CURED", "2025-03-06", 0))

        known = await matter(house)
        assert (known.checked_on, known.due_on) == (date(2026, 2, 6), date(2026, 2, 5))


async def test_a_matter_kept_by_number_is_found_and_kept_on(tmp_path: Path) -> None:
    """One that was stored before matters had ids is neither lost nor doubled."""
    async with a_house(tmp_path, LedgerByHand()) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 75))
        async with house.desk.records.work() as work:
            stored = Matter(
                loan_id="L-1", due_on=date(2026, 2, 5), steps=(step("DEMAND", "2026-02-06"),)
            )
            await work.put(stored, "L-1/1")
        await checked(house, "2026-02-06")

        async with house.desk.records.work() as work:
            (only,) = [one async for one in work.every(Matter)]
        assert (len(only.steps), only.checked_on) == (1, date(2026, 2, 6))
