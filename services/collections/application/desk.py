"""The desk keeps the cases: it hears events, follows the business date, plans what is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time

import msgspec
from lending.collections.v1 import events_pb2

from services.collections import wire
from services.collections.application import trail
from services.collections.application.contacting import Contacting
from services.collections.application.sending import Sending
from services.collections.application.tasks import cancel_tasks, open_task
from services.collections.domain.case import Case, follow, require_open, see_date
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.hardship import probation
from services.collections.domain.message import Message, MessageState
from services.collections.domain.promises import PromiseStatus
from services.collections.domain.treatment import Doing, Due, arm_of, steps_due
from shared.runtime.records import Records, Work
from shared.subscriber.event import Event

PAGE = 1000
FAILED_PROMISES = ("promise_broken", "promise_part_kept")


@dataclass(slots=True)
class View:
    """A case with what belongs to it."""

    case: Case
    debtor: Debtor | None
    attempts: list[Attempt] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Desk:
    """Cases by loan; `known` are loans that have one, so that healthy loans cost nothing."""

    records: Records
    contacting: Contacting
    sending: Sending
    known: set[str] = field(default_factory=set)

    async def load(self) -> None:
        """Learn which loans have a case; once, before the first event."""
        after = ""
        while True:
            async with self.records.work() as work:
                page = await work.find(Case, after=after, limit=PAGE)
            self.known |= {case.loan_id for case in page}
            if len(page) < PAGE:
                return
            after = page[-1].loan_id

    async def hear(self, event: Event, work: Work) -> None:
        """Take one delinquency event in, within the transaction that remembers it."""
        heard = wire.heard(event.body)
        self.sending.clock.see(heard.effective_on)
        if heard.loan_id not in self.known and heard.days_past_due == 0:
            return
        before = await work.get(Case, heard.loan_id)
        case, happened = follow(before, heard)
        if case is None or case is before:
            return
        await self._after(work, case, happened, heard.effective_on, muted=event.replay)
        self.known.add(heard.loan_id)

    async def _after(
        self, work: Work, case: Case, happened: list[str], on: date, *, muted: bool = False
    ) -> None:
        """Do what follows from what happened to a case; muted, plan nothing and tell nobody."""
        case, more = watched(case, on)
        happened = [*happened, *more]
        debtor = await self.contacting.debtor_of(work, case)
        if not case.arm:
            arm = arm_of(self.contacting.policies.strategy(on), case.borrower_ref)
            case = msgspec.structs.replace(case, arm=arm)
        if muted:
            return await self.keep(work, case, [])
        for event in happened:
            if event in FAILED_PROMISES:
                await open_task(work, case, event.upper(), on, 2)
        if "case_closed" in happened:
            await cancel_tasks(work, case.loan_id)
        await self.keep(work, case, happened)
        await self.plan_steps(work, case, debtor, on)

    async def plan_steps(self, work: Work, case: Case, debtor: Debtor, on: date) -> None:
        """Plan the steps that are due for a case and were not planned before; ask the gate."""
        strategy = self.contacting.policies.strategy(on)
        vulnerable = debtor.protected_by(ProtectionKind.VULNERABLE, on)
        due_now = steps_due(strategy, case, on, vulnerable=vulnerable)
        before = await messages_of(work, case.loan_id) if due_now else []
        for due in due_now:
            if due.step.doing is not Doing.MESSAGE:
                kind = due.step.doing.value
                await open_task(work, case, kind, due.since_on, due.step.sla_days, due.name)
            elif not any(_is_same(message, due, case) for message in before):
                message = self._message(case, debtor, due)
                await work.put(message, message.name, message.state)
                await self.sending.decide(work, message)

    def _message(self, case: Case, debtor: Debtor, due: Due) -> Message:
        strategy = self.contacting.policies.strategy(due.since_on)
        rules = self.contacting.policies.rules_for(debtor, due.since_on)
        hour = time(strategy.reminder_hour, tzinfo=debtor.zones(rules)[0])
        return Message(
            name=due.name,
            borrower_ref=case.borrower_ref,
            loan_id=case.loan_id,
            stage=due.stage,
            step=due.step.id,
            template=due.step.template,
            channel=due.step.channel,
            planned_at=datetime.combine(due.since_on, hour),
            because_on=due.since_on,
            strategy=strategy.version,
            arm=case.arm,
        )

    async def keep(self, work: Work, case: Case, happened: list[str], about: str = "") -> None:
        """Store a case and owe a message for each thing that happened, once per `about`."""
        await work.put(case, case.loan_id, "OPEN" if case.open else "CLOSED")
        if not case.open and (case.promises or case.plan):
            watch = Watch(loan_id=case.loan_id)
            await work.put(watch, case.loan_id, "ON" if is_watched(case) else "OVER")
        if not happened:
            return
        shown = wire.case_message(await self.view(work, case))
        for number, name in enumerate(happened):
            body = events_pb2.CaseChanged(event=name, case=shown)
            subject = f"lending.v1.collections.{name}.{case.loan_id}"
            seen = case.seen_on or case.last.effective_on
            count = about or f"{case.last.sequence}.{len(case.facts)}.{seen}.{len(case.promises)}"
            message_id = f"collections/{case.loan_id}/{count}/{number}/{name}"
            headers = {"ce-type": f"lending.collections.v1.{name}", "ce-subject": case.loan_id}
            await work.owe(subject, message_id, body, headers)

    async def told_sent(self, work: Work, message: Message, case: Case) -> None:
        """Publish that a reminder was sent."""
        shown = wire.case_message(await self.view(work, case))
        subject = f"lending.v1.collections.reminder_sent.{case.loan_id}"
        headers = {"ce-type": "lending.collections.v1.reminder_sent", "ce-subject": case.loan_id}
        body = events_pb2.CaseChanged(event="reminder_sent", case=shown)
        await work.owe(subject, f"collections/sent/{message.name}", body, headers)

    async def view(self, work: Work, case: Case) -> View:
        """Return a case with its debtor, attempts and messages."""
        debtor = await work.get(Debtor, case.borrower_ref)
        made = await trail.attempts(work, case.borrower_ref)
        mine = [one for one in made if one.loan_id == case.loan_id]
        return View(case, debtor, mine, await messages_of(work, case.loan_id))

    async def change(self, work: Work, loan_id: str, step: Callable[[Case], Case]) -> Case:
        """Change an open case within the caller's transaction."""
        case = step(require_open(await work.get(Case, loan_id), loan_id))
        await self.keep(work, case, [])
        return case

    async def see(self, on: date) -> None:
        """Let every open case know the business date, and plan what has become due."""
        self.sending.clock.see(on)
        after = ""
        while True:
            async with self.records.work() as work:
                page = await work.find(Case, state="OPEN", after=after, limit=100)
                for case in page:
                    await self._see(work, case, on)
            if len(page) < 100:
                break
            after = page[-1].loan_id
        async with self.records.work() as work:
            for watch in await work.find(Watch, state="ON", limit=PAGE):
                closed = await work.get(Case, watch.loan_id)
                if closed is not None and not closed.open:
                    await self._see(work, closed, on)

    async def _see(self, work: Work, case: Case, on: date) -> None:
        after, happened = see_date(case, on) if case.promises or case.plan else (case, [])
        if happened or watched(after, on)[1]:
            await self._after(work, after, happened, on)
        else:
            debtor = await self.contacting.debtor_of(work, case)
            await self.plan_steps(work, case, debtor, on)


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A closed case with something that only time decides."""

    loan_id: str


def is_watched(case: Case) -> bool:
    """Say whether a promise is open or a plan in probation."""
    promised = any(one.status is PromiseStatus.OPEN for one in case.promise_standings())
    return promised or (case.plan is not None and case.plan.status == "APPROVED")


def watched(case: Case, on: date) -> tuple[Case, list[str]]:
    """Let a plan in probation be completed or fail."""
    plan = case.plan
    if plan is None or plan.status != "APPROVED":
        return case, []
    stages = [entry for episode in case.episodes for entry in episode.stages]
    status = probation(plan, stages, on)
    if status == plan.status:
        return case, []
    changed = msgspec.structs.replace(plan, status=status)
    return msgspec.structs.replace(case, plan=changed), [f"plan_{status.lower()}"]


def _is_same(message: Message, due: Due, case: Case) -> bool:
    """
    Say whether a message was planned for a step that is due, in the present episode.

    Not by its name alone: an older event heard later may move the day on which the episode began.
    """
    same = (message.step, message.stage) == (due.step.id, due.stage)
    return same and message.because_on >= case.episodes[-1].opened_on


async def messages_of(work: Work, loan_id: str) -> list[Message]:
    """Return the messages of a loan, by the time for which they were planned."""
    found = await work.find(Message, after=f"{loan_id}.", before=f"{loan_id}/", limit=PAGE)
    return sorted(found, key=lambda message: (message.because_on, message.name))


def was_sent(message: Message) -> bool:
    """Say whether a message left the house, as far as anybody knows."""
    return message.state in (MessageState.SENT, MessageState.DELIVERED, MessageState.BOUNCED)
