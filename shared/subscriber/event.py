"""One event as a subscriber's handler gets it: read, and checked against its own headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from google.protobuf.message import DecodeError
from lending.ledger.v1.events_pb2 import DelinquencyEvent, DelinquencyEventType

from shared.runtime.reading import Message
from shared.subscriber.chain import Place, Verdict, event_hash, judge

PREFIX = "DELINQUENCY_EVENT_TYPE_"
_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_LOAN = re.compile(r"[!-~]{1,40}")


class EventUnreadable(Exception):
    """Headers or body of a message cannot be read, or contradict each other."""


class Restatement(NamedTuple):
    """
    What a fact that counts earlier changed of the days since.

    `superseded` are log versions: the events that carry one of them no longer hold.
    """

    superseded: tuple[int, ...]
    from_on: str
    to_on: str
    days_past_due_max_before: int
    days_past_due_max_after: int


@dataclass(frozen=True, slots=True)
class Event:
    """
    A delinquency event.

    `body` holds the figures as protobuf, with what newer versions added; `type` is the name
    without prefix, also of a type that this version does not know. `replay` is True for history
    that a rebuilt subscriber reads again: change state, but tell nobody.
    """

    id: str
    type: str
    loan_id: str
    sequence: int
    previous_hash: str
    hash: str
    body: DelinquencyEvent
    message: Message
    replay: bool = False

    @property
    def restatement(self) -> Restatement | None:
        """What a TIMELINE_RESTATED says; None for every other event."""
        if self.type != "TIMELINE_RESTATED":
            return None
        told = self.body.restated
        return Restatement(
            tuple(told.superseded_log_versions),
            self.body.effective_on,
            told.to_on,
            told.days_past_due_max_before,
            told.days_past_due_max_after,
        )

    @property
    def sunsets(self) -> dict[str, str]:
        """Dates from which the type, under "", or fields of it may be missing; mostly none."""
        return sunsets_in(self.message.headers)

    @property
    def recorded_at(self) -> datetime:
        """When the ledger learned it, UTC."""
        return datetime.fromisoformat(self.body.recorded_at)


def sunsets_in(headers: Mapping[str, str]) -> dict[str, str]:
    """Return until when a message's type, under "", or fields of it will be told."""
    named = (part.rpartition("=") for part in headers.get("ce-sunset", "").split(","))
    return {name: on for name, _, on in named if on}


def read_event(message: Message) -> Event:
    """
    Read a message of the delinquency stream.

    Raises:
        EventUnreadable: says which header or field is wrong.
    """
    headers = message.headers
    previous, number = headers.get("ce-previoushash", ""), headers.get("ce-sequence", "")
    if not _HASH.fullmatch(previous):
        raise EventUnreadable("ce-previoushash is not a SHA-256 in hexadecimal")
    if not _NUMBER.fullmatch(number):
        raise EventUnreadable("ce-sequence is not a number from 1")
    try:
        body = DelinquencyEvent.FromString(message.body)
    except DecodeError as failure:
        raise EventUnreadable(f"the body is not a DelinquencyEvent: {failure}") from None
    loan_id, sequence = headers.get("ce-subject", ""), int(number)
    if body.loan_id != loan_id or message.subject.rpartition(".")[2] != loan_id:
        raise EventUnreadable("subject, ce-subject and body name different loans")
    if body.sequence != sequence:
        raise EventUnreadable("ce-sequence and body give different numbers")
    if not _LOAN.fullmatch(loan_id):
        raise EventUnreadable("the loan's id is empty, too long or unprintable")
    if _recorded_in(body) is None:
        raise EventUnreadable("recorded_at is not an instant with its offset")
    return Event(
        id=f"{loan_id}/{sequence}",
        type=_type_of(body, headers.get("ce-type", "")),
        loan_id=loan_id,
        sequence=sequence,
        previous_hash=previous,
        hash=event_hash(previous, message.body),
        body=body,
        message=message,
    )


def recorded_at(body: bytes) -> datetime | None:
    """Return when the ledger learned of an event, UTC; None where the body does not say it."""
    try:
        return _recorded_in(DelinquencyEvent.FromString(body))
    except DecodeError:
        return None


def _recorded_in(body: DelinquencyEvent) -> datetime | None:
    """Return when the ledger learned of an event; None where that is no instant."""
    try:
        found = datetime.fromisoformat(body.recorded_at)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _type_of(body: DelinquencyEvent, said: str) -> str:
    """Return the type's name; a type newer than this version is known by its header alone."""
    name = said.removeprefix("lending.ledger.v1.")
    if body.type in DelinquencyEventType.values():
        known = DelinquencyEventType.Name(body.type).removeprefix(PREFIX)
        if name != known:
            raise EventUnreadable("ce-type and body give different types")
    return name


def judged(known: dict[str, Place], event: Event) -> Verdict:
    """Judge an event against what was seen of its loan; the first one seen is taken as it is."""
    place = known.get(event.loan_id, Place(event.sequence - 1, event.previous_hash))
    verdict = judge(place, event.sequence, event.previous_hash, event.message.body)
    if verdict not in (Verdict.DUPLICATE, Verdict.REWRITTEN):
        known[event.loan_id] = Place(event.sequence, event.hash)
    return verdict
