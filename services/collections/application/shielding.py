"""What comes back from agencies when a debtor is shielded, by whatever it is."""

from __future__ import annotations

from datetime import date

from services.collections.application.desk import Desk
from services.collections.application.placements import is_out, recall
from shared.runtime.records import Work


async def take_back(desk: Desk, work: Work, loan_id: str, on: date) -> None:
    """Take a loan back from its agency, if one has it; the reason of the shield stays here."""
    if not await is_out(work, loan_id):
        return
    case = await desk.case(work, loan_id)
    assert case is not None
    back = await recall(work, case, on, "collections", "shielded")
    await desk.keep(work, case, ["agency_recalled"], f"recall.{back.number}")
