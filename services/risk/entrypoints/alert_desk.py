"""What early warnings were worth, from the command line."""

from __future__ import annotations

from datetime import date

from rich.console import Console
from rich.table import Table

from services.risk.application.watch import OverThirty
from services.risk.config import RiskSettings
from services.risk.domain.alert_quality import alert_quality, alert_truth, by_officer, per_officer
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
    async with records.work() as work:
        late = [one async for one in work.every(OverThirty) if one.stands]
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
    taken = ", ".join(f"{name} {count}" for name, count in per_officer(found).items())
    console.print(f"taken over by officer: {taken or 'none'}")
    dates = [*(one.on for one in late), *(alert.learned_on for alert in found)]
    if dates:
        console.print(truth(found, late, max(dates)))


def truth(alerts: list[Alert], late: list[OverThirty], as_of: date) -> Table:
    """Return what became of the borrowers whom alerts warned of, as known on a date."""
    first: dict[str, date] = {}
    for one in late:
        first[one.borrower_ref] = min(one.on, first.get(one.borrower_ref, one.on))
    head = ("judged", "too late", "right", "precision", "recall", "median lead, days")
    table = Table(f"over 30 days late in 90, {as_of}", *head)
    for row in alert_truth(alerts, first, as_of):
        shares = ["" if s is None else f"{float(s):.1%}" for s in (row.precision, row.recall)]
        lead = "" if row.lead_days_median is None else f"{row.lead_days_median:g}"
        counts = map(str, (row.judged, row.too_late, row.right))
        table.add_row(row.indicator, *counts, *shares, lead)
    return table
