"""Early warning on the sample book, out of time: model, naive rankings, and the ceiling."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from deploy.sample.book import DEFAULTS, ENDS_ON, Applicant, applicants
from services.risk.adapters.artefacts import read_toml
from services.risk.adapters.tape import read_stream, read_tape, write_tape
from services.risk.config import RiskSettings
from services.risk.domain.behaviour import Fact, days_past_due, known
from services.risk.domain.indicators import WarningRules
from services.risk.training.datasets import german
from services.risk.training.protocol import champion, try_model
from services.risk.training.rule_trial import try_rules
from services.risk.training.warning_trial import (
    HORIZON_DAYS,
    Origination,
    Result,
    Snapshot,
    by_card,
    month_ends,
    snapshots,
    train_behaviour,
    try_ranking,
)

TRAIN_FROM, TRAIN_TO = date(2024, 4, 1), date(2024, 12, 31)
OVER_THIRTY = 31
BACK_DAYS = range(10, 81)
"""How late a payer who catches up comes back: the generator's own bounds."""


@dataclass(frozen=True, slots=True)
class Knowing:
    """What somebody who knows the generator would say of a snapshot, as two probabilities."""

    kind_too: float
    not_the_kind: float


def ceiling(tape: Sequence[Fact], rows: Sequence[Snapshot]) -> dict[tuple[str, date], Knowing]:
    """
    Return the chance of being more than 30 days late within the horizon, by the generator's rules.

    Once knowing what kind of payer it is, which no model can see; once knowing only the held-out
    score at application, and how many instalments were paid since.
    """
    people = {one.loan_id: one for one in applicants()}
    loans: dict[str, list[Fact]] = defaultdict(list)
    for fact in tape:
        loans[fact.loan_id].append(fact)
    found = {}
    for row in rows:
        person = people[row.loan_id]
        if_bad, reached = _if_bad(person, loans[row.loan_id], row.as_of)
        prior = float(row.given["application_pd"])
        posterior = prior * reached / (prior * reached + 1 - prior)
        kind_too = 0.0 if person.good else if_bad
        found[row.loan_id, row.as_of] = Knowing(kind_too, posterior * if_bad)
    return found


def _if_bad(person: Applicant, facts: Sequence[Fact], as_of: date) -> tuple[float, float]:
    """Return the chance if it is a bad payer, and how many of those get as far as this."""
    fates = dict(DEFAULTS)
    back_late = sum(days >= OVER_THIRTY for days in BACK_DAYS) / len(BACK_DAYS)
    stays = fates["charged_off"] + fates["hardship"] + fates["catches_up"] * back_late
    past = known(facts, as_of)
    places = 1 + int(person.row["duration_in_month"]) * 6 // 10
    left = places - sum(fact.type == "INSTALMENT_DUE" for fact in past)
    if days_past_due(past, as_of):
        return stays, 1.0
    if left <= 0:
        return 0.0, 0.0
    dues = [f.effective_on for f in facts if f.type == "INSTALMENT_DUE" and f.effective_on > as_of]
    last = as_of + timedelta(days=HORIZON_DAYS - OVER_THIRTY)
    return stays * min(left, sum(due <= last for due in dues)) / left, left / places


def report(tape: Sequence[Fact], per_month: int) -> list[Result]:
    """Train on snapshots whose outcome was known before the first one tried; try the rest."""
    said = try_model(german(), "champion", champion).probabilities
    held_out = {
        one.loan_id: Origination(f"{said[one.number - 1]:.4f}", int(one.row["duration_in_month"]))
        for one in applicants()
    }
    dates = month_ends(TRAIN_FROM, ENDS_ON - timedelta(days=HORIZON_DAYS))
    rows = snapshots(tape, dates, held_out)
    past = [row for row in rows if row.as_of <= TRAIN_TO]
    later = [row for row in rows if row.as_of > TRAIN_TO + timedelta(days=HORIZON_DAYS)]
    card = train_behaviour(past, "behaviour-woe/trial")
    knows = ceiling(tape, later)
    ways = {
        "behavioural card": by_card(card),
        "application score alone": lambda row: float(row.given["application_pd"]),
        "naive: times late in 180 days": lambda row: float(row.given["late_starts_180d"]),
        "naive: days late now": lambda row: float(row.given["days_late_now"]),
        "ceiling: knows the generator": lambda row: knows[row.loan_id, row.as_of].not_the_kind,
        "and what kind each payer is": lambda row: knows[row.loan_id, row.as_of].kind_too,
    }
    typer.echo(
        f"trained on {len(past):,} snapshots to {TRAIN_TO} ({sum(r.bad for r in past)} bad), "
        f"tried on {len(later):,} from {later[0].as_of} to {later[-1].as_of} "
        f"({sum(r.bad for r in later)} bad of {len({r.loan_id for r in later})} loans)"
    )
    return [try_ranking(name, later, risk, per_month) for name, risk in ways.items()]


def rules_in_use(tape: Sequence[Fact]) -> Table:
    """Return what the rules' alerts were worth over the same months, by indicator."""
    rules = msgspec.convert(read_toml(RiskSettings().warning_file), WarningRules)
    first, last = TRAIN_TO + timedelta(days=HORIZON_DAYS), ENDS_ON - timedelta(days=HORIZON_DAYS)
    found = try_rules(tape, rules, first, last)
    head = ("rule in use", "alerts", "a month", "too late", "precision", "found")
    table = Table(*head, "median lead, days")
    months = (last - first).days / 30.4
    for one in found:
        if not one.facts:
            table.add_row(one.name, "no facts")
            continue
        table.add_row(
            one.name,
            str(one.alerts),
            f"{one.alerts / months:.1f}",
            str(one.too_late),
            _share(one.precision),
            _share(one.recall),
            "–" if one.lead_days_median is None else f"{one.lead_days_median:.0f}",
        )
    return table


def _share(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.1%}"


def main(
    tape: Annotated[Path | None, typer.Option(help="A tape; else the stream is read.")] = None,
    nats_url: Annotated[str, typer.Option(help="Where the stream is.")] = "nats://127.0.0.1:7422",
    save: Annotated[Path | None, typer.Option(help="Keep the tape here.")] = None,
    per_month: Annotated[int, typer.Option(help="Loans officers can look at a month.")] = 20,
) -> None:
    """Print a table: who ranks loans best for the same number of looks."""
    facts = read_tape(tape) if tape else asyncio.run(read_stream(nats_url))
    if save:
        write_tape(save, facts)
    if not any(fact.effective_on > TRAIN_TO for fact in facts):
        said = f"it tells nothing of after {TRAIN_TO}: wait until the sample book is ready"
        raise typer.BadParameter(said, param_hint="--tape" if tape else "--nats-url")
    table = Table("ranking", "AUC [95 %]", "precision", "of bad loans found", "median lead, days")
    for one in report(facts, per_month):
        interval = f"{one.auc:.3f} [{one.auc_low:.3f}, {one.auc_high:.3f}]"
        lead = f"{one.lead_days_median:.0f}"
        table.add_row(one.name, interval, f"{one.precision:.1%}", f"{one.recall:.1%}", lead)
    Console(width=110).print(table)
    Console(width=110).print(rules_in_use(facts))


if __name__ == "__main__":
    typer.run(main)
