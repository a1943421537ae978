"""May a planned message leave now? Asked at the gate, put off, or given up with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from services.collections.application import trail
from services.collections.application.clock import Clock
from services.collections.application.contacting import Contacting
from services.collections.application.ports import SendingChannel, Wording
from services.collections.domain.case import Case, case_on
from services.collections.domain.contact_gate import ContactOptedOut, ContactRefused, next_allowed
from services.collections.domain.contact_rules import Channel, Outcome
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.message import Letter, Message, MessageState
from services.collections.domain.permit import Permit
from services.collections.domain.task import Task
from services.collections.domain.treatment import has_word
from shared.kernel.errors import Conflict, LendingError
from shared.kernel.money import format_amount
from shared.runtime.records import Work

FALLBACKS = (Channel.EMAIL, Channel.SMS, Channel.LETTER)
NO_ADDRESS = "no address is known"


class MessageOvertaken(Conflict):
    """Somebody else has moved the message on meanwhile."""


@dataclass(frozen=True, slots=True)
class Deciding:
    """Decides about messages; `channels` say which of them need an address."""

    contacting: Contacting
    channels: dict[Channel, SendingChannel]
    wording: Wording
    clock: Clock

    async def decide(self, work: Work, message: Message) -> bool:
        """Ask the gate about a message whose time has come; True: it is ready to leave."""
        if not self.clock.has_come(message.planned_at):
            return False
        await work.hold(message.borrower_ref)
        case = await work.get(Case, message.loan_id)
        assert case is not None
        known = case_on(case, self.clock.known_on(message.planned_at))
        why_not = self._outdated(message, known) or self._waits(message, known)
        if why_not:
            # What only waited too long may leave yet: the desk plans it anew while it is due.
            again = not self._outdated(message, known)
            await self._give_up(work, message, why_not, repairable=again)
            return False
        try:
            return await self._ask(work, message, case)
        except MessageOvertaken:
            raise
        except LendingError as failure:
            # Of this message alone: the others go out, and a person looks at it.
            said = f"{failure.reason}: {failure.message}"[:200]
            await self._give_up(work, message, said, somebody_looks=True)
            return False

    async def still_right(self, work: Work, message: Message, *, as_of_now: bool) -> str:
        """
        Say what stands in the way of a message that was let pass; empty when nothing does.

        Args:
            as_of_now: Look at the case as it is known now, also where the clock stands still.
        """
        assert message.sent_at is not None
        await work.hold(message.borrower_ref)
        case = await work.get(Case, message.loan_id)
        assert case is not None
        moment = self._moment(message)
        if not self.clock.is_fresh(message.sent_at):
            return "permitted too long ago"
        # By the book it leaves at the hour of its permit: how long the carrier took is no reason.
        why_not = ""
        if as_of_now or not self.clock.stands_still:
            why_not = self._outdated(message, case) or self._waits(message, case)
        if why_not:
            return why_not
        attempt = await trail.attempt(work, message.attempt_id)
        try:
            await self.contacting.ask(work, msgspec.structs.replace(attempt, at=moment))
        except LendingError as refused:
            return str(refused.facts.get("rule", refused.reason))
        return ""

    def _moment(self, message: Message) -> datetime:
        return self.clock.moment(message.planned_at)

    def _outdated(self, message: Message, case: Case) -> str:
        if not case.open:
            return "the case is closed"
        stage = case.episodes[-1].stage
        # What people decided on is meant whatever month it is.
        moved_on = stage != message.stage and not message.approved_by
        return f"the case is in {stage}" if moved_on else ""

    def _waits(self, message: Message, case: Case) -> str:
        """Say why a message is not for now, though its reason still holds; empty when it is."""
        if has_word(case):
            return "a promise is open, or a plan waits"
        strategy = self.contacting.policies.strategy(message.because_on)
        age = self._moment(message).date() - message.because_on
        return f"{age.days} days late" if age.days > strategy.stale_days else ""

    async def _ask(self, work: Work, message: Message, case: Case) -> bool:
        debtor = await self.contacting.debtor_of(work, case)
        debtor = await self.contacting.shielded(work, debtor)
        refusal: ContactRefused | None = None
        tried = []
        for channel in self._reachable(message, debtor):
            attempt = self._attempt(message, channel, debtor)
            tried.append(attempt)
            letter = self._letter(message, channel, case, debtor)
            try:
                permit = await self.contacting.permit(work, attempt)
            except ContactRefused as refused:
                refusal = refused
                if not isinstance(refused, ContactOptedOut):
                    break
            else:
                await self._written(work, message, permit, letter)
                return True
        await self._put_off(work, message, debtor, tried, refusal)
        return False

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
            at=self._moment(message),
            channel=channel,
            address=debtor.address(channel),
            by="collections",
        )

    async def _written(self, work: Work, message: Message, permit: Permit, letter: Letter) -> None:
        await moved(
            work,
            message,
            state=MessageState.READY,
            channel=permit.attempt.channel,
            attempt_id=permit.attempt.attempt_id,
            rules=permit.rules_version,
            language=letter.language,
            sent_at=permit.attempt.at,
            tries=message.tries + 1,
            why="",
            wording=letter.wording,
            subject=letter.subject,
            text=letter.text,
        )

    def _letter(self, message: Message, channel: Channel, case: Case, debtor: Debtor) -> Letter:
        today = self._moment(message).date()
        usual = self.contacting.policies.strategy(today).pay_within_days
        days = timedelta(days=message.pay_within_days or usual)
        words = {
            "loan_id": case.loan_id,
            "borrower_ref": case.borrower_ref,
            "days_past_due": case.last.days_past_due,
            "arrears": format_amount(case.last.arrears_minor, case.currency),
            "currency": case.currency,
            "pay_by": (today + days).isoformat(),
        }
        to = debtor.address(channel)
        return self.wording.letter(message.name, message.template, debtor.language, to, words)

    async def _put_off(
        self,
        work: Work,
        message: Message,
        debtor: Debtor,
        tried: list[Attempt],
        refusal: ContactRefused | None,
    ) -> None:
        """Plan a message for when the gate opens for the first of its channels, or give it up."""
        past = await trail.attempts(work, message.borrower_ref, self._moment(message))
        opens: datetime | None = None
        for attempt in tried:
            rules = self.contacting.policies.rules_for(debtor, attempt.at.date())
            free = next_allowed(rules, attempt, debtor, past)
            if free is not None and free > attempt.at and (opens is None or free < opens):
                opens = free
        why = refusal.rule if refusal else NO_ADDRESS
        if opens is None:
            await self._give_up(work, message, why)
        else:
            await moved(work, message, planned_at=opens, why=why)

    async def _give_up(
        self,
        work: Work,
        message: Message,
        why: str,
        *,
        repairable: bool = True,
        somebody_looks: bool = False,
    ) -> None:
        """Cancel a message; where people decided on it, they hear that it does not leave."""
        gone = {"state": MessageState.CANCELLED, "why": why, "repairable": repairable}
        stopped = await moved(work, message, **gone)
        if somebody_looks or message.approved_by:
            await look_at(work, stopped, self.clock)

    async def not_sent(self, work: Work, message: Message, why: str, after: timedelta) -> None:
        """Plan a message again that was let pass and did not leave."""
        later = self._moment(message) + after if after else message.planned_at
        await moved(work, message, state=MessageState.PLANNED, why=why[:200], planned_at=later)
        await self.contacting.finish(work, message.attempt_id, Outcome.NOT_SENT)


async def plan(work: Work, message: Message) -> None:
    """Write a new message down."""
    await work.put(message, message.name, message.state, _due_at(message))


async def moved(work: Work, message: Message, **changes: object) -> Message:
    """Change a message that is as it was read, or raise MessageOvertaken."""
    changed = msgspec.structs.replace(message, **changes)
    states = (message.state.value, changed.state.value)
    if not await work.move(changed, changed.name, states, _due_at(changed)):
        raise MessageOvertaken(message.name, field="message_name")
    return changed


def due_until(clock: Clock) -> str:
    """Return the bound of what may have come, as records keep it."""
    return clock.until().astimezone(UTC).isoformat(timespec="seconds")


def _due_at(message: Message) -> str:
    return message.planned_at.astimezone(UTC).isoformat(timespec="seconds")


async def look_at(work: Work, message: Message, clock: Clock) -> None:
    """Let a person see whether a message arrived, find a better address, or mend its wording."""
    today = clock.today()
    task = Task(
        task_id=f"{message.name}.check",
        kind="CHECK_MESSAGE",
        queue=message.stage,
        borrower_ref=message.borrower_ref,
        loan_id=message.loan_id,
        created_on=today,
        due_on=today + timedelta(days=2),
        note=f"{message.state}: {message.why}"[:200],
    )
    await work.put(task, task.task_id, task.state)
