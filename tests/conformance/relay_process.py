"""A relay as a process that kills itself at a named point: arguments URL DATABASE POINT TIMES."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels, Told
from services.ledger.adapters.relay import Relay
from services.ledger.application.following import Follower
from shared.runtime.bus import Bus, Fence, Stored
from shared.runtime.database import open_database
from shared.runtime.streams import STATE

POINTS = (
    *("before a state", "after a state", "before an event", "after an event"),
    *("before the position", "after the position"),
)


PAGE = 20


class Fuse:
    """Kills this process, as kill -9 does, when a point is passed for the n-th time."""

    def __init__(self, point: str, times: int) -> None:
        self.point, self.left = point, times

    def passing(self, point: str) -> None:
        """Pass a point."""
        if point == self.point:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def watched(fuse: Fuse) -> type[ReadModels]:
    """Return read models whose position is such a point, and make the bus's messages others."""
    publish = Bus.publish

    async def publish_watched(
        self: Bus,
        subject: str,
        body: bytes,
        message_id: str,
        headers: Mapping[str, str],
        fence: Fence | None = None,
    ) -> Stored:
        what = "a state" if subject.startswith(STATE) else "an event"
        fuse.passing(f"before {what}")
        stored = await publish(self, subject, body, message_id, headers, fence)
        fuse.passing(f"after {what}")
        return stored

    Bus.publish = publish_watched

    class Watched(ReadModels):
        async def published(self, told: dict[str, Told], position: int) -> None:
            fuse.passing("before the position")
            await ReadModels.published(self, told, position)
            fuse.passing("after the position")

    return Watched


async def main(nats_url: str, database: str, point: str, times: str) -> None:
    """Relay until killed."""
    store = open_event_store(f"sqlite+aiosqlite:///{database}")
    tables = watched(Fuse(point, int(times)))
    models = tables(open_database(f"sqlite+aiosqlite:///{database}-read.db"))
    await models.create()
    relay = Relay(Follower(store, decode), models, nats_url, page=PAGE)
    await relay.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
