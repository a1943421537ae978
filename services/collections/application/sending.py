"""The one place that sends: what the gate let pass leaves once, each carrier at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

import structlog

from services.collections.application import trail
from services.collections.application.clock import Clock
from services.collections.application.contacting import Contacting
from services.collections.application.deciding import (
    Deciding,
    MessageOvertaken,
    due_until,
    look_at,
    moved,
)
from services.collections.application.ports import (
    ChannelAway,
    ChannelRefused,
    ChannelUncertain,
    SendingChannel,
)
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Channel, Outcome
from services.collections.domain.message import Letter, Message, MessageState
from services.collections.domain.permit import Permit
from shared.runtime import locks
from shared.runtime.records import Records, Work

RETRY, AT_ONCE = timedelta(minutes=5), timedelta(0)
PAGE = 200
LOOK_SECONDS = 1.0
FAILURES_FREE, REST_SECONDS_MAX = 2, 60.0
Told = Callable[[Work, Message, Case], Awaitable[None]]


@dataclass(slots=True)
class Carrier:
    """One way out of the house; after two failures in a row it rests, longer each time."""

    channel: SendingChannel
    carries: frozenset[Channel]
    failures: int = 0
    rests_until: float = 0.0

    @property
    def role(self) -> str:
        """The role of who sends by it; one process at a time has it."""
        return f"collections-sending-{min(self.carries)}"

    def ended(self, *, well: bool) -> None:
        """Learn how the last send ended."""
        self.failures = 0 if well else self.failures + 1
        if self.failures > FAILURES_FREE:
            rest = min(REST_SECONDS_MAX, 2.0 ** (self.failures - FAILURES_FREE))
            self.rests_until = monotonic() + rest


@dataclass(slots=True)
class Sending:
    """Sends planned messages; `told` is what is published of one that was sent."""

    records: Records
    contacting: Contacting
    deciding: Deciding
    carriers: list[Carrier]
    clock: Clock
    told: Told | None = None
    wanted: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Decide, and send by each carrier, until told to stop; none waits for another."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until(stop, self.decide_due))
            for carrier in self.carriers:
                group.create_task(self._until(stop, lambda one=carrier: self.deliver_due(one)))

    async def _until(self, stop: asyncio.Event, step: Callable[[], Awaitable[None]]) -> None:
        while not stop.is_set():
            self.wanted.clear()
            await step()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wanted.wait(), LOOK_SECONDS)

    async def send_due(self) -> None:
        """Decide about what has come, and send what is ready, once."""
        await self.decide_due()
        await asyncio.gather(*(self.deliver_due(carrier) for carrier in self.carriers))

    async def decide_due(self) -> None:
        """Ask the gate about every message that has come, each in a transaction of its own."""
        until, place, more = due_until(self.clock), ("", ""), True
        while more:
            async with self.records.work() as work:
                page = await work.due(Message, MessageState.PLANNED, until, place, PAGE)
            for _, message in page:
                if self.clock.has_come(message.planned_at):
                    await self.decide(message.name)
            place, more = (page[-1][0], True) if len(page) == PAGE else (place, False)

    async def decide(self, name: str) -> None:
        """Ask the gate about one message."""
        with suppress(MessageOvertaken):
            async with self.records.work() as work:
                message = await work.get(Message, name)
                if message is None or message.state is not MessageState.PLANNED:
                    return
                ready = await self.deciding.decide(work, message)
            if ready:
                self.wanted.set()

    async def deliver_due(self, carrier: Carrier) -> None:
        """Send what is ready for a carrier; what was begun and not seen to end comes first."""
        if monotonic() < carrier.rests_until:
            return
        async with locks.sole(self.records.engine, carrier.role) as ours:
            if not ours:
                return
            for state, begin in (
                (MessageState.SENDING, self._begin_again),
                (MessageState.READY, self._begin),
            ):
                for name in await self._names(state, carrier):
                    begun = await begin(name, carrier)
                    if begun is not None and not await self._deliver(begun, carrier):
                        return

    async def _names(self, state: MessageState, carrier: Carrier) -> list[str]:
        async with self.records.work() as work:
            found = [one async for one in work.every(Message, state=state)]
        return [one.name for one in found if one.channel in carrier.carries]

    async def _begin(self, name: str, carrier: Carrier) -> Message | None:
        """Write down that sending begins, if the message is still right; else plan it again."""
        with suppress(MessageOvertaken):
            async with self.records.work() as work:
                message = await work.get(Message, name)
                if message is None or message.state is not MessageState.READY:
                    return None
                why_not = await self.deciding.still_right(work, message, as_of_now=False)
                if not why_not:
                    return await moved(work, message, state=MessageState.SENDING)
                await self.deciding.not_sent(work, message, why_not, AT_ONCE)
        return None

    async def _begin_again(self, name: str, carrier: Carrier) -> Message | None:
        """Repeat what was begun only where that is safe and still right; else a person looks."""
        async with self.records.work() as work:
            message = await work.get(Message, name)
            if message is None or message.state is not MessageState.SENDING:
                return None
            why_not = "stopped while sending"
            if carrier.channel.repeatable:
                why_not = await self.deciding.still_right(work, message, as_of_now=True)
        if not why_not:
            return message
        await self._ended(message, MessageState.UNCERTAIN, why_not)
        return None

    async def _deliver(self, message: Message, carrier: Carrier) -> bool:
        """Hand a begun message to its carrier and write down how that ended; False: it failed."""
        async with self.records.work() as work:
            attempt = await trail.attempt(work, message.attempt_id)
        said = (message.wording, message.subject, message.text)
        letter = Letter(message.name, attempt.address, message.language, *said)
        log, well = structlog.get_logger(), True
        try:
            reference = await carrier.channel.send(Permit(attempt, message.rules), letter)
        except ChannelAway as away:
            log.warning("channel away", channel=message.channel, why=str(away))
            well = False
            await self._ended(message, MessageState.PLANNED, str(away))
        except ChannelRefused as refused:
            await self._ended(message, MessageState.BOUNCED, str(refused))
        except ChannelUncertain as lost:
            well = False
            if not carrier.channel.repeatable:
                await self._ended(message, MessageState.UNCERTAIN, str(lost))
        except Exception as failure:  # A channel's own mistake: nobody knows, the others go on.
            log.error("channel failed", message=message.name, why=repr(failure))
            await self._ended(message, MessageState.UNCERTAIN, repr(failure))
        else:
            await self._ended(message, MessageState.SENT, "", reference)
        carrier.ended(well=well)
        return well

    async def _ended(
        self, message: Message, state: MessageState, why: str, reference: str = ""
    ) -> None:
        with suppress(MessageOvertaken):
            async with self.records.work() as work:
                await work.hold(message.borrower_ref)
                now = await work.get(Message, message.name)
                assert now is not None
                if now.state is MessageState.SENDING:
                    await self._end(work, now, state, why, reference)
                elif reference:
                    # The carrier's receipt was faster than we: it stays, with its reference.
                    await moved(work, now, carrier_ref=reference)

    async def _end(
        self, work: Work, message: Message, state: MessageState, why: str, reference: str
    ) -> None:
        if state is MessageState.PLANNED:
            return await self.deciding.not_sent(work, message, why, RETRY)
        ended = await moved(work, message, state=state, why=why[:200], carrier_ref=reference)
        await self.left(work, ended)
        if state is not MessageState.SENT:
            await look_at(work, ended, self.clock)

    async def left(self, work: Work, message: Message) -> None:
        """Finish the attempt of a message that left, and tell it if it was accepted; once."""
        attempt = await trail.attempt(work, message.attempt_id)
        if attempt.outcome is not Outcome.IN_PROGRESS:
            return
        await self.contacting.finish(work, message.attempt_id, _OUTCOMES[message.state])
        accepted = message.state in (MessageState.SENT, MessageState.DELIVERED)
        if accepted and self.told is not None:
            case = await work.get(Case, message.loan_id)
            assert case is not None
            await self.told(work, message, case)


_OUTCOMES = {
    MessageState.SENT: Outcome.SENT,
    MessageState.DELIVERED: Outcome.SENT,
    MessageState.BOUNCED: Outcome.BOUNCED,
    MessageState.UNCERTAIN: Outcome.SENT,
}


def carriers_of(channels: dict[Channel, SendingChannel]) -> list[Carrier]:
    """Return each way out once, with all that it carries."""
    ways: dict[int, tuple[SendingChannel, set[Channel]]] = {}
    for channel, way in channels.items():
        ways.setdefault(id(way), (way, set()))[1].add(channel)
    return [Carrier(way, frozenset(carries)) for way, carries in ways.values()]
