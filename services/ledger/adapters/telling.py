"""Publish loans under a name of their own beside the live stream: once, in order, never mixed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.ledger.application.following import Followed
from services.ledger.wire_events import Outgoing, outgoing_of
from shared.kernel.errors import Conflict, InvalidArgument
from shared.runtime.bus import Bus, Fence, SequenceMoved
from shared.runtime.streams import PREVIEW, PREVIEW_STREAM
from shared.subscriber.chain import Place, place_of

LABEL = "ce-policysha256"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class ExperimentInvalid(InvalidArgument):
    """The name of an experiment is lower-case letters, digits and dashes, 40 at most."""


class ExperimentTaken(Conflict):
    """Under this name something else was told: take another name, or wait a week."""


class _End(NamedTuple):
    """The last message of a loan in the stream, and its stream sequence."""

    place: Place = Place()
    sequence: int = 0


@dataclass(slots=True)
class Telling:
    """
    One experiment's subjects in the stream of previews.

    `part` follows the experiment's name in each subject; `label` are headers of every message.
    """

    bus: Bus
    experiment: str
    part: str = ""
    label: Mapping[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    ends: dict[str, _End] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What the subjects begin with; a Subscriber is given it with the stream's name."""
        return f"{PREVIEW}.{self.experiment}{self.part}"

    async def begin(self) -> None:
        """
        Make the stream where it is missing.

        Raises:
            ExperimentInvalid: the name cannot be part of a subject.
            ExperimentTaken: something of another label is there.
            BusDown: NATS does not answer.
        """
        if not _NAME.fullmatch(self.experiment):
            raise ExperimentInvalid(
                f"{self.experiment!r} cannot be part of a subject", field="experiment"
            )
        await self.bus.ensure_streams()
        last = await self.bus.last_message(PREVIEW_STREAM, f"{PREVIEW}.{self.experiment}.>")
        told = (last.headers or {}).get(LABEL, "") if last else None
        if told is not None and told != self.label.get(LABEL, ""):
            raise ExperimentTaken(
                f"{self.experiment} tells {told or 'the log itself'}", field="experiment"
            )

    async def tell(self, row: Followed) -> int:
        """
        Publish what a fact is told as; return how many messages were not there yet.

        Raises:
            ExperimentTaken: the stream holds another history of the loan.
            BusDown: NATS does not answer; tell again.
        """
        told, loan_id = 0, row.event.loan_id
        for message in outgoing_of(row, self.places.get(loan_id, Place()), self.subject):
            self.places[loan_id] = message.place
            told += await self._publish(loan_id, message)
        return told

    async def _publish(self, loan_id: str, message: Outgoing) -> bool:
        fence = f"{self.subject}.*.{loan_id}"
        while True:
            end = self.ends.get(loan_id) or await self._end(fence)
            self.ends[loan_id] = end
            if end.place.sequence == message.place.sequence and end.place != message.place:
                raise ExperimentTaken(f"{message.id} is another event there", field="experiment")
            if end.place.sequence >= message.place.sequence:
                return False
            try:
                stored = await self.bus.publish(
                    *(message.subject, message.body, "", message.headers | dict(self.label)),
                    Fence(fence, end.sequence),
                )
            except SequenceMoved:
                del self.ends[loan_id]
                continue
            self.ends[loan_id] = _End(message.place, stored.sequence)
            return True

    async def _end(self, subject: str) -> _End:
        last = await self.bus.last_message(PREVIEW_STREAM, subject)
        if last is None:
            return _End()
        return _End(place_of(last.headers or {}, last.data or b""), last.seq or 0)
