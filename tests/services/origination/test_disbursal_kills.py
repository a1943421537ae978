"""Between an accepted contract and the money: killed at every await, exactly one disbursal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.services.origination.counterparts import OLD, OLD_PAYOFF, OLD_PER_DAY, FakeLedger
from tests.services.origination.killing import (
    LENT,
    PARTS,
    World,
    awaits_of_a_quiet_life,
    many_kills,
    one_kill,
)

SEEDS = int(os.environ.get("DISBURSAL_SEEDS", "25"))
AWAITS_STEP = int(os.environ.get("DISBURSAL_STEP", "2"))
DRAWN = [
    # parts | awaits at which to die, at least
    ((LENT,), 50),
    (PARTS, 150),
]


def new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


@pytest.mark.parametrize(("parts", "awaits_min"), DRAWN)
async def test_killed_once_at_each_await(
    tmp_path: Path, parts: tuple[int, ...], awaits_min: int
) -> None:
    """Wherever the process dies, the next one pays each part out once and says so once."""
    awaits = await awaits_of_a_quiet_life(World(new(tmp_path, "quiet"), parts=parts))

    died = [
        await one_kill(World(new(tmp_path, f"at-{at}"), parts=parts), at)
        for at in range(1, awaits + 1, AWAITS_STEP * len(parts) if AWAITS_STEP > 1 else 1)
    ]

    assert awaits > awaits_min
    assert all(died)


@pytest.mark.parametrize(("parts", "awaits_min"), DRAWN)
async def test_killed_again_and_again(
    tmp_path: Path, parts: tuple[int, ...], awaits_min: int
) -> None:
    """However often processes die, days pass and clients ask again, each part is paid once."""
    awaits = await awaits_of_a_quiet_life(World(new(tmp_path, "quiet"), parts=parts))

    died = [
        await many_kills(World(new(tmp_path, f"s-{s}"), parts=parts), s, awaits)
        for s in range(SEEDS)
    ]

    assert awaits > awaits_min
    assert sum(died) > SEEDS


MEANWHILE = [
    # what the borrower pays to the refinanced loan in the night after the money was sent
    0,
    20_000,
    OLD_PAYOFF + OLD_PER_DAY,
]


@pytest.mark.parametrize("meanwhile", MEANWHILE)
async def test_another_loan_is_paid_off_once(tmp_path: Path, meanwhile: int) -> None:
    """Wherever the process dies: one payoff of what it needs, all the rest to the borrower."""
    at, lived = 1, 0
    while not lived:
        ledger = FakeLedger(meanwhile_minor=meanwhile, turns_on_disbursal=True)
        world = World(new(tmp_path, f"at-{at}"), ledger=ledger, refinances=OLD)
        lived += not await one_kill(world, at)
        at += 2 * AWAITS_STEP

    assert at > 50


async def test_another_loan_is_paid_off_once_whenever_a_day_passes(tmp_path: Path) -> None:
    """
    However often processes die, and whenever the borrower pays to the old loan as well.

    Paid between two questions before anything was sent, nothing is: the payout is asked for anew.
    """
    quiet = World(new(tmp_path, "quiet"), refinances=OLD)
    awaits = await awaits_of_a_quiet_life(quiet)
    died = 0
    for seed in range(SEEDS):
        ledger = FakeLedger(meanwhile_minor=MEANWHILE[seed % 2])
        world = World(new(tmp_path, f"s-{seed}"), ledger=ledger, refinances=OLD)
        died += await many_kills(world, seed, awaits)

    assert died > SEEDS
