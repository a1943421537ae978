"""Which loans agencies have, and how one comes back, whoever finds the reason."""

from __future__ import annotations

from services.collections.application import trail
from services.collections.application.clock import Stamp
from services.collections.application.tasks import AGENCY_DELETION, open_task
from services.collections.domain import agency as domain
from services.collections.domain.agency import Placement
from services.collections.domain.case import Case
from shared.runtime.records import Work

OURS = "collections"
"""Who recalls what nobody recalled by hand."""


async def recall(work: Work, case: Case, when: Stamp, by: str, why: str) -> Placement:
    """
    Take a loan back within the caller's transaction; raise what stands in the way.

    By itself it comes back on the day it went out, if its reason is older.
    """
    known, on = await work.get(Placement, case.loan_id), when.on
    if known is not None and by == OURS:
        on = max(on, known.placed_on)
    placement = domain.recalled(known, on, by, why)
    await work.put(placement, case.loan_id, "RECALLED")
    loan = (case.borrower_ref, case.loan_id)
    said, when = f"{placement.agency_ref}: {why}", when._replace(on=on)
    await trail.decided(work, loan, when, "AGENCY_RECALLED", by, said)
    name = f"{case.loan_id}.agency_deletion.{placement.number}"
    note = f"{placement.agency_ref} deletes what it was given"
    await open_task(work, case, AGENCY_DELETION, on, domain.DELETION_DAYS, name, note)
    return placement


async def is_out(work: Work, loan_id: str) -> bool:
    """Say whether an agency has a loan."""
    found = await work.get(Placement, loan_id)
    return found is not None and found.is_out
