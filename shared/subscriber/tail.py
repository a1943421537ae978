"""Watch the stream as a person does: some loans, some events, since some time, as lines or JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict

from shared.runtime.bus import Bus
from shared.runtime.reading import Reader
from shared.runtime.streams import DELINQUENCY, PREVIEW, PREVIEW_STREAM, STREAM
from shared.subscriber.chain import Place, Verdict, judge
from shared.subscriber.event import Event, EventUnreadable, read_event

BATCH, WAIT_SECONDS = 200, 1.0
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


async def tail(bus: Bus, wanted: Wanted, *, as_json: bool) -> AsyncIterator[str]:
    """
    Yield a line per event; faults of the stream are lines too.

    Without `follow` it ends where the stream ends now.
    """
    stream, subjects = wanted.source
    reader = Reader(bus.client, stream, subjects, since=wanted.since)
    last = 0 if wanted.follow else await bus.last_sequence(stream)
    known: dict[str, Place] = {}
    while True:
        messages = await reader.batch(BATCH, WAIT_SECONDS)
        if not messages and not wanted.follow:
            break
        for message in messages:
            try:
                event = read_event(message)
            except EventUnreadable as failure:
                yield _fault("UNREADABLE", message.subject, str(failure), as_json=as_json)
                continue
            verdict = _verdict(known, event)
            if verdict is not Verdict.NEXT:
                yield _fault(str(verdict), event.id, "", as_json=as_json)
            if wanted.holds(event):
                yield _json(event) if as_json else _row(event)
        if not wanted.follow and messages and messages[-1].sequence >= last:
            break
    await reader.close()


def _verdict(known: dict[str, Place], event: Event) -> Verdict:
    """Judge an event against what was seen of its loan; the first one seen is taken as it is."""
    place = known.get(event.loan_id, Place(event.sequence - 1, event.previous_hash))
    verdict = judge(place, event.sequence, event.previous_hash, event.message.body)
    if verdict not in (Verdict.DUPLICATE, Verdict.REWRITTEN):
        known[event.loan_id] = Place(event.sequence, event.hash)
    return verdict


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
