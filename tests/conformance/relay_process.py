"""A relay as a process that kills itself at a named point: arguments URL DATABASE POINT TIMES."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels, Told
from services.ledger.adapters.relay import Relay
from services.ledger.adapters.told import SAVE_SECONDS
from services.ledger.application.following import Follower
from shared.runtime.bus import Bus, Draft, Outcome
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

    def blows(self, point: str) -> bool:
        """Pass a point; return whether it is the one to die at."""
        self.left -= point == self.point
        return point == self.point and not self.left

    def passing(self, point: str) -> None:
        """Pass a point, or die."""
        if self.blows(point):
            os.kill(os.getpid(), signal.SIGKILL)


def watched(fuse: Fuse) -> type[ReadModels]:
    """Return read models whose position is such a point, and make the bus's messages others."""
    publish = Bus.publish_all

    async def publish_watched(self: Bus, drafts: Sequence[Draft]) -> list[Outcome]:
        what = "a state" if drafts and drafts[0].subject.startswith(STATE) else "an event"
        for number in range(len(drafts)):
            if fuse.blows(f"before {what}"):
                # Those before it are on their way, and nobody waits for what is said to them.
                sending = asyncio.ensure_future(publish(self, drafts[:number]))
                await self.client.flush()
                sending.cancel()
                os.kill(os.getpid(), signal.SIGKILL)
        outcomes = await publish(self, drafts)
        for _ in drafts:
            fuse.passing(f"after {what}")
        return outcomes

    Bus.publish_all = publish_watched

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
    # Seldom stored, as in service, the position is behind what was published when it dies.
    often = 0.0 if "position" in point else SAVE_SECONDS
    relay = Relay(Follower(store, decode), models, nats_url, page=PAGE, save_seconds=often)
    await relay.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
