"""Between an accepted contract and the money: killed at every await, exactly one disbursal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.services.origination.killing import awaits_of_a_quiet_life, many_kills, one_kill

SEEDS = int(os.environ.get("DISBURSAL_SEEDS", "25"))
AWAITS_STEP = int(os.environ.get("DISBURSAL_STEP", "2"))


def new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


async def test_killed_once_at_each_await(tmp_path: Path) -> None:
    """Wherever the process dies, the next one pays out once and says so once."""
    awaits = await awaits_of_a_quiet_life(new(tmp_path, "quiet"))

    died = [
        await one_kill(new(tmp_path, f"at-{at}"), at) for at in range(1, awaits + 1, AWAITS_STEP)
    ]

    assert awaits > 50
    assert all(died)


async def test_killed_again_and_again(tmp_path: Path) -> None:
    """However often processes die, and whoever asks again, it is one disbursal."""
    awaits = await awaits_of_a_quiet_life(new(tmp_path, "quiet"))

    died = [await many_kills(new(tmp_path, f"s-{s}"), s, awaits) for s in range(SEEDS)]

    assert sum(died) > SEEDS


NEEDED = [
    # what the refinanced loan needs when it is paid off, of 300.00 asked before
    30_000,
    10_000,
    0,
]


@pytest.mark.parametrize("needed", NEEDED)
async def test_another_loan_is_paid_off_once(tmp_path: Path, needed: int) -> None:
    """Wherever the process dies: one payoff of what it needs, all the rest to the borrower."""
    at, lived = 1, 0
    while not lived:
        lived += not await one_kill(new(tmp_path, f"at-{at}"), at, "L-old", needed)
        at += 2 * AWAITS_STEP

    assert at > 50
