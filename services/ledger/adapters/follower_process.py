"""The log's followers in a process of their own, so that serving never waits for them."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from time import monotonic

import structlog

from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.ports import Log
from services.ledger.application.projecting import CATCH_UP_SECONDS_MAX, ReadModelsBehind
from services.ledger.config import LedgerSettings

RESTART_SECONDS, STOP_SECONDS = 1.0, 4.0
LOOK_SECONDS, LOOK_SECONDS_MAX = 0.002, 0.05
WAITING_BYTES_MAX = 1024
WAKE, HURRY = b"w", b"h"


@dataclass(slots=True)
class FollowerProcess:
    """Starts `services.ledger follow`, wakes it through its standard input, restarts it."""

    settings: LedgerSettings
    log: Log
    models: ReadModels
    process: asyncio.subprocess.Process | None = None
    position: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the followers running until told to stop; then let them finish what they do."""
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.ledger", "follow"),
                stdin=asyncio.subprocess.PIPE,
                env=environment_of(self.settings),
            )
            ended = asyncio.ensure_future(self.process.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                code = self.process.returncode
                structlog.get_logger().warning("the log's followers ended", code=code)
                await asyncio.wait({stopping}, timeout=RESTART_SECONDS)
        await self._end()

    async def _end(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()

    def wake(self, word: bytes = WAKE) -> None:
        """Say that there is something new in the log."""
        pipe = self.process.stdin if self.process else None
        if pipe is None or pipe.transport.is_closing():
            return
        if pipe.transport.get_write_buffer_size() < WAITING_BYTES_MAX:
            pipe.write(word)

    async def caught_up(self) -> None:
        """
        Wait until everything committed before this call can be read.

        Raises:
            ReadModelsBehind: not within half a minute.
        """
        wanted = await asyncio.to_thread(self.log.last_position)
        until, pause = monotonic() + CATCH_UP_SECONDS_MAX, LOOK_SECONDS
        while self.position < wanted:
            self.position = await self.models.position("read-models")
            if self.position >= wanted:
                return
            if monotonic() > until:
                raise ReadModelsBehind("the read models are behind the log")
            self.wake(HURRY)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_SECONDS_MAX)


def environment_of(settings: LedgerSettings) -> dict[str, str]:
    """Return the environment that gives another process the same settings."""
    prefix = settings.model_config.get("env_prefix", "")
    given = {f"{prefix}{name}".upper(): str(value) for name, value in settings.model_dump().items()}
    return {**os.environ, **given}
