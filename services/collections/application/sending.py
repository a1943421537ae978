"""The one place that sends: planned once by name, asked at the gate, sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import structlog

from services.collections.application import trail
from services.collections.application.contacting import Contacting
from services.collections.application.ports import (
    ChannelAway,
    ChannelRefused,
    ChannelUncertain,
    Clock,
    SendingChannel,
    Wording,
)
from services.collections.domain.case import Case
from services.collections.domain.contact_gate import ContactOptedOut, ContactRefused, next_allowed
from services.collections.domain.contact_rules import Channel, Outcome
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.message import Letter, Message, MessageState
from services.collections.domain.permit import Permit
from services.collections.domain.task import Task
from shared.kernel.money import format_amount
from shared.runtime.records import Records, Work

FALLBACKS = (Channel.EMAIL, Channel.SMS, Channel.LETTER)
RETRY = timedelta(minutes=5)
PAGE = 500
LOOK_SECONDS = 1.0
Told = Callable[[Work, Message, Case], Awaitable[None]]


@dataclass(slots=True)
class Sending:
    """Sends planned messages; `told` is what is published of one that was sent."""

    records: Records
    contacting: Contacting
    channels: Mapping[Channel, SendingChannel]
    wording: Wording
    clock: Clock
    told: Told | None = None
    wanted: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is ready, and ask again about what waits, until told to stop."""
        while not stop.is_set():
            self.wanted.clear()
            await self.send_due()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wanted.wait(), LOOK_SECONDS)

    async def resume(self) -> None:
        """What was begun and whose end was not seen: repeat it, or hand it to a person."""
        async with self.records.work() as work:
            begun = await work.find(Message, state=MessageState.SENDING, limit=PAGE)
        for message in begun:
            if self.channels[message.channel].repeatable:
                await self._deliver(message)
            else:
                await self._ended(message, MessageState.UNCERTAIN, "stopped while sending")

    async def send_due(self) -> None:
        """Ask the gate about what is planned and has come; send what is ready."""
        await self.resume()
        async with self.records.work() as work:
            for message in await work.find(Message, state=MessageState.PLANNED, limit=PAGE):
                await self.decide(work, message)
            ready = await work.find(Message, state=MessageState.READY, limit=PAGE)
        for message in ready:
            await self._send(message)

    async def _send(self, message: Message) -> None:
        """Write down that sending begins, then send; what was permitted long ago is asked again."""
        assert message.sent_at is not None
        fresh = self.clock.is_fresh(message.sent_at)
        async with self.records.work() as work:
            state = MessageState.SENDING if fresh else MessageState.PLANNED
            begun = await _store(work, message, state=state)
            if not fresh:
                await self.contacting.finish(work, message.attempt_id, Outcome.NOT_SENT)
        if fresh:
            await self._deliver(begun)

    async def decide(self, work: Work, message: Message) -> None:
        """Ask the gate about a planned message whose time has come, and write the answer down."""
        if not self.clock.has_come(message.planned_at):
            return
        case = await work.get(Case, message.loan_id)
        assert case is not None
        debtor = await self.contacting.debtor_of(work, case)
        why_not = self._outdated(message, case)
        if why_not:
            await _store(work, message, state=MessageState.CANCELLED, why=why_not)
            return
        refusal: ContactRefused | None = None
        for channel in self._reachable(message, debtor):
            attempt = self._attempt(message, channel, debtor)
            try:
                permit = await self.contacting.permit(work, attempt)
            except ContactOptedOut as refused:
                refusal = refused
                continue
            except ContactRefused as refused:
                refusal = refused
                break
            await self._written(work, message, permit, case, debtor)
            self.wanted.set()
            return
        await self._put_off(work, message, debtor, refusal)

    def _outdated(self, message: Message, case: Case) -> str:
        strategy = self.contacting.policies.strategy(message.because_on)
        age = self.clock.moment(message.planned_at).date() - message.because_on
        if not case.open:
            return "the case is closed"
        if case.episodes[-1].stage != message.stage:
            return f"the case is in {case.episodes[-1].stage}"
        return f"{age.days} days late" if age.days > strategy.stale_days else ""

    def _reachable(self, message: Message, debtor: Debtor) -> list[Channel]:
        """Return the message's channel and those that may stand in for it."""
        wanted = [message.channel, *(c for c in FALLBACKS if c is not message.channel)]
        return [
            channel
            for channel in wanted
            if not self.channels[channel].needs_address or debtor.address(channel)
        ]

    def _attempt(self, message: Message, channel: Channel, debtor: Debtor) -> Attempt:
        return Attempt(
            attempt_id=f"m.{trail.key_of(message.name)}.{message.tries}",
            borrower_ref=message.borrower_ref,
            loan_id=message.loan_id,
            at=self.clock.moment(message.planned_at),
            channel=channel,
            address=debtor.address(channel),
            by="collections",
        )

    async def _written(
        self, work: Work, message: Message, permit: Permit, case: Case, debtor: Debtor
    ) -> None:
        letter = self._letter(message, permit.attempt.channel, case, debtor)
        await _store(
            work,
            message,
            state=MessageState.READY,
            channel=permit.attempt.channel,
            attempt_id=permit.attempt.attempt_id,
            rules=permit.rules_version,
            language=debtor.language,
            sent_at=permit.attempt.at,
            tries=message.tries + 1,
            wording=letter.wording,
            subject=letter.subject,
            text=letter.text,
        )

    def _letter(self, message: Message, channel: Channel, case: Case, debtor: Debtor) -> Letter:
        words = {
            "loan_id": case.loan_id,
            "borrower_ref": case.borrower_ref,
            "days_past_due": case.last.days_past_due,
            "arrears": format_amount(case.last.arrears_minor, case.currency),
            "currency": case.currency,
            "sent_on": message.because_on.isoformat(),
        }
        to = debtor.address(channel)
        return self.wording.letter(message.name, message.template, debtor.language, to, words)

    async def _put_off(
        self, work: Work, message: Message, debtor: Debtor, refusal: ContactRefused | None
    ) -> None:
        """Plan a refused message for when the gate opens; give it up when that has no end."""
        if refusal is None:
            await _store(work, message, state=MessageState.CANCELLED, why="no address is known")
            return
        attempt = self._attempt(message, message.channel, debtor)
        rules = self.contacting.policies.rules_for(debtor, attempt.at.date())
        past = await trail.attempts(work, message.borrower_ref, attempt.at)
        opens = next_allowed(rules, attempt, debtor, past)
        if opens is None or opens <= attempt.at:
            await _store(work, message, state=MessageState.CANCELLED, why=refusal.rule)
        else:
            await _store(work, message, planned_at=opens, why=refusal.rule)

    async def _deliver(self, message: Message) -> None:
        """Hand a begun message to its channel and write down how that ended."""
        async with self.records.work() as work:
            attempt = await trail.attempt(work, message.attempt_id)
        letter = Letter(
            message.name,
            attempt.address,
            message.language,
            message.wording,
            message.subject,
            message.text,
        )
        try:
            channel = self.channels[message.channel]
            reference = await channel.send(Permit(attempt, message.rules), letter)
        except ChannelAway as away:
            structlog.get_logger().warning("channel away", channel=message.channel, why=str(away))
            await self._ended(message, MessageState.PLANNED, str(away))
        except ChannelRefused as refused:
            await self._ended(message, MessageState.BOUNCED, str(refused))
        except ChannelUncertain as lost:
            if not self.channels[message.channel].repeatable:
                await self._ended(message, MessageState.UNCERTAIN, str(lost))
        else:
            await self._ended(message, MessageState.SENT, "", reference)

    async def _ended(
        self, message: Message, state: MessageState, why: str, reference: str = ""
    ) -> None:
        outcome = _OUTCOMES[state]
        planned_at = message.planned_at
        if state is MessageState.PLANNED:
            planned_at = self.clock.moment(planned_at) + RETRY
        async with self.records.work() as work:
            ended = await _store(
                work,
                message,
                state=state,
                why=why[:200],
                carrier_ref=reference,
                planned_at=planned_at,
            )
            await self.contacting.finish(work, message.attempt_id, outcome)
            if state is MessageState.SENT and self.told is not None:
                case = await work.get(Case, message.loan_id)
                assert case is not None
                await self.told(work, ended, case)
            elif state is not MessageState.PLANNED:
                await work.put(_check_task(ended, self.clock), f"{ended.name}.check", "OPEN")


_OUTCOMES = {
    MessageState.SENT: Outcome.SENT,
    MessageState.PLANNED: Outcome.NOT_SENT,
    MessageState.BOUNCED: Outcome.BOUNCED,
    MessageState.UNCERTAIN: Outcome.SENT,
}


async def _store(work: Work, message: Message, **changes: object) -> Message:
    changed = msgspec.structs.replace(message, **changes)
    await work.put(changed, changed.name, changed.state)
    return changed


def _check_task(message: Message, clock: Clock) -> Task:
    """Somebody looks whether the message arrived, or finds a better address."""
    today = clock.today()
    return Task(
        task_id=f"{message.name}.check",
        kind="CHECK_MESSAGE",
        queue=message.stage,
        borrower_ref=message.borrower_ref,
        loan_id=message.loan_id,
        created_on=today,
        due_on=today + timedelta(days=2),
        note=f"{message.state}: {message.why}"[:200],
    )
