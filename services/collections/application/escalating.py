"""The legal ladder and its evidence: each step proposed, gated, and approved by another person."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
from google.protobuf.json_format import MessageToDict
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections import wire
from services.collections.application import trail
from services.collections.application.claiming import Claiming
from services.collections.application.desk import Desk, View, messages_of, was_sent
from services.collections.application.ports import Ledger
from services.collections.domain import legal as domain
from services.collections.domain.case import Case, require_open
from services.collections.domain.contact_rules import Outcome
from services.collections.domain.debtor import Debtor
from services.collections.domain.legal import Matter, Taken, Tried
from shared.runtime.records import Work


@dataclass(slots=True)
class Escalating:
    """Legal matters by loan."""

    desk: Desk
    claiming: Claiming
    ledger: Ledger

    async def matter(self, work: Work, case: Case) -> Matter:
        """Return the matter of a case, new where there is none."""
        found = await work.get(Matter, case.loan_id)
        due_on = case.episodes[-1].opened_on - timedelta(days=1)
        return found or Matter(loan_id=case.loan_id, due_on=due_on)

    async def check(
        self, work: Work, loan_id: str, on: date, by: str, note: str, *, may_go_on: bool
    ) -> Matter:
        """Record that somebody looked at hardship, vulnerability and disaster."""
        case = require_open(await work.get(Case, loan_id), loan_id)
        before = await self.matter(work, case)
        matter = msgspec.structs.replace(before, checked_on=on, may_go_on=may_go_on)
        said = f"{'may go on' if may_go_on else 'must wait'}: {note}"
        loan = (case.borrower_ref, loan_id)
        await trail.decided(work, loan, on, "PERSON_CHECKED", by, said)
        await work.put(matter, loan_id)
        return matter

    async def propose(self, work: Work, loan_id: str, taken: Taken) -> Matter:
        """Propose a step through every gate."""
        case, matter, debtor, tried = await self._before(work, loan_id, taken.on)
        policy = self.desk.contacting.policies.legal_on(taken.on)
        matter = domain.proposed(matter, taken, policy, case, debtor, tried)
        said = f"{taken.step} on {taken.on}"
        loan = (case.borrower_ref, loan_id)
        by = taken.proposed_by
        await trail.decided(work, loan, taken.on, "LEGAL_PROPOSED", by, said, policy.version)
        await work.put(matter, loan_id)
        return matter

    async def approve(self, work: Work, loan_id: str, by: str) -> Matter:
        """Approve the step that waits, through every gate again."""
        case = require_open(await work.get(Case, loan_id), loan_id)
        waiting = (await self.matter(work, case)).waiting
        on = waiting.on if waiting else case.last.effective_on
        case, matter, debtor, tried = await self._before(work, loan_id, on)
        policy = self.desk.contacting.policies.legal_on(on)
        matter = domain.approved(matter, by, policy, case, debtor, tried)
        step = matter.steps[-1].step
        loan = (case.borrower_ref, loan_id)
        await trail.decided(work, loan, on, "LEGAL_APPROVED", by, f"{step} on {on}", policy.version)
        await work.put(matter, loan_id)
        await self.desk.keep(work, case, ["legal_step_approved"], f"legal.{step}.{on}")
        return matter

    async def _before(
        self, work: Work, loan_id: str, on: date
    ) -> tuple[Case, Matter, Debtor, Tried]:
        case = require_open(await work.get(Case, loan_id), loan_id)
        view = await self.desk.view(work, case)
        assert view.debtor is not None
        tried = self._tried(view, on)
        return case, await self.matter(work, case), view.debtor, tried

    def _tried(self, view: View, on: date) -> Tried:
        made = [one for one in view.attempts if one.outcome is not Outcome.NOT_SENT]
        helps = self.desk.contacting.policies.legal_on(on).help_templates
        offered = any(was_sent(one) and one.template in helps for one in view.messages)
        return Tried(attempts=len(made), help_offered=offered or view.case.plan is not None)

    async def evidence(self, loan_id: str) -> tuple[str, str]:
        """Return everything about a loan as canonical JSON, and its SHA-256."""
        events = await self.ledger.ListLoanEvents(ledger_pb.ListLoanEventsRequest(loan_id=loan_id))
        async with self.desk.records.work() as work:
            case = await self.claiming.case(work, loan_id)
            view = await self.desk.view(work, case)
            matter = await self.matter(work, case)
            gathered = {
                "case": MessageToDict(wire.case_message(view)),
                "claims": msgspec.to_builtins(await self.claiming.of(work, loan_id)),
                "legal": msgspec.to_builtins(matter),
                "messages": msgspec.to_builtins(await messages_of(work, loan_id)),
                "trail": msgspec.to_builtins(await trail.read(work, case.borrower_ref, loan_id)),
                "ledger": [
                    {"version": one.version, "topic": one.topic, "sha256": one.sha256}
                    for one in events.events
                ],
            }
        text = json.dumps(gathered, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return text, hashlib.sha256(text.encode()).hexdigest()
