"""Placement with an agency and recall: approved before, minimal, over when the reason is over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import msgspec

from services.collections.application import trail
from services.collections.application.desk import Desk
from services.collections.application.escalating import Escalating
from services.collections.application.placements import recall
from services.collections.domain import agency as domain
from services.collections.domain.agency import Placement, PlacementNotFound
from services.collections.domain.case import require_open
from services.collections.domain.debtor import Debtor
from services.collections.domain.legal import require_free, require_no_settlement
from shared.runtime.records import Work


@dataclass(slots=True)
class Placing:
    """Placements by loan; the last one of each."""

    desk: Desk
    escalating: Escalating

    async def placement(self, work: Work, loan_id: str) -> Placement:
        """Return the last placement of a loan; raise PlacementNotFound."""
        found = await work.get(Placement, loan_id)
        if found is None:
            raise PlacementNotFound("the loan was never with an agency", field="loan_id")
        return found

    async def place(
        self, work: Work, loan_id: str, agency_ref: str, on: date, by: str
    ) -> tuple[Placement, str]:
        """Give a loan to an agency; return the placement and what the agency is given, as JSON."""
        self.desk.sending.clock.has_been(on, "on")
        case = require_open(await self.desk.case(work, loan_id), loan_id)
        debtor = await self.desk.contacting.debtor_of(work, case)
        await self._require_free(work, debtor, on)
        require_no_settlement(case, max(on, self.desk.sending.clock.today()))
        made = await trail.attempts(work, case.borrower_ref)
        given = domain.package(case, debtor, made, on)
        text = msgspec.json.encode(given, order="sorted")
        new = Placement(
            loan_id=loan_id,
            agency_ref=agency_ref,
            placed_on=on,
            placed_by=by,
            package_sha256=hashlib.sha256(text).hexdigest(),
        )
        matter = await self.escalating.matter(work, case)
        placement = domain.placed(await work.get(Placement, loan_id), matter, new)
        await work.put(placement, loan_id, "OUT")
        said = f"{agency_ref} was given {placement.package_sha256}"
        loan, when = (case.borrower_ref, loan_id), self.desk.stamp(on)
        await trail.decided(work, loan, when, "AGENCY_PLACED", by, said)
        await self.desk.keep(work, case, ["agency_placed"], f"agency.{placement.number}")
        return placement, text.decode()

    async def _require_free(self, work: Work, debtor: Debtor, on: date) -> None:
        """Raise LegalPersonProtected for who is shielded, whenever the step was approved."""
        policies = self.desk.contacting.policies
        day = max(on, self.desk.sending.clock.today())
        person = await self.desk.contacting.shielded(work, debtor)
        kinds = policies.legal_on(person, day).protections
        shields = policies.rules_for(person, day).every_shield
        require_free(person, kinds, day, shields)

    async def recall(self, work: Work, loan_id: str, on: date, by: str, why: str) -> Placement:
        """Take a loan back; somebody sees to it that the agency deletes what it was given."""
        self.desk.sending.clock.has_been(on, "on")
        case = await self.desk.case(work, loan_id)
        if case is None:
            raise PlacementNotFound("the loan was never with an agency", field="loan_id")
        placement = await recall(work, case, self.desk.stamp(on), by, why)
        await self.desk.keep(work, case, ["agency_recalled"], f"recall.{placement.number}")
        return placement
