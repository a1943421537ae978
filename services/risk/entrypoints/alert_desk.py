"""What early warnings were worth, from the command line."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from services.risk.config import RiskSettings
from services.risk.domain.alert_quality import alert_quality, by_officer
from services.risk.domain.early_warning import Alert
from shared.runtime.database import open_database
from shared.runtime.records import Records

PAGE = 500


async def show(settings: RiskSettings) -> None:
    """Print a row per indicator, and the open alerts of each officer."""
    records, found = Records(open_database(settings.database_url)), list[Alert]()
    while True:
        async with records.work() as work:
            page = await work.find(Alert, after=found[-1].alert_id if found else "", limit=PAGE)
        found += page
        if len(page) < PAGE:
            break
    await records.engine.dispose()
    table = Table(
        "indicator", "raised", "taken over", "right", "false", "precision", "days to look"
    )
    for one in alert_quality(found):
        precision = "" if one.precision is None else f"{float(one.precision):.1%}"
        days = "" if one.days_to_look_median is None else f"{one.days_to_look_median:g}"
        counts = (one.raised, one.taken_over, one.confirmed, one.false_alarms)
        table.add_row(one.indicator, *map(str, counts), precision, days)
    console = Console(width=110)
    console.print(table)
    officers = ", ".join(f"{name} {count}" for name, count in by_officer(found).items())
    console.print(f"open alerts by officer: {officers or 'none'}")
