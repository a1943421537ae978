"""Early warning put to the test: trained on the past, tried on what came later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from services.risk.domain.behaviour import (
    Fact,
    days_past_due,
    ended_on,
    features,
    first_over_thirty,
    known,
)
from services.risk.domain.discrimination import quality
from services.risk.domain.scorecard import Scorecard, score
from services.risk.training.champion import train_scorecard
from services.risk.training.datasets import Column, Dataset

HORIZON_DAYS, LATE_NOW_MAX = 90, 3
RESAMPLES = 400

COLUMNS = (
    Column("application_pd", "Score at application", "申请评分", numeric=True, rises=1),
    Column("term_elapsed_pct", "Share of the term behind", "已过期限占比", numeric=True),
    Column("late_starts_180d", "Times late", "逾期次数", numeric=True, rises=1),
    Column("late_beyond_grace_180d", "Late beyond grace", "超宽限期逾期", numeric=True, rises=1),
    Column("returned_debits_180d", "Returned debits", "扣款退回", numeric=True, rises=1),
    Column("part_payments_180d", "Part payments", "部分还款", numeric=True, rises=1),
    Column("days_since_late", "Days since last late", "距上次逾期天数", numeric=True, rises=-1),
    Column("days_late_now", "Days late now", "当前逾期天数", numeric=True, rises=1),
    Column("days_to_pay_drift", "Days to pay", "还款天数趋势", numeric=True, rises=1),
)


@dataclass(frozen=True, slots=True)
class Origination:
    """What was known of a loan when it was paid out: its score then, and its instalments."""

    pd: str
    instalments: int


@dataclass(frozen=True, slots=True, order=True)
class Snapshot:
    """One loan on one date: what was known, and what came; `days_to_bad` None for nothing bad."""

    loan_id: str
    as_of: date
    given: dict[str, str]
    days_to_bad: int | None

    @property
    def bad(self) -> bool:
        """Say whether it was more than 30 days late within the horizon."""
        return self.days_to_bad is not None


def snapshots(
    tape: Sequence[Fact], dates: Sequence[date], origins: Mapping[str, Origination]
) -> list[Snapshot]:
    """
    Return every loan that a warning could still help, on each date.

    That is: running, at most LATE_NOW_MAX days late, and never more than 30 before.
    """
    loans: dict[str, list[Fact]] = defaultdict(list)
    for fact in tape:
        loans[fact.loan_id].append(fact)
    found = []
    for as_of in dates:
        for loan_id, facts in sorted(loans.items()):
            one = _snapshot(loan_id, facts, as_of, origins[loan_id])
            if one is not None:
                found.append(one)
    return found


def _snapshot(loan_id: str, facts: list[Fact], as_of: date, origin: Origination) -> Snapshot | None:
    past = known(facts, as_of)
    if not past or ended_on(past) or first_over_thirty(past):
        return None
    if days_past_due(past, as_of) > LATE_NOW_MAX:
        return None
    bad_on = first_over_thirty(facts)
    days = (bad_on - as_of).days if bad_on is not None else None
    within = days is not None and 0 < days <= HORIZON_DAYS
    given = features(past, as_of)
    elapsed = 100 * int(given.pop("instalments_due")) // origin.instalments
    given |= {"application_pd": origin.pd, "term_elapsed_pct": str(elapsed)}
    return Snapshot(loan_id, as_of, given, days if within else None)


def month_ends(first: date, last: date) -> list[date]:
    """Return the ends of months from one date to another."""
    found, day = [], first.replace(day=1)
    while (end := (day + timedelta(days=32)).replace(day=1) - timedelta(days=1)) <= last:
        found.append(end)
        day = end + timedelta(days=1)
    return found


def train_behaviour(rows: Sequence[Snapshot], version: str) -> Scorecard:
    """Train a behavioural scorecard the way the champion is trained."""
    values = {column.name: np.array([row.given[column.name] for row in rows]) for column in COLUMNS}
    bad = np.array([row.bad for row in rows])
    source = "sample book: real applications and outcomes, synthetic repayments"
    return train_scorecard(
        Dataset("sample book", source, "CC BY 4.0", "", COLUMNS, (), values, bad), version
    )


Risk = Callable[[Snapshot], float]


def by_card(card: Scorecard) -> Risk:
    """Return the risk that a scorecard sees: fewer points, more risk."""
    return lambda row: -float(score(card, row.given)[0])


@dataclass(frozen=True, slots=True)
class Result:
    """One way to rank loans, on dates after training; lead times are days."""

    name: str
    auc: float
    auc_low: float
    auc_high: float
    precision: float
    recall: float
    lead_days_median: float
    alerts: int


def try_ranking(name: str, rows: Sequence[Snapshot], risk: Risk, per_date: int) -> Result:
    """
    Measure a ranking: its AUC, and what officers who look at the top of each date would find.

    Args:
        name: What it is called in the table.
        rows: Snapshots of later dates.
        risk: Higher is looked at first; ties go by loan id.
        per_date: How many loans all officers together can look at per date.
    """
    said = [risk(row) for row in rows]
    low, high = _interval(rows, said)
    chosen: list[Snapshot] = []
    for as_of in sorted({row.as_of for row in rows}):
        pairs = zip(said, rows, strict=True)
        here = sorted((-s, row.loan_id, row) for s, row in pairs if row.as_of == as_of)
        chosen += [row for _, _, row in here[:per_date]]
    hits = [row for row in chosen if row.bad]
    bads = {row.loan_id for row in rows if row.bad}
    leads = [row.days_to_bad for row in _first_of_each(hits) if row.days_to_bad is not None]
    return Result(
        name=name,
        auc=quality(said, [row.bad for row in rows]).auc,
        auc_low=low,
        auc_high=high,
        precision=len(hits) / max(1, len(chosen)),
        recall=len({row.loan_id for row in hits}) / max(1, len(bads)),
        lead_days_median=float(np.median(leads)) if leads else 0.0,
        alerts=len(chosen),
    )


def _first_of_each(hits: Sequence[Snapshot]) -> list[Snapshot]:
    first: dict[str, Snapshot] = {}
    for row in sorted(hits, key=lambda one: one.as_of):
        first.setdefault(row.loan_id, row)
    return list(first.values())


def _interval(rows: Sequence[Snapshot], said: Sequence[float]) -> tuple[float, float]:
    """Return a 95 % interval of the AUC by drawing loans, not snapshots: a loan's are alike."""
    loans: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        loans[row.loan_id].append(place)
    groups, chance, found = list(loans.values()), np.random.default_rng(7), []
    for _ in range(RESAMPLES):
        drawn = [p for k in chance.integers(0, len(groups), len(groups)) for p in groups[k]]
        bad = [rows[p].bad for p in drawn]
        if any(bad) and not all(bad):
            found.append(quality([said[p] for p in drawn], bad).auc)
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
