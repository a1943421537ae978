"""What early warning concludes of a loan does not hang on when other loans were heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import permutations
from pathlib import Path

import msgspec

from services.risk import wire
from services.risk.adapters.artefacts import read_toml
from services.risk.application.exposures import Exposures
from services.risk.application.watch import Watch
from services.risk.compose import APPLICATION_ID
from services.risk.config import RiskSettings
from services.risk.domain.early_warning import Alert
from services.risk.domain.indicators import Heard, WarningRules
from shared.runtime.database import open_database
from shared.runtime.records import Records


def expired(loan_id: str, borrower_ref: str, on: date, sequence: int = 1) -> Heard:
    return Heard(
        loan_id=loan_id,
        borrower_ref=borrower_ref,
        sequence=sequence,
        type="GRACE_EXPIRED",
        effective_on=on,
    )


async def alerts_of(folder: Path, told: Sequence[Heard]) -> list[tuple[str, ...]]:
    """Let an early warning hear events; return its alerts: name, how they ended, when known."""
    folder.mkdir()
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/risk.db"))
    await records.create(APPLICATION_ID)
    book = Exposures(records)
    await book.create(APPLICATION_ID)
    rules = msgspec.convert(read_toml(RiskSettings().warning_file), WarningRules)
    watch = Watch(records, rules, book, wire.alert_raised)
    for one in told:
        async with book.work() as work:
            await watch.hear(one, work)
    async with records.work() as work:
        found = [alert async for alert in work.every(Alert)]
    await records.engine.dispose()
    return [(one.alert_id, str(one.outcome), str(one.learned_on)) for one in found]


async def test_loans_in_any_order(tmp_path: Path) -> None:
    """Months between the loans of two borrowers: each warns on its day, in every order."""
    told = [
        expired("L-1", "B-1", date(2026, 1, 9)),
        expired("L-2", "B-1", date(2026, 4, 9)),
        expired("L-3", "B-2", date(2026, 7, 9)),
    ]
    wanted = [
        (f"{one.effective_on}.{one.loan_id}.GRACE_EXPIRED", "UNSPECIFIED", f"{one.effective_on}")
        for one in told
    ]
    for number, order in enumerate(permutations(told)):
        assert await alerts_of(tmp_path / str(number), order) == wanted, order


async def test_the_past_of_a_loan_is_known_late(tmp_path: Path) -> None:
    """What a loan's own stream tells behind its later events was known no earlier than they."""
    told = [
        expired("L-1", "B-1", date(2026, 4, 9)),
        expired("L-1", "B-1", date(2026, 1, 9), sequence=2),
    ]
    assert await alerts_of(tmp_path / "risk", told) == [
        ("2026-01-09.L-1.GRACE_EXPIRED", "STALE", "2026-04-09"),
        ("2026-04-09.L-1.GRACE_EXPIRED", "UNSPECIFIED", "2026-04-09"),
    ]
