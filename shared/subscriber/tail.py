"""Watch the stream as a person does: some loans, some events, since some time, as lines or JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from nats.errors import Error as NatsError

from shared.runtime.bus import Bus, BusDown
from shared.runtime.reading import Message, Reader
from shared.runtime.streams import DELINQUENCY, PREVIEW, PREVIEW_STREAM, STREAM
from shared.subscriber.chain import Place, Verdict
from shared.subscriber.event import Event, EventUnreadable, judged, read_event
from shared.subscriber.marks import mark_at, mark_of

BATCH, WAIT_SECONDS, RETRY_SECONDS = 200, 1.0, 0.5
PASSING = (BusDown, NatsError, OSError, TimeoutError)
SAID = {
    "AWAY": "NATS does not answer; waiting for it",
    "BACK": "NATS answers again; nothing was missed",
    "REPLACED": "the stream was made again or rolled back: read up to {read} and ends at {end} now;"
    " read again from its start, what was shown is passed over",
}
COLUMNS = (
    "{recorded:<20} {loan:<16} {number:>5} {type:<20} {dpd:>5} {arrears:>14} {bucket:<8} {note}"
)
LABELS = ("experiment", "policysha256")
"""Headers of a preview: its name, and the hash of what is supposed."""

HEADING = COLUMNS.format(
    recorded="recorded",
    loan="loan",
    number="no.",
    type="event",
    dpd="DPD",
    arrears="arrears, minor",
    bucket="bucket",
    note="",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is shown: empty means all; `bucket` is that of scheme m after the event.

    With `preview` the events of that experiment, told beside the live ones.
    """

    loan_id: str = ""
    types: frozenset[str] = frozenset()
    bucket: str = ""
    since: datetime | None = None
    follow: bool = True
    preview: str = ""

    @property
    def source(self) -> tuple[str, list[str]]:
        """The stream to read, and its subjects."""
        loan = self.loan_id or "*"
        if not self.preview:
            return STREAM, [f"{DELINQUENCY}.*.{loan}"]
        begins = f"{PREVIEW}.{self.preview}"
        return PREVIEW_STREAM, [f"{begins}.delinquency.*.{loan}", f"{begins}.*.{loan}"]

    def holds(self, event: Event) -> bool:
        """Say whether an event is wanted."""
        if self.types and event.type not in self.types:
            return False
        if self.bucket and event.body.delinquency.buckets.get("m", "") != self.bucket:
            return False
        return self.since is None or event.recorded_at >= self.since


@dataclass(slots=True)
class _Following:
    """A reader that outlives NATS: whether it is away, and which stream it read up to where."""

    bus: Bus
    reader: Reader
    made_at: datetime | None = None
    read: int = 0
    mark: str = ""
    opened: int = 0
    away: bool = False

    async def batch(self) -> tuple[list[Message], str, str]:
        """
        Return what came; what became of NATS since (AWAY, BACK, REPLACED or nothing), and in words.

        A stream that was made again, or has something else where it was read, is read from its
        start.
        """
        try:
            messages = [] if self.away else await self.reader.batch(BATCH, WAIT_SECONDS)
            if self.away or self.opened != self.reader.opened:
                if said := await self._replaced():
                    return [], "REPLACED", said
                back, self.away, self.opened = self.away, False, self.reader.opened
                if back:
                    return [], "BACK", SAID["BACK"]
        except PASSING:
            said, self.away = "" if self.away else "AWAY", True
            await asyncio.sleep(RETRY_SECONDS)
            return [], said, SAID.get(said, "")
        for last in messages[-1:]:
            self.read, self.mark = last.sequence, mark_of(last.subject, last.body)
        return messages, "", ""

    async def _replaced(self) -> str:
        """Begin again where the stream is another one, and say so; empty where it is the same."""
        stream, read = self.reader.stream, self.read
        found = await self.bus.info(stream)
        same = self.made_at in (None, found.created)
        if same and await mark_at(self.bus, stream, read) == self.mark:
            self.made_at = found.created
            return ""
        await self.reader.close()
        self.reader.next, self.read, self.mark = 1, 0, ""
        self.made_at, self.away = found.created, False
        return SAID["REPLACED"].format(read=read, end=found.state.last_seq)


async def tail(bus: Bus, wanted: Wanted, *, as_json: bool) -> AsyncIterator[str]:
    """
    Yield a line per event; faults of the stream, and that NATS is away or back, are lines too.

    Without `follow` it ends where the stream ends now.

    Raises:
        BusDown, NatsError, OSError, TimeoutError: NATS went away, without `follow`.
    """
    stream, subjects = wanted.source
    reader = Reader(bus.client, stream, subjects, since=wanted.since)
    known: dict[str, Place] = {}
    shown: dict[str, Place] = {}
    if not wanted.follow:
        last, reached = await bus.last_sequence(stream), 0
        while reached < last and (messages := await reader.batch(BATCH, WAIT_SECONDS)):
            for line in _lines(messages, known, shown, wanted, as_json=as_json):
                yield line
            reached = messages[-1].sequence
        await reader.close()
        return
    following = _Following(bus, reader)
    while True:
        messages, said, words = await following.batch()
        if said:
            yield _fault(said, stream, words, as_json=as_json)
        if said == "REPLACED":
            shown = dict(known)
        for line in _lines(messages, known, shown, wanted, as_json=as_json):
            yield line


def _lines(
    messages: Sequence[Message],
    known: dict[str, Place],
    shown: Mapping[str, Place],
    wanted: Wanted,
    *,
    as_json: bool,
) -> Iterator[str]:
    """Return a line per event and per fault; `shown` is what another stream held before."""
    for message in messages:
        try:
            event = read_event(message)
        except EventUnreadable as failure:
            yield _fault("UNREADABLE", message.subject, str(failure), as_json=as_json)
            continue
        verdict = judged(known, event)
        before = shown.get(event.loan_id, Place()).sequence
        if verdict is Verdict.DUPLICATE and event.sequence <= before:
            continue
        if verdict is not Verdict.NEXT:
            yield _fault(str(verdict), event.id, "", as_json=as_json)
        if wanted.holds(event):
            yield _json(event) if as_json else _row(event)


def _fault(name: str, what: str, detail: str, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"fault": name, "id": what, "detail": detail})
    return f"!! {name} {what} {detail}".rstrip()


def _json(event: Event) -> str:
    body = MessageToDict(event.body, preserving_proto_field_name=True)
    told = {"id": event.id, "hash": event.hash, **body, "type": event.type}
    labels = {name: event.message.headers.get(f"ce-{name}", "") for name in LABELS}
    return json.dumps(told | {name: label for name, label in labels.items() if label})


def _row(event: Event) -> str:
    late = event.body.delinquency
    overdue = late.principal_overdue_minor + late.interest_overdue_minor
    note = event.body.reason
    if event.type == "BUCKET_CHANGED":
        note = f"{event.body.scheme}: {event.body.bucket_from} to {event.body.bucket_to}"
    elif event.body.amount_minor:
        note = f"{event.body.amount_minor} {event.body.currency} {note}"
    return COLUMNS.format(
        recorded=event.recorded_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        loan=event.loan_id,
        number=event.sequence,
        type=event.type,
        dpd=late.days_past_due,
        arrears=overdue + late.charges_overdue_minor,
        bucket=late.buckets.get("m", ""),
        note=note,
    ).rstrip()
