"""Debtors: how they may be reached, what shields them, what their carriers report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from lending.common.v1.page_pb2 import Page

from services.collections.application import trail
from services.collections.application.clock import Stamp
from services.collections.application.contacting import Contacting
from services.collections.application.deciding import moved
from services.collections.application.desk import Desk, View
from services.collections.application.paging import asked, page_of
from services.collections.application.pausing import disasters_on, let_follow
from services.collections.application.shielding import take_back
from services.collections.application.tasks import open_task
from services.collections.application.trail import AttemptNotFound
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Outcome, ProtectionKind, rules_in_force
from services.collections.domain.debtor import (
    ASKED,
    Attempt,
    Debtor,
    Protection,
    a_phone,
    a_region,
    a_time_zone,
    an_email,
    with_protection,
    without_protection,
)
from services.collections.domain.message import Message, MessageState
from shared.kernel.calendars import WEEKENDS, BusinessDayRule
from shared.kernel.errors import InvalidArgument, NotFound, Refused
from shared.runtime.records import Work

NOT_GONE = (MessageState.PLANNED, MessageState.READY, MessageState.CANCELLED)
WANTS_ANSWER = (ProtectionKind.DISPUTE, ProtectionKind.COMPLAINT)


class LanguageUnknown(InvalidArgument):
    """Messages are written in zh or en."""


class MessageNotFound(NotFound):
    """There is no such message."""


class MessageNotSent(Refused):
    """A receipt can only be of a message that left the house."""


def working_days(from_on: date, count: int) -> int:
    """Return how many days end with a working day; holidays are not counted: never too late."""
    day = from_on
    for _ in range(count):
        day = WEEKENDS.adjust(day + timedelta(days=1), BusinessDayRule.FOLLOWING)
    return (day - from_on).days


class Shown(NamedTuple):
    """A debtor with a page of cases; arrears are of all of them, minor units by currency."""

    debtor: Debtor
    views: list[View]
    arrears_minor: dict[str, int]
    next_cases_token: str


@dataclass(slots=True)
class Debtors:
    """Debtors by reference."""

    desk: Desk
    contacting: Contacting

    async def shown(self, work: Work, debtor: Debtor, page: Page | None = None) -> Shown:
        """Return a debtor with a page of cases; raise PageTokenInvalid."""
        wanted = asked(page or Page(), "cases", debtor.borrower_ref)
        cases = list((await work.get_all(Case, debtor.loans)).values())
        arrears: Counter[str] = Counter()
        for case in cases:
            arrears[case.currency] += case.last.arrears_minor if case.open else 0
        some, token = page_of(cases, wanted, lambda case: ("", case.loan_id))
        views = [await self.desk.view(work, case) for case in some]
        return Shown(debtor, views, dict(arrears), token)

    async def register(self, work: Work, request: Any) -> Debtor:
        """Tell how a borrower may be reached, before or after a first case."""
        await work.hold(request.borrower_ref)
        known = await work.get(Debtor, request.borrower_ref)
        known = known or Debtor(borrower_ref=request.borrower_ref, jurisdiction="")
        zone = request.time_zone or known.time_zone
        return await self._reached(work, known, request, zone, "registered")

    async def set_preferences(self, work: Work, case: Case, request: Any) -> Debtor:
        """
        Set what a debtor wishes; what is not stated stays.

        Who asked not to be contacted stays shielded: only ending the protection lifts it.
        """
        await work.hold(case.borrower_ref)
        changed = await self.contacting.debtor_of(work, case)
        for wish in ("lost", "hours_waived"):
            if request.HasField(wish):
                changed = msgspec.structs.replace(changed, **{wish: getattr(request, wish)})
        asked = any(p.protection_id == ASKED and p.until_on is None for p in changed.protections)
        said = request.loan_id
        if request.contact_ceased and not asked:
            one = Protection(protection_id=ASKED, kind=ProtectionKind.CEASED, from_on=date.min)
            changed, said = with_protection(changed, one), f"{said}: asked not to be contacted"
        zone = request.time_zone or changed.time_zone
        return await self._reached(work, changed, request, zone, said)

    async def _reached(
        self, work: Work, debtor: Debtor, request: Any, zone: str, said: str
    ) -> Debtor:
        """
        Store how a debtor is reached.

        Raises:
            LanguageUnknown, TimeZoneUnknown, RulesNotFound, EmailNotValid, PhoneNotValid,
            RegionNotValid
        """
        language = request.language or debtor.language
        if language not in ("zh", "en"):
            raise LanguageUnknown("language", field="language", expected="zh or en")
        if zone:
            a_time_zone(zone)
        where = request.jurisdiction or debtor.jurisdiction
        today = self.desk.sending.clock.today()
        if where:
            rules_in_force(self.contacting.policies.rules, where, date.max)
        changed = msgspec.structs.replace(
            debtor,
            language=language,
            time_zone=zone,
            email=an_email(request.email) if request.email else debtor.email,
            phone=a_phone(request.phone) if request.phone else debtor.phone,
            region=a_region(request.region) or debtor.region,
            jurisdiction=where,
        )
        await work.put(changed, changed.borrower_ref)
        await self._decided(work, changed, today, "PREFERENCES", said)
        if changed.region != debtor.region:
            await self._moved(work, changed, today)
        return changed

    async def _moved(self, work: Work, debtor: Debtor, today: date) -> None:
        """Let a disaster where the debtor lives now do what it did for who lived there before."""
        on = [one for one in await disasters_on(work) if one.covers(debtor)]
        for loan_id in sorted(debtor.loans):
            case = await work.get(Case, loan_id)
            if case is not None and case.open:
                await let_follow(work, case, debtor)
            if any(one.from_on <= today <= one.last_on for one in on):
                await take_back(self.desk, work, loan_id, today)

    async def finish(self, work: Work, attempt_id: str, outcome: Outcome) -> Attempt:
        """Say how a person's attempt ended; those of messages end by themselves."""
        begun = await trail.attempt(work, attempt_id)
        await work.hold(begun.borrower_ref)
        if begun.by == "collections":
            raise AttemptNotFound(f"no attempt {attempt_id[:64]!r}", field="attempt_id")
        return await self.contacting.finish(work, attempt_id, outcome)

    async def protect(self, work: Work, borrower_ref: str, one: Protection) -> Debtor:
        """Shield a debtor; who disputes or complains gets an answer within the rules' days."""
        await work.hold(borrower_ref)
        debtor = with_protection(await self.contacting.debtor(work, borrower_ref), one)
        await work.put(debtor, borrower_ref)
        said = f"{one.kind} {one.note}".strip()
        await self._decided(work, debtor, one.from_on, "PROTECTED", said)
        if one.kind is not ProtectionKind.OPT_OUT:
            await self._recall(work, debtor, one)
        if one.kind in WANTS_ANSWER:
            rules = self.contacting.policies.rules_for(debtor, one.from_on)
            days = working_days(one.from_on, rules.reply_working_days)
            cases = await work.get_all(Case, debtor.loans)
            for loan_id in sorted(cases)[:1]:
                await open_task(work, cases[loan_id], f"ANSWER_{one.kind}", one.from_on, days)
        return debtor

    async def _recall(self, work: Work, debtor: Debtor, one: Protection) -> None:
        """Take back from agencies who is shielded now; the reason of the shield stays here."""
        for loan_id in sorted(debtor.loans):
            await take_back(self.desk, work, loan_id, one.from_on)

    async def unprotect(
        self, work: Work, borrower_ref: str, protection_id: str, last_on: date
    ) -> Debtor:
        """End a protection after a day."""
        await work.hold(borrower_ref)
        before = await self.contacting.debtor(work, borrower_ref)
        debtor = without_protection(before, protection_id, last_on)
        await work.put(debtor, borrower_ref)
        await self._decided(work, debtor, last_on, "PROTECTION_ENDED", protection_id)
        return debtor

    async def receipt(
        self, work: Work, name: str, at: datetime, *, delivered: bool, note: str
    ) -> Message:
        """
        Take a carrier's receipt in; one that was returned is work for somebody.

        Raises:
            MessageNotFound, MessageNotSent
        """
        message = await self._held_message(work, name)
        if message.state in NOT_GONE:
            said = f"the message is {message.state.lower()}"
            raise MessageNotSent(said, field="message_name")
        state = MessageState.DELIVERED if delivered else MessageState.BOUNCED
        done = await moved(work, message, state=state, why=note[:200])
        # Of one that is still SENDING the receipt is the first to say that it left.
        await self.desk.sending.left(work, done)
        case = await work.get(Case, message.loan_id)
        debtor = await self.contacting.debtor(work, message.borrower_ref)
        await self._note(work, debtor, Stamp(at, at.date()), state, f"{name} {note}"[:200])
        if not delivered and case is not None and case.open:
            await open_task(work, case, "FIND_ADDRESS", at.date(), 5)
        return done

    async def _held_message(self, work: Work, name: str) -> Message:
        """Return a message that nobody else moves on until the end; raise MessageNotFound."""
        found = await work.get(Message, name)
        if found is not None:
            await work.hold(found.borrower_ref)
            found = await work.get(Message, name)
        if found is None:
            raise MessageNotFound(f"no message {name[:80]!r}", field="message_name")
        return found

    async def _decided(self, work: Work, debtor: Debtor, on: date, what: str, said: str) -> None:
        await self._note(work, debtor, self.desk.stamp(on), what, said)

    async def _note(self, work: Work, debtor: Debtor, when: Stamp, what: str, said: str) -> None:
        entry = trail.Entry(
            at=when.at,
            on=when.on,
            borrower_ref=debtor.borrower_ref,
            loan_id=debtor.loans[0] if debtor.loans else "",
            what=what,
            said=said,
        )
        await trail.write(work, entry)
