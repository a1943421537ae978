"""Model monitoring, from the command line."""

from __future__ import annotations

from datetime import date

import msgspec
from rich.console import Console
from rich.table import Table

from services.risk.adapters.artefacts import read_models, read_policies, read_toml
from services.risk.application.deciding import Deciding
from services.risk.application.exposures import Exposures
from services.risk.application.monitoring import Monitoring
from services.risk.config import RiskSettings
from services.risk.domain.monitoring import Light, MonitoringRules
from services.risk.entrypoints.portfolio_desk import portfolios


async def show(settings: RiskSettings, since: date, as_of: date, currency: str) -> bool:
    """Print a table per card; returns whether anything is red."""
    rules = msgspec.convert(read_toml(settings.monitoring_file), MonitoringRules)
    async with portfolios(settings) as kept:
        policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
        deciding = Deciding(Exposures(kept.records), policies, models)
        found = await Monitoring(deciding, kept, rules).figures(since, as_of, currency)
    console, red = Console(width=110), False
    for version, figures in found.items():
        table = Table(version, "figure", "held against", "light", "on")
        for one in figures:
            red = red or one.light is Light.RED
            bound, figure = f"{one.bound:.3f}", f"{one.figure:.3f}"
            table.add_row(one.name, figure, bound, str(one.light), one.note)
        console.print(table)
    return red
