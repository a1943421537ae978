"""Tell the log again beside the live stream, for a consumer that is rebuilt or tried out."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from services.ledger.application.following import Follower
from services.ledger.wire_events import Outgoing, outgoing_of
from shared.kernel.errors import InvalidArgument
from shared.runtime.bus import Bus, Fence, SequenceMoved
from shared.runtime.streams import PREVIEW, PREVIEW_STREAM
from shared.subscriber.chain import Place

PAGE = 500
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class ExperimentInvalid(InvalidArgument):
    """The name of a retelling is lower-case letters, digits and dashes, 40 at most."""


@dataclass(slots=True)
class Retelling:
    """
    Publishes the log's events on lending.preview.<experiment>.<event>.<loan>.

    The bodies, numbers and hashes are those of the live stream; told twice, nothing is doubled.
    """

    follower: Follower
    bus: Bus
    experiment: str
    loan_id: str = ""

    @property
    def subject(self) -> str:
        """What the subjects begin with; a Subscriber is given it with the stream's name."""
        return f"{PREVIEW}.{self.experiment}"

    async def tell(self) -> int:
        """
        Tell the whole log, or one loan of it; return how many events were not there yet.

        Raises:
            ExperimentInvalid: the name cannot be part of a subject.
            BusDown: NATS does not answer; tell again.
        """
        if not _NAME.fullmatch(self.experiment):
            raise ExperimentInvalid(
                f"{self.experiment!r} cannot be part of a subject", field="experiment"
            )
        await self.bus.ensure_streams()
        places: dict[str, Place] = {}
        ends: dict[str, int] = {}
        position = told = 0
        while True:
            page = await asyncio.to_thread(self.follower.page, position, PAGE)
            if page.reached == position:
                return told
            position = page.reached
            for row in page.followed:
                loan_id = row.event.loan_id
                if self.loan_id and loan_id != self.loan_id:
                    continue
                for message in outgoing_of(row, places.get(loan_id, Place()), self.subject):
                    places[loan_id] = message.place
                    told += await self._publish(loan_id, message, ends)

    async def _publish(self, loan_id: str, message: Outgoing, ends: dict[str, int]) -> bool:
        """Store a message behind the loan's last; return False when it was there."""
        fence = Fence(f"{self.subject}.*.{loan_id}", ends.get(loan_id, 0))
        try:
            stored = await self.bus.publish(
                message.subject, message.body, "", message.headers, fence
            )
        except SequenceMoved:
            last = await self.bus.last_message(PREVIEW_STREAM, fence.subject)
            number = int((last.headers or {}).get("ce-sequence", "0")) if last else 0
            if number >= message.place.sequence:
                return False
            ends[loan_id] = (last.seq or 0) if last else 0
            return await self._publish(loan_id, message, ends)
        ends[loan_id] = stored.sequence
        return True
