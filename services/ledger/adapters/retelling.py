"""Tell the log again beside the live stream: as it is, or as another policy would have told it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.ledger.adapters.spilling import Spilling
from services.ledger.adapters.telling import LABEL, Telling
from services.ledger.application.following import Followed, Follower
from services.ledger.application.ports import Log, Logged
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.events import Fact
from services.ledger.domain.shadow import Shadow
from shared.runtime.bus import Bus, BusDown
from shared.runtime.streams import PREVIEW_STREAM

PAGE = 500


@dataclass(slots=True)
class Retelling:
    """
    Publishes the log's events on lending.preview.<experiment>.<event>.<loan>.

    The bodies, numbers and hashes are those of the live stream; told twice, nothing is doubled.
    With `until`, as they were told at that instant; with `loan_id`, of one loan.
    """

    follower: Follower
    bus: Bus
    experiment: str
    loan_id: str = ""
    until: datetime | None = None

    async def tell(self) -> int:
        """
        Tell the log; return how many events were not there yet.

        Raises:
            ExperimentInvalid, ExperimentTaken: the name cannot be used.
            BusDown: NATS does not answer; tell again.
        """
        telling = Telling(self.bus, self.experiment)
        await telling.begin()
        position = told = 0
        while True:
            page = await asyncio.to_thread(self.follower.page, position, PAGE)
            if page.reached == position:
                return told
            position = page.reached
            for row in page.followed:
                if self._wanted(row.event):
                    told += await telling.tell(row)

    def _wanted(self, event: Fact) -> bool:
        if self.until is not None and event.recorded_at > self.until:
            return False
        return self.loan_id in ("", event.loan_id)


@dataclass(slots=True)
class Preview:
    """
    Publishes what another policy would have said on lending.preview.<experiment>.delinquency.….

    Every message names the experiment and the hash of what is supposed; `log_version` counts the
    preview's own events. Of most loans only where they stand is in memory: see `Spilling`.
    """

    log: Log
    decode: Callable[[str, bytes], msgspec.Struct]
    telling: Telling
    shadow: Shadow
    position: int = 0

    async def tell(self) -> int:
        """
        Tell what is new in the log; return how many events were not there yet.

        Raises:
            ExperimentInvalid, ExperimentTaken: the name cannot be used.
            TermsInvalid: a supposed term leaves its range.
            BusDown: NATS does not answer; make another preview and tell again.
        """
        await self.telling.begin()
        told = 0
        while rows := await asyncio.to_thread(self.log.log, self.position, PAGE):
            for row in rows:
                told += await self._take(row)
            self.position = rows[-1].position
        return told

    async def _take(self, row: Logged) -> int:
        event, told = self.decode(row.topic, row.state), 0
        if isinstance(event, Fact | BusinessDateAdvanced):
            for fact, account in self.shadow.take(event):
                stream = f"loan/{fact.loan_id}"
                logged = Logged(row.position, stream, account.version, row.topic, row.state)
                told += await self.telling.tell(Followed(logged, fact, account))
        return told


def preview_of(
    log: Log,
    decode: Callable[[str, bytes], msgspec.Struct],
    bus: Bus,
    experiment: str,
    supposition: Supposition,
) -> Preview:
    """Return the preview of a supposition, labelled with its hash."""
    label = {
        LABEL: supposition.sha256,
        "ce-experiment": experiment,
        "ce-source": f"duebook/ledger/preview/{experiment}",
    }
    telling = Telling(bus, experiment, ".delinquency", label)
    return Preview(log, decode, telling, Shadow(supposition, Spilling()))


async def following(made: Callable[[], Preview], seconds: float) -> AsyncIterator[int | None]:
    """
    Tell as the log grows: yield how many events were not there yet, or None as NATS goes away.

    A preview that broke off is made again from the log's start; what is there is not doubled, and
    a stream that was made again is told whole.

    Args:
        made: Makes a preview that has told nothing.
        seconds: Between two looks at the log, and at NATS.
    Raises:
        ExperimentInvalid, ExperimentTaken: the name cannot be used.
        TermsInvalid: a supposed term leaves its range.
    """
    preview, made_at, away = made(), None, False
    bus = preview.telling.bus
    while True:
        try:
            created = (await bus.info(PREVIEW_STREAM)).created
            if made_at not in (None, created):
                preview = made()
            made_at = created
            if (told := await preview.tell()) or away:
                yield told
            away = False
        except BusDown:
            if not away:
                yield None
            preview, made_at, away = made(), None, True
            await bus.ensure_streams()
        await asyncio.sleep(seconds)
