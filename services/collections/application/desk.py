"""The desk keeps the cases: it hears events, follows the business date, plans what is due."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, tzinfo
from typing import cast

import msgspec
from google.protobuf.message import Message as Proto

from services.collections.application import trail
from services.collections.application.clock import Stamp
from services.collections.application.contacting import Contacting
from services.collections.application.deciding import MessageOvertaken, moved, plan
from services.collections.application.pausing import let_follow
from services.collections.application.placements import is_out, recall
from services.collections.application.sending import Sending
from services.collections.application.tasks import cancel_tasks, open_task
from services.collections.domain.case import Case, follow, require_open, see_date
from services.collections.domain.contact_rules import ProtectionKind, RulesNotFound
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.heard import Heard
from services.collections.domain.message import Message, MessageState
from services.collections.domain.outcome import Watch, is_watched, watched, without_word
from services.collections.domain.treatment import Doing, Due, arm_of, steps_due
from shared.runtime.records import Records, Work

PAGE = 100
HISTORY = "heard as history"
COMES_BACK = {
    "case_closed": "the case closed",
    "loan_accelerated": "everything was declared due",
}
"""Upon which events, and why, an agency has a loan no longer."""
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
    """Cases by loan; `told` renders what is published of one: the case and what happened."""

    records: Records
    contacting: Contacting
    sending: Sending
    told: Callable[[View, str], Proto]

    async def hear(self, heard: Heard, work: Work, *, muted: bool = False) -> None:
        """Take one delinquency event in, within the transaction that remembers it."""
        self.sending.clock.see(heard.effective_on)
        before = await self.case(work, heard.loan_id)
        if before is None and heard.days_past_due == 0:
            return
        if before is None:
            await work.hold(heard.borrower_ref)
            before = await self.case(work, heard.loan_id)
        case, happened = follow(before, heard)
        if case is None or case is before:
            return
        await self._after(work, case, happened, heard.effective_on, muted=muted)

    async def _after(
        self, work: Work, case: Case, happened: list[str], on: date, *, muted: bool = False
    ) -> None:
        """Do what follows from what happened to a case; muted, tell nobody and send nothing."""
        case, more = watched(case, on)
        happened = [*happened, *more]
        debtor = await self.contacting.debtor_of(work, case)
        if not case.arm:
            arm = arm_of(self.contacting.policies.strategy(on), case.borrower_ref)
            case = msgspec.structs.replace(case, arm=arm)
        if muted:
            await self.keep(work, case, [])
            return await self.plan_steps(work, case, debtor, on, muted=True)
        for event in happened:
            if event in FAILED_PROMISES and case.open:
                await open_task(work, case, event.upper(), on, 2)
        if "case_opened" in happened or "history_restated" in happened:
            await let_follow(work, case, debtor)
        if "case_closed" in happened:
            lapsed = without_word(case)
            if lapsed is not case:
                loan, when = (case.borrower_ref, case.loan_id), self.stamp(on)
                said = ("PLAN_WITHDRAWN", "collections", "the case closed")
                await trail.decided(work, loan, when, *said)
            case = lapsed
            await cancel_tasks(work, case.loan_id)
        why = next((why for event, why in COMES_BACK.items() if event in happened), "")
        if why and await is_out(work, case.loan_id):
            await recall(work, case, self.stamp(on), "collections", why)
            happened.append("agency_recalled")
        await self.keep(work, case, happened)
        await self.plan_steps(work, case, debtor, on)

    async def plan_steps(
        self, work: Work, case: Case, debtor: Debtor, on: date, *, muted: bool = False
    ) -> None:
        """Plan the steps that are due for a case and were not planned before; ask the gate."""
        strategy = self.contacting.policies.strategy(on)
        vulnerable = debtor.protected_by(ProtectionKind.VULNERABLE, on)
        due_now = steps_due(strategy, case, on, vulnerable=vulnerable)
        if due_now:
            await work.hold(case.borrower_ref)
        before = await messages_of(work, case.loan_id) if due_now else []
        for due in due_now:
            same = next((one for one in before if _is_same(one, due, case)), None)
            if due.step.doing is not Doing.MESSAGE:
                kind = due.step.doing.value
                await open_task(work, case, kind, due.since_on, due.step.sla_days, due.name)
            elif same is None:
                await self._plan(work, self._message(case, debtor, due, on), muted=muted)
            elif same.state is MessageState.CANCELLED and same.repairable and not muted:
                await self._plan_again(work, same, debtor, on)

    async def announce(
        self, work: Work, case: Case, due: Due, by: str, pay_within_days: int
    ) -> None:
        """Plan a letter that people decided on; it asks the gate like any other."""
        debtor = await self.contacting.debtor_of(work, case)
        message = self._message(case, debtor, due, due.since_on)
        decided = {"approved_by": by, "pay_within_days": pay_within_days}
        await self._plan(work, msgspec.structs.replace(message, **decided), muted=False)

    async def _plan(self, work: Work, message: Message, *, muted: bool) -> None:
        """Plan a message; of history it is only remembered, since it may have been sent then."""
        if muted:
            gone = MessageState.CANCELLED
            return await plan(work, msgspec.structs.replace(message, state=gone, why=HISTORY))
        await plan(work, message)
        await self._decide(work, message)

    async def _plan_again(self, work: Work, message: Message, debtor: Debtor, on: date) -> None:
        """
        Ask again about a message that had no address, or no way through the gate.

        One that waited longer than a reason holds is due for the day: nothing is lost by waiting.
        """
        planned_at = self._planned_at(debtor, on)
        if planned_at.date() > message.planned_at.date():
            again: dict[str, object] = {"state": MessageState.PLANNED, "planned_at": planned_at}
            if self._is_stale(message.because_on, on):
                again["because_on"] = on
            with suppress(MessageOvertaken):
                await self._decide(work, await moved(work, message, **again))

    def _is_stale(self, because_on: date, on: date) -> bool:
        stale_days = self.contacting.policies.strategy(because_on).stale_days
        return (on - because_on).days > stale_days

    async def _decide(self, work: Work, message: Message) -> None:
        with suppress(MessageOvertaken):
            if await self.sending.deciding.decide(work, message):
                self.sending.wanted.set()

    def _message(self, case: Case, debtor: Debtor, due: Due, on: date) -> Message:
        """Return a message for a step; where a promise held it back, it is of the day it is due."""
        because_on = on if self._is_stale(due.since_on, on) else due.since_on
        strategy = self.contacting.policies.strategy(because_on)
        return Message(
            name=due.name,
            borrower_ref=case.borrower_ref,
            loan_id=case.loan_id,
            stage=due.stage,
            step=due.step.id,
            template=due.step.template,
            channel=due.step.channel,
            planned_at=self._planned_at(debtor, because_on),
            because_on=because_on,
            strategy=strategy.version,
            arm=case.arm,
        )

    def _planned_at(self, debtor: Debtor, on: date) -> datetime:
        policies, zone = self.contacting.policies, cast("tzinfo", UTC)
        # Whose law counts may not be known yet: the gate says so when it is asked.
        with suppress(RulesNotFound):
            zone = debtor.zones(policies.rules_for(debtor, on))[0]
        return datetime.combine(on, time(policies.strategy(on).reminder_hour, tzinfo=zone))

    async def keep(self, work: Work, case: Case, happened: list[str], about: str = "") -> None:
        """Store a case that is held; owe a message for each thing that happened, per `about`."""
        assert case.borrower_ref in work.held, "a case is changed by who holds its borrower"
        await work.put(case, case.loan_id, "OPEN" if case.open else "CLOSED")
        if not case.open and (case.promises or case.plan):
            watch = Watch(loan_id=case.loan_id)
            await work.put(watch, case.loan_id, "ON" if is_watched(case) else "OVER")
        if not happened:
            return
        view = View(case, await work.get(Debtor, case.borrower_ref))
        for number, name in enumerate(happened):
            body = self.told(view, name)
            subject = f"lending.v1.collections.{name}.{case.loan_id}"
            seen = case.seen_on or case.last.effective_on
            count = about or f"{case.last.sequence}.{len(case.facts)}.{seen}.{len(case.promises)}"
            message_id = f"collections/{case.loan_id}/{count}/{number}/{name}"
            headers = {"ce-type": f"lending.collections.v1.{name}", "ce-subject": case.loan_id}
            await work.owe(subject, message_id, body, headers)

    async def told_sent(self, work: Work, message: Message, case: Case) -> None:
        """Publish that a reminder was sent."""
        view = View(case, await work.get(Debtor, case.borrower_ref), messages=[message])
        subject = f"lending.v1.collections.reminder_sent.{case.loan_id}"
        headers = {"ce-type": "lending.collections.v1.reminder_sent", "ce-subject": case.loan_id}
        body = self.told(view, "reminder_sent")
        await work.owe(subject, f"collections/sent/{message.name}", body, headers)

    async def view(self, work: Work, case: Case, *, attempts: bool = True) -> View:
        """Return a case with its debtor, messages, and attempts if asked."""
        debtor = await work.get(Debtor, case.borrower_ref)
        made = await trail.attempts(work, case.borrower_ref) if attempts else []
        mine = [one for one in made if one.loan_id == case.loan_id]
        return View(case, debtor, mine, await messages_of(work, case.loan_id))

    async def case(self, work: Work, loan_id: str) -> Case | None:
        """Return a case to be changed: nobody else changes its borrower's until the end."""
        found = await work.get(Case, loan_id)
        if found is None:
            return None
        await work.hold(found.borrower_ref)
        return await work.get(Case, loan_id)

    def stamp(self, on: date) -> Stamp:
        """Return when what is decided now for a date is."""
        return self.sending.clock.stamp(on)

    async def change(self, work: Work, loan_id: str, step: Callable[[Case], Case]) -> Case:
        """Change an open case within the caller's transaction."""
        case = step(require_open(await self.case(work, loan_id), loan_id))
        await self.keep(work, case, [])
        return case

    async def see(self, on: date) -> None:
        """Let every open case know the business date, and plan what has become due."""
        self.sending.clock.see(on)
        for kind, state in ((Case, "OPEN"), (Watch, "ON")):
            after, more = "", True
            while more:
                async with self.records.work() as work:
                    page = await work.find(kind, state=state, after=after, limit=PAGE)
                for one in page:
                    # One transaction each: who holds many borrowers in the order of loans waits
                    # for ever for who hears of them in another.
                    async with self.records.work() as work:
                        await self._see(work, one.loan_id, on, is_open=kind is Case)
                after, more = (page[-1].loan_id, True) if len(page) == PAGE else ("", False)

    async def _see(self, work: Work, loan_id: str, on: date, *, is_open: bool) -> None:
        case = await self.case(work, loan_id)
        if case is None or case.open is not is_open:
            return
        after, happened = see_date(case, on) if case.promises or case.plan else (case, [])
        if happened or watched(after, on)[1]:
            await self._after(work, after, happened, on)
        else:
            debtor = await self.contacting.debtor_of(work, case)
            await self.plan_steps(work, case, debtor, on)


def _is_same(message: Message, due: Due, case: Case) -> bool:
    """
    Say whether a message was planned for a step that is due, in the present episode.

    Not by its name alone: an older event heard later may move the day on which the episode began.
    """
    same = (message.step, message.stage) == (due.step.id, due.stage)
    return same and message.because_on >= case.episodes[-1].opened_on


async def messages_of(work: Work, loan_id: str) -> list[Message]:
    """Return the messages of a loan, by the time for which they were planned."""
    found = work.every(Message, after=f"{loan_id}.", before=f"{loan_id}/")
    # An id may contain dots: L-1.2 begins like the messages of L-1.
    ours = [message async for message in found if message.loan_id == loan_id]
    return sorted(ours, key=lambda message: (message.because_on, message.name))
