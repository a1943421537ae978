"""The legal ladder and its evidence: each step proposed, gated, and approved by another person."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application import trail
from services.collections.application.accelerating import Accelerating
from services.collections.application.claiming import Claiming
from services.collections.application.desk import Desk, View, messages_of
from services.collections.application.ports import Ledger
from services.collections.application.shielding import take_back
from services.collections.domain import legal as domain
from services.collections.domain.acceleration import Owing
from services.collections.domain.case import Case, require_open
from services.collections.domain.contact_rules import Outcome, Purpose
from services.collections.domain.debtor import Debtor
from services.collections.domain.legal import Grounds, Tried
from services.collections.domain.matter import (
    LegalPolicy,
    LegalPolicyNotFound,
    Matter,
    Step,
    Taken,
    acknowledged,
    matter_of,
)
from services.collections.domain.message import MessageState
from shared.runtime.records import Work

ARRIVED = (Outcome.SENT, Outcome.REACHED)
ARRIVES = (MessageState.SENT, MessageState.DELIVERED)
"""What came back unread is neither a demand nor an offer."""
NUMBERED_MOST = 33
COURT = (Step.FILING, Step.JUDGMENT, Step.ENFORCEMENT)
"""From here on the court has it, and no agency."""


@dataclass(slots=True)
class Escalating:
    """Legal matters by loan and episode; `shown` renders a case for the evidence."""

    desk: Desk
    claiming: Claiming
    ledger: Ledger
    accelerating: Accelerating
    shown: Callable[[View], dict[str, Any]]

    async def owing(self, loan_id: str) -> Owing:
        """Return what the ledger says of a loan; no last due date without a plan."""
        loan = await self.ledger.GetLoan(ledger_pb.GetLoanRequest(loan_id=loan_id))
        days = [date.fromisoformat(one.due_on) for one in loan.instalments]
        late = loan.delinquency
        return Owing(
            max(days, default=None),
            lent_minor=loan.terms.principal_minor,
            days_past_due=late.days_past_due,
            overdue_minor=late.principal_overdue_minor + late.interest_overdue_minor,
        )

    async def matter(self, work: Work, case: Case, owing: Owing | None = None) -> Matter:
        """Return the matter of a case's last time of being late, new where there is none."""
        return await self._matter(work, await self.desk.view(work, case), owing)

    async def _matter(self, work: Work, view: View, owing: Owing | None = None) -> Matter:
        case = view.case
        opened_on = case.episodes[-1].opened_on
        known = matter_of(case, await _matters(work, case.loan_id))
        known = known or Matter(
            loan_id=case.loan_id,
            due_on=opened_on - timedelta(days=1),
            matter_id=f"{case.loan_id}/{opened_on}",
        )
        demands = self._demands(view)
        return msgspec.structs.replace(
            known,
            due_on=opened_on - timedelta(days=1),
            notices=tuple(sorted({day for day, _ in demands})),
            report_notices=tuple(sorted({day for day, told in demands if told})),
            final_due_on=(owing and owing.final_due_on) or known.final_due_on,
            acknowledged=acknowledged(case),
            acceleration_notices=self._acceleration_notices(view),
        )

    async def check(
        self,
        work: Work,
        loan_id: str,
        on: date,
        by: str,
        note: str,
        *,
        may_go_on: bool,
        owing: Owing | None = None,
    ) -> Matter:
        """Record that somebody looked at hardship, vulnerability and disaster; not in advance."""
        self.desk.sending.clock.has_been(on, "on")
        case = require_open(await self.desk.case(work, loan_id), loan_id)
        before = await self.matter(work, case, owing)
        matter = msgspec.structs.replace(before, checked_on=on, may_go_on=may_go_on)
        said = f"{'may go on' if may_go_on else 'must wait'}: {note}"
        loan, when = (case.borrower_ref, loan_id), self.desk.stamp(on)
        await trail.decided(work, loan, when, "PERSON_CHECKED", by, said)
        await work.put(matter, matter.matter_id)
        return matter

    async def propose(
        self, work: Work, loan_id: str, taken: Taken, owing: Owing | None = None
    ) -> Matter:
        """Propose a step through every gate."""
        matter, grounds = await self._before(work, loan_id, owing)
        matter = domain.proposed(matter, taken, grounds)
        await self._write(work, matter, taken, ("LEGAL_PROPOSED", taken.proposed_by), grounds)
        return matter

    async def approve(
        self, work: Work, loan_id: str, by: str, owing: Owing | None = None
    ) -> Matter:
        """Approve the step that waits, through every gate as they are today."""
        matter, grounds = await self._before(work, loan_id, owing)
        matter = domain.approved(matter, by, grounds)
        matter = await self.accelerating.follow(work, matter, grounds)
        taken = matter.steps[-1]
        await self._write(work, matter, taken, ("LEGAL_APPROVED", by), grounds)
        if taken.step in COURT:
            await take_back(self.desk, work, loan_id, taken.on, "it goes to court")
        about = f"legal.{len(matter.steps)}.{taken.step}.{taken.on}"
        await self.desk.keep(work, grounds.case, ["legal_step_approved"], about)
        return matter

    async def withdraw(self, work: Work, loan_id: str, by: str) -> Matter:
        """Take back the step that waits; another may be proposed."""
        matter, grounds = await self._before(work, loan_id)
        taken, matter = matter.waiting, domain.withdrawn(matter)
        assert taken is not None
        await self._write(work, matter, taken, ("LEGAL_WITHDRAWN", by), grounds)
        return matter

    async def carry_out(self, loan_id: str) -> None:
        """Carry out what the ledger is to be told of a loan's matter, if something waits."""
        async with self.desk.records.work() as work:
            matter = await self.matter(work, await self.claiming.case(work, loan_id))
        await self.accelerating.carry_out(matter)

    async def _write(
        self, work: Work, matter: Matter, taken: Taken, what: tuple[str, str], grounds: Grounds
    ) -> None:
        loan, said = (grounds.case.borrower_ref, matter.loan_id), f"{taken.step} on {taken.on}"
        version, when = grounds.policy.version, self.desk.stamp(taken.on)
        await trail.decided(work, loan, when, what[0], what[1], said, version)
        await work.put(matter, matter.matter_id)

    async def _before(
        self, work: Work, loan_id: str, owing: Owing | None = None
    ) -> tuple[Matter, Grounds]:
        case = require_open(await self.desk.case(work, loan_id), loan_id)
        view = await self.desk.view(work, case)
        assert view.debtor is not None
        policies, today = self.desk.contacting.policies, self.desk.sending.clock.today()
        policy = policies.legal_on(view.debtor, today)
        shields = policies.rules_for(view.debtor, today).every_shield
        debtor = await self.desk.contacting.shielded(work, view.debtor)
        tried, said = _tried(view, policy), owing or Owing(None)
        grounds = Grounds(policy, case, debtor, tried, today, shields, said)
        return await self._matter(work, view, owing), grounds

    def _demands(self, view: View) -> list[tuple[date, bool]]:
        """
        Return the days on which a demand left the house in this time of being late.

        Each with whether it told of the credit registry: only letters whose words are known can.
        """
        if view.debtor is None:
            return []
        opened_on, policy = view.case.episodes[-1].opened_on, None
        with suppress(LegalPolicyNotFound):
            policy = self.policy(view.debtor, opened_on)
        words, templates = (policy.report_words, policy.notice_templates) if policy else ({}, ())
        sent = [
            (one.sent_at.date(), one.says(words.get(one.language, "")))
            for one in view.messages
            if one.state in ARRIVES and one.sent_at and one.template in templates
        ]
        given = [
            (one.at.date(), False)
            for one in view.attempts
            if one.purpose is Purpose.LEGAL_NOTICE and one.outcome in ARRIVED
        ]
        return [row for row in (*sent, *given) if row[0] >= opened_on]

    def _acceleration_notices(self, view: View) -> tuple[date, ...]:
        """Return the days on which a letter left that said that everything would be due."""
        rules, opened_on = None, view.case.episodes[-1].opened_on
        if view.debtor is not None:
            with suppress(LegalPolicyNotFound):
                rules = self.policy(view.debtor, opened_on).acceleration
        if rules is None:
            return ()
        sent = [
            one.sent_at.date()
            for one in view.messages
            if one.state in ARRIVES
            and one.sent_at
            and one.template == rules.template
            and one.says(rules.words.get(one.language, ""))
        ]
        return tuple(sorted({day for day in sent if day >= opened_on}))

    def policy(self, debtor: Debtor, on: date) -> LegalPolicy:
        """Return the legal policy of a debtor; raise LegalPolicyNotFound."""
        return self.desk.contacting.policies.legal_on(debtor, on)

    async def evidence(self, loan_id: str) -> tuple[str, str]:
        """Return everything about a loan as canonical JSON, and its SHA-256."""
        events = await self.ledger.ListLoanEvents(ledger_pb.ListLoanEventsRequest(loan_id=loan_id))
        async with self.desk.records.work() as work:
            case = await self.claiming.case(work, loan_id)
            view = await self.desk.view(work, case)
            matter = await self._matter(work, view)
            gathered = {
                "case": self.shown(view),
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


async def _matters(work: Work, loan_id: str) -> list[Matter]:
    """Return the matters of a loan; before they had ids they were kept by number of episode."""
    numbered = [loan_id, *(f"{loan_id}/{number}" for number in range(1, NUMBERED_MOST))]
    older = await work.get_all(Matter, numbered)
    found = work.every(Matter, after=f"{loan_id}/", before=f"{loan_id}0")
    return [
        *(msgspec.structs.replace(one, matter_id=key) for key, one in older.items()),
        *[one async for one in found if one.matter_id and one.matter_id not in older],
    ]


def _tried(view: View, policy: LegalPolicy) -> Tried:
    """Say what was tried in this episode; what was tried in an earlier one does not count."""
    opened_on, plan = view.case.episodes[-1].opened_on, view.case.plan
    made = [
        one
        for one in view.attempts
        if one.outcome is not Outcome.NOT_SENT and one.at.date() >= opened_on
    ]
    offered = any(
        one.state in ARRIVES
        and one.template in policy.help_templates
        and one.because_on >= opened_on
        for one in view.messages
    )
    planned_on = (plan.effective_on or plan.proposed_on) if plan is not None else None
    planned = planned_on is not None and planned_on >= opened_on
    return Tried(attempts=len(made), help_offered=offered or planned)
