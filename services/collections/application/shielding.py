"""What comes back from agencies: of who is shielded, was granted a plan, or is sued."""

from __future__ import annotations

from datetime import date

from services.collections.application.desk import Desk
from services.collections.application.placements import is_out, recall
from shared.runtime.records import Work


async def take_back(desk: Desk, work: Work, loan_id: str, on: date, why: str = "shielded") -> None:
    """Take a loan back from its agency, if one has it; the reason of a shield stays here."""
    if not await is_out(work, loan_id):
        return
    case = await desk.case(work, loan_id)
    assert case is not None
    back = await recall(work, case, desk.stamp(on), "collections", why)
    await desk.keep(work, case, ["agency_recalled"], f"recall.{back.number}")
