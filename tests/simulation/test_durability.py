"""A slice of `make durable`: killed or cut off under load, nothing answered is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.door import Moment, a_door
from tests.simulation.durability import Tally, commit_cuts, cuts, kills
from tests.system.one_ledger import ledger_on


def check(tally: Tally) -> None:
    """Everything asked was answered in the end, and is in the log once."""
    assert (tally.lost, tally.doubled, tally.half) == (0, 0, 0)
    assert tally.told == set(tally.asked)
    assert not tally.other


async def test_killed_under_load_on_sqlite(tmp_path: Path) -> None:
    """Three kills at random moments."""
    with ledger_on(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as ledger:
        check(await kills(ledger, 3, seed=7))


@pytest.mark.parametrize(("work", "times"), [(kills, 2), (cuts, 3)])
async def test_killed_or_cut_off_on_postgresql(work, times: int, new_database, tmp_path) -> None:
    """Two kills; three times all of its connections ended by the server."""
    with ledger_on(new_database("durable"), tmp_path) as ledger:
        check(await work(ledger, times, seed=7))


@pytest.mark.parametrize("moment", Moment)
async def test_cut_off_at_the_commit(moment: Moment, new_database, tmp_path) -> None:
    """Three times the line is gone once all is carried out: not committed, or not said so."""
    with a_door(new_database("cut")) as (door, url), ledger_on(url, tmp_path) as ledger:
        check(await commit_cuts(ledger, door, moment, 3, seed=7))
