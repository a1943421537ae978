"""Every decision made again, from the command line."""

from __future__ import annotations

from collections import Counter

import typer

from services.risk.adapters.artefacts import read_models, read_policies
from services.risk.application.deciding import Deciding
from services.risk.application.exposures import Exposures
from services.risk.config import RiskSettings
from services.risk.domain.decision import Decision
from shared.runtime.database import open_database
from shared.runtime.records import Records

SHOWN_MAX = 10


async def replay_decisions(settings: RiskSettings) -> int:
    """Print how many came out the same, and what differs; returns 1 if any does."""
    records = Records(open_database(settings.database_url))
    policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
    deciding = Deciding(Exposures(records), policies, models)
    count, shown, versions = Counter[str](), 0, Counter[str]()
    async for decided in deciding.every():
        again = deciding.again(decided)
        same = again == decided.decision
        count["identical" if same else "different"] += 1
        versions[f"{again.policy_version} with {again.model_version}"] += 1
        if not same and shown < SHOWN_MAX:
            shown += 1
            typer.echo(f"{decided.decision_id}: {difference(decided.decision, again)}")
    await records.engine.dispose()
    for name, number in sorted(versions.items()):
        typer.echo(f"{number:,} under {name}")
    typer.echo(f"{count['identical']:,} identical, {count['different']:,} different")
    return 1 if count["different"] else 0


def difference(stored: Decision, again: Decision) -> str:
    """Return the fields that differ, each as it was and as it is."""
    fields = stored.__struct_fields__
    differs = [n for n in fields if getattr(stored, n) != getattr(again, n)]
    return "; ".join(f"{n} was {getattr(stored, n)}, is {getattr(again, n)}" for n in differs)
