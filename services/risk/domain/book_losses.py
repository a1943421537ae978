"""The whole book's allowance at once: the same formula as for one loan, over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.risk.domain.book import BookRow
from services.risk.domain.roll_rates import RollMatrix, default_curve
from services.risk.domain.staging import (
    MONTHS_OF_STAGE_ONE,
    LossRules,
    Stage,
    allowance,
    stage_of,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK, CHECKED = 50_000, 50


class Hazards(msgspec.Struct, frozen=True, kw_only=True):
    """Probability of defaulting within each month to come, given not before; a row per state."""

    states: tuple[str, ...]
    months: int
    by_state: tuple[tuple[float, ...], ...]


def hazards_of(matrix: RollMatrix, rules: LossRules, months: int) -> Hazards:
    """Return the hazards that a roll matrix leads to, none below the rules' least."""
    least = np.float64(rules.pd_month_min).item()
    rows = []
    for state in matrix.states:
        curve = [0.0, *default_curve(matrix, state, months)]
        rows.append(
            tuple(
                max(least, (after - before) / (1 - before) if before < 1 else 1.0)
                for before, after in pairwise(curve)
            )
        )
    return Hazards(states=matrix.states, months=months, by_state=tuple(rows))


class BookArrays(msgspec.Struct, frozen=True, kw_only=True):
    """
    The book as columns, one entry per loan on the books; `remaining` a column per month.

    Both amounts are exposures at default: principal, and what is owed beside it.
    """

    state: Integers
    stage: Integers
    balance_minor: Integers
    rate_month: Floats
    remaining: Floats


def stages_of(
    rows: Sequence[BookRow],
    rules: LossRules,
    hazards: Hazards,
    watched: frozenset[str],
    as_of: date,
    cured: frozenset[str] = frozenset(),
) -> list[Stage]:
    """
    Return the stage of each loan; `staging.stage_of` decides, once per kind of loan.

    What was expected at origination of the remaining life is taken to be the chance of a loan
    that was never late. Eased terms are watched for the rules' probation, and so are the loans
    `cured` of a default of late.
    """
    alive = np.cumprod(1 - np.array(hazards.by_state), axis=1)
    reached = {name: 1 - alive[place] for place, name in enumerate(hazards.states)}
    known: dict[tuple[str, int, int, bool], Stage] = {}
    found = []
    for row in rows:
        months = min(len(row.exposures_minor), hazards.months)
        eased = row.eased_on is not None and (as_of - row.eased_on).days < rules.probation_days
        looked_at = eased or row.borrower_ref in watched or row.loan_id in cured
        kind = row.state, row.days_that_count, months, looked_at
        if kind not in known:
            known[kind] = stage_of(
                rules,
                row.days_that_count,
                pd_now=Decimal(reached[row.state][months - 1].item()),
                pd_at_origination=Decimal(reached["M0"][months - 1].item()),
                watched=kind[3],
            )
        found.append(known[kind])
    return found


def arrays_of(rows: Sequence[BookRow], stages: Sequence[Stage], hazards: Hazards) -> BookArrays:
    """Return rows as columns; months beyond the hazards' are cut off."""
    places = {name: place for place, name in enumerate(hazards.states)}
    remaining = np.zeros((len(rows), hazards.months))
    for place, row in enumerate(rows):
        kept = row.exposures_minor[: hazards.months]
        remaining[place, : len(kept)] = kept
    return BookArrays(
        state=np.array([places[row.state] for row in rows], dtype=np.int64),
        stage=np.array([int(stage) for stage in stages], dtype=np.int64),
        balance_minor=np.array([row.owed_minor for row in rows], dtype=np.int64),
        rate_month=np.array([row.rate_annual / 12 for row in rows], dtype=np.float64),
        remaining=remaining,
    )


def allowances(book: BookArrays, rules: LossRules, hazards: Hazards) -> Integers:
    """
    Return the allowance of each loan, minor units, rounded half-even per loan.

    Within one unit of what `staging.allowance` says exactly; sums of the result are exact.
    """
    found = np.zeros(len(book.state), dtype=np.int64)
    for start in range(0, len(found), CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = np.rint(_chunk(book, rules, hazards, part))
    return found


def check_some(
    rows: Sequence[BookRow],
    stages: Sequence[Stage],
    losses: Sequence[int],
    rules: LossRules,
    hazards: Hazards,
) -> None:
    """Hold up to `CHECKED` allowances, spread over the book, against the exact formula."""
    for place in range(0, len(rows), max(1, -(-len(rows) // CHECKED))):
        row, stage = rows[place], stages[place]
        impaired = stage is Stage.IMPAIRED
        owed = (row.owed_minor,) if impaired else row.exposures_minor
        pds = hazards.by_state[hazards.states.index(row.state)][: len(owed)]
        exact = allowance(
            rules,
            stage,
            exposures=[Decimal(left) for left in owed],
            pds=[Decimal(pd) for pd in pds],
            eir_month=row.rate_annual / 12,
        )
        # A unit for rounding, and what a double cannot hold of a very large loan.
        assert abs(losses[place] - exact) <= 1 + row.owed_minor // 10**9, row.loan_id


def _chunk(book: BookArrays, rules: LossRules, hazards: Hazards, part: slice) -> Floats:
    state, stage = book.state[part], book.stage[part]
    months = np.arange(1, hazards.months + 1)
    discounted = book.remaining[part] / (1 + book.rate_month[part])[:, None] ** months
    discounted[stage == Stage.PERFORMING, MONTHS_OF_STAGE_ONE:] = 0
    total = np.zeros(len(state))
    for scenario in rules.scenarios:
        lgd = np.float64(min(Decimal(1), rules.lgd * scenario.lgd_times))
        weight, times = np.float64(scenario.weight), np.float64(scenario.odds_times)
        hazard = np.array(hazards.by_state)
        hazard = times * hazard / (1 + (times - 1) * hazard)
        alive = np.cumprod(1 - hazard, axis=1)
        marginal = hazard * np.column_stack([np.ones(len(alive)), alive[:, :-1]])
        loss = np.einsum("ij,ij->i", discounted, marginal[state]) * lgd
        impaired = stage == Stage.IMPAIRED
        loss[impaired] = book.balance_minor[part][impaired] * lgd
        total += weight * loss
    return total
