"""Requests into attempts and protections; debtors, messages and trails into messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import contact_service_pb2 as contact_pb

from services.collections import wire
from services.collections.application.debtors import Shown
from services.collections.application.relief import Relieved
from services.collections.application.trail import Entry
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import (
    Channel,
    Outcome,
    Party,
    ProtectionKind,
    Purpose,
)
from services.collections.domain.debtor import Attempt, Protection, a_region, not_reserved
from services.collections.domain.disaster import Disaster
from services.collections.domain.message import Message
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import a_number, a_text, an_id, an_instant

BY_PEOPLE = (Outcome.REACHED, Outcome.THIRD_PARTY, Outcome.NO_ANSWER, Outcome.BOUNCED)
WRITTEN = (Channel.SMS, Channel.EMAIL, Channel.LETTER)
Named = TypeVar("Named", bound=StrEnum)


class WordUnknown(InvalidArgument):
    """A word that the field does not know."""


def named(kind: type[Named], text: str, field: str, default: Named | None = None) -> Named:
    """Read a word such as "no answer"; raise WordUnknown."""
    word = text.strip().upper().replace(" ", "_")
    if not word and default is not None:
        return default
    if word not in kind.__members__:
        known = ", ".join(name.lower().replace("_", " ") for name in kind.__members__)
        raise WordUnknown(f"{text[:40]!r} is not known", field=field, expected=known)
    return kind[word]


def ended(text: str) -> Outcome:
    """Read how a person's attempt ended; what leaves by itself is not theirs to end."""
    outcome = named(Outcome, text, "outcome")
    if outcome not in BY_PEOPLE:
        raise WordUnknown(f"{text[:40]!r}", field="outcome", expected=_words(BY_PEOPLE))
    return outcome


def _made(request: pb.RecordContactRequest, channel: Channel) -> Outcome:
    """Read the outcome of a person's attempt; only what is written is sent."""
    outcome = named(Outcome, request.outcome, "outcome")
    known = (Outcome.IN_PROGRESS, *BY_PEOPLE, *((Outcome.SENT,) if channel in WRITTEN else ()))
    if outcome not in known:
        raise WordUnknown(f"{request.outcome[:40]!r}", field="outcome", expected=_words(known))
    return outcome


def _words(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(one.lower().replace("_", " ") for one in outcomes)


def attempt(request: pb.RecordContactRequest, case: Case) -> Attempt:
    """Read an attempt about a case."""
    channel = named(Channel, request.channel, "channel")
    return Attempt(
        attempt_id=an_id(request.request_id, "request_id"),
        borrower_ref=case.borrower_ref,
        loan_id=case.loan_id,
        at=an_instant(request.at, "at"),
        channel=channel,
        outcome=_made(request, channel),
        party=named(Party, request.party, "party", Party.DEBTOR),
        purpose=named(Purpose, request.purpose, "purpose", Purpose.COLLECT),
        staff=a_number(request.staff or 1, "staff", 1, 10),
        specialist=request.specialist,
        address=request.address[:254],
        by=request.made_by[:64] if request.made_by != "collections" else "collections.",
    )


def protection(request: contact_pb.AddProtectionRequest) -> Protection:
    """Read a protection."""
    if request.kind == contact_pb.PROTECTION_KIND_UNSPECIFIED:
        raise WordUnknown("kind is not set", field="kind", expected="a kind")
    kind = contact_pb.ProtectionKind.Name(request.kind).removeprefix("PROTECTION_KIND_")
    from_on = parse_date(request.from_on, field="from_on")
    until_on = parse_date(request.until_on, field="until_on") if request.until_on else None
    if until_on is not None and until_on < from_on:
        raise wire.DateOutOfOrder("ends before it begins", field="until_on")
    channel = None
    if kind == "OPT_OUT":
        channel = named(Channel, request.channel, "channel")
    return Protection(
        protection_id=not_reserved(an_id(request.request_id, "request_id")),
        kind=ProtectionKind(kind),
        from_on=from_on,
        until_on=until_on,
        channel=channel,
        note=request.note[:200],
    )


def debtor_message(shown: Shown) -> contact_pb.Debtor:
    """Return a debtor with a page of cases as their message."""
    debtor = shown.debtor
    return contact_pb.Debtor(
        borrower_ref=debtor.borrower_ref,
        jurisdiction=debtor.jurisdiction,
        language=debtor.language,
        time_zone=debtor.time_zone,
        region=debtor.region,
        protections=[_protection(one) for one in debtor.protections],
        cases=[wire.case_message(view) for view in shown.views],
        arrears_minor=shown.arrears_minor,
        next_cases_token=shown.next_cases_token,
    )


def _protection(one: Protection) -> contact_pb.Protection:
    return contact_pb.Protection(
        protection_id=one.protection_id,
        kind=f"PROTECTION_KIND_{one.kind}",
        from_on=one.from_on.isoformat(),
        until_on=one.until_on.isoformat() if one.until_on else "",
        channel=one.channel.lower() if one.channel else "",
        note=one.note,
    )


def disaster(request: contact_pb.DeclareDisasterRequest) -> Disaster:
    """Read a disaster."""
    from_on = parse_date(request.from_on, field="from_on")
    until_on = parse_date(request.until_on, field="until_on")
    if until_on < from_on:
        raise wire.DateOutOfOrder("ends before it begins", field="until_on")
    return Disaster(
        disaster_id=not_reserved(an_id(request.request_id, "request_id")),
        region=a_region(a_text(request.region, "region")),
        from_on=from_on,
        until_on=until_on,
        note=a_text(request.note, "note"),
        declared_by=a_text(request.declared_by, "declared_by").strip(),
        pauses=request.pause_delinquency,
    )


def relief_message(found: Relieved) -> contact_pb.DisasterRelief:
    """Return a disaster and whom it concerns as their message."""
    one = found.disaster
    return contact_pb.DisasterRelief(
        disaster_id=one.disaster_id,
        region=one.region,
        from_on=one.from_on.isoformat(),
        last_on=one.last_on.isoformat(),
        note=one.note,
        declared_by=one.declared_by,
        ended_by=one.ended_by,
        debtors=found.debtors,
        cases=found.cases,
        messages_waiting=found.waiting,
        arrears_minor=found.arrears,
        pauses=found.pauses,
        borrower_refs=found.shown,
        state=found.state,
        debtors_done=found.done,
    )


def outbound(message: Message) -> contact_pb.OutboundMessage:
    """Return a message to a borrower as its message."""
    return contact_pb.OutboundMessage(
        name=message.name,
        borrower_ref=message.borrower_ref,
        loan_id=message.loan_id,
        stage=message.stage,
        state=f"MESSAGE_STATE_{message.state}",
        channel=message.channel.lower(),
        planned_at=message.planned_at.isoformat(),
        sent_at=_instant(message.sent_at),
        why=message.why,
        rules=message.rules,
        wording=message.wording,
        subject=message.subject,
        text=message.text,
        carrier_ref=message.carrier_ref,
        arm=message.arm,
    )


def _instant(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def trail_message(entries: Sequence[Entry], token: str) -> contact_pb.ListTrailResponse:
    """Return a page of a trail as its message."""
    return contact_pb.ListTrailResponse(
        entries=[
            contact_pb.TrailEntry(
                at=entry.at.isoformat(),
                loan_id=entry.loan_id,
                what=entry.what,
                made_by=entry.by,
                policy=entry.policy,
                said=entry.said,
                on=entry.on.isoformat() if entry.on else "",
            )
            for entry in entries
        ],
        next_page_token=token,
    )
