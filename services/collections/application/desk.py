"""The desk keeps the cases: it hears events, sends reminders, watches promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
import structlog
from lending.collections.v1 import events_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections import wire
from services.collections.domain.case import Case, Heard, Reminder, follow, require_open, see_date
from services.collections.domain.contact_gate import ContactCeased, Policy, check_contact
from shared.kernel.errors import LendingError
from shared.kernel.money import format_amount
from shared.runtime.records import Records, Work
from shared.subscriber.event import Event

WATCH_SECONDS = 2.0


class Channel(Protocol):
    """Sends a message to a borrower, once per name."""

    def send(self, name: str, template: str, language: str, words: dict[str, object]) -> Path:
        """Render and send."""


@dataclass(slots=True)
class Desk:
    """Cases by loan; `known` are loans that have one, so that healthy loans cost nothing."""

    records: Records
    ledger: Any
    channel: Channel
    policy: Policy
    known: set[str] = field(default_factory=set)
    seen_on: date | None = None

    async def load(self) -> None:
        """Learn which loans have a case; once, before the first event."""
        after = ""
        while True:
            async with self.records.work() as work:
                page = await work.find(Case, after=after, limit=1000)
            self.known |= {case.loan_id for case in page}
            if len(page) < 1000:
                return
            after = page[-1].loan_id

    async def hear(self, event: Event, work: Work) -> None:
        """Take one delinquency event in, within the transaction that remembers it."""
        heard = wire.heard(event.body)
        if heard.loan_id not in self.known and heard.days_past_due == 0:
            return
        before = await work.get(Case, heard.loan_id)
        case, happened = follow(before, heard)
        if case is None or case is before:
            return
        if "reminder_due" in happened:
            case = self._remind(case, heard, event.body.currency)
        await self.keep(work, case, happened)
        self.known.add(heard.loan_id)

    def _remind(self, case: Case, heard: Heard, currency: str) -> Case:
        """Send the reminder of a stage, at the policy's hour of the event's business date."""
        template = self.policy.templates.get(case.stage, self.policy.templates["M3"])
        zone = case.time_zone or self.policy.time_zone
        hour = time(self.policy.reminder_hour, tzinfo=ZoneInfo(zone))
        at = datetime.combine(heard.effective_on, hour)
        earlier = [contact.at for contact in case.contacts]
        try:
            check_contact(self.policy, at, earlier, zone, ceased=case.contact_ceased)
        except ContactCeased:
            return case
        words = {
            "loan_id": case.loan_id,
            "borrower_ref": case.borrower_ref,
            "days_past_due": case.days_past_due,
            "arrears": format_amount(case.arrears_minor, currency),
            "currency": currency,
            "sent_on": heard.effective_on.isoformat(),
        }
        name = f"{case.loan_id}.{case.opened_on}.{case.stage}"
        self.channel.send(name, template, case.language, words)
        sent = Reminder(stage=case.stage, sent_on=heard.effective_on, language=case.language)
        return msgspec.structs.replace(case, reminders=(*case.reminders, sent))

    async def keep(self, work: Work, case: Case, happened: list[str]) -> None:
        """Store a case and owe a message for each thing that happened."""
        await work.put(case, case.loan_id, "OPEN" if case.open else "CLOSED")
        for number, event in enumerate(happened):
            name = "reminder_sent" if event == "reminder_due" else event
            body = events_pb2.CaseChanged(event=name, case=wire.case_message(case))
            subject = f"lending.v1.collections.{name}.{case.loan_id}"
            message_id = f"collections/{case.loan_id}/{case.last_sequence}/{number}/{name}"
            headers = {"ce-type": f"lending.collections.v1.{name}", "ce-subject": case.loan_id}
            await work.owe(subject, message_id, body, headers)

    async def change(self, work: Work, loan_id: str, step: Callable[[Case], Case]) -> Case:
        """Change an open case within the caller's transaction."""
        case = step(require_open(await work.get(Case, loan_id), loan_id))
        await self.keep(work, case, [])
        return case

    async def watch(self, stop: asyncio.Event) -> None:
        """Follow the business date and finish approved plans, until told to stop."""
        while not stop.is_set():
            try:
                await self._see_business_date()
                await self._finish_plans()
            except LendingError as refusal:
                structlog.get_logger().warning("the ledger is away", why=refusal.reason)
            try:
                await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
            except TimeoutError:
                continue

    async def _see_business_date(self) -> None:
        answer = await self.ledger.GetBusinessDate(ledger_pb.GetBusinessDateRequest())
        on = date.fromisoformat(answer.on) if answer.on else None
        if on is None or on == self.seen_on:
            return
        for loan_id in sorted(self.known):
            async with self.records.work() as work:
                case = await work.get(Case, loan_id)
                if case is None or not case.promises:
                    continue
                after, happened = see_date(case, on)
                if happened:
                    await self.keep(work, after, happened)
        self.seen_on = on

    async def _finish_plans(self) -> None:
        for loan_id in sorted(self.known):
            async with self.records.work() as work:
                case = await work.get(Case, loan_id)
            if case is not None and case.plan is not None and case.plan.status == "APPROVING":
                await self.finish_plan(case)

    async def finish_plan(self, case: Case) -> Case:
        """Restructure the loan in the ledger; the request id makes it happen once."""
        plan = case.plan
        assert plan is not None and plan.effective_on is not None
        status = "APPROVED"
        try:
            await self.ledger.RestructureLoan(
                ledger_pb.RestructureLoanRequest(
                    request_id=f"plan-{case.loan_id}-{plan.number}",
                    loan_id=case.loan_id,
                    effective_on=plan.effective_on.isoformat(),
                    instalments=plan.instalments,
                    first_due_on=plan.first_due_on.isoformat(),
                    rate_annual=plan.rate_annual,
                    reason=plan.reason,
                    approved_by=plan.approved_by,
                )
            )
        except LendingError as refusal:
            if refusal.retry:
                raise
            status = "REFUSED"
        async with self.records.work() as work:
            now = await work.get(Case, case.loan_id)
            assert now is not None and now.plan is not None
            done = msgspec.structs.replace(
                now, plan=msgspec.structs.replace(now.plan, status=status)
            )
            await self.keep(work, done, [])
        return done
