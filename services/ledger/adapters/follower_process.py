"""The log's followers in processes of their own, so that serving never waits for them."""

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
WAKE_SECONDS = {"follow": 0.1, "relay": 0.01}
"""How long commits are gathered after a word: what is told together costs a part of it."""


@dataclass(slots=True)
class ChildProcess:
    """Runs `services.ledger <command>`, wakes it through its standard input, restarts it."""

    settings: LedgerSettings
    command: str
    process: asyncio.subprocess.Process | None = None
    quiet_until: float = 0.0
    owed: asyncio.TimerHandle | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it running until told to stop; then let it finish what it does."""
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.ledger", self.command),
                stdin=asyncio.subprocess.PIPE,
                env=environment_of(self.settings),
            )
            ended = asyncio.ensure_future(self.process.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                log, code = structlog.get_logger(), self.process.returncode
                log.warning("a follower of the log ended", command=self.command, code=code)
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

    def wake(self) -> None:
        """Say that there is something new in the log: at once, or soon after the last time."""
        if self.owed is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self.quiet_until:
            self.owed = loop.call_at(self.quiet_until, self.say)
        else:
            self.say()

    def say(self, word: bytes = WAKE) -> None:
        """Say a word now."""
        self.owed = None
        self.quiet_until = asyncio.get_running_loop().time() + WAKE_SECONDS[self.command]
        pipe = self.process.stdin if self.process else None
        if pipe is None or pipe.transport.is_closing():
            return
        if pipe.transport.get_write_buffer_size() < WAITING_BYTES_MAX:
            pipe.write(word)


@dataclass(slots=True)
class Followers:
    """The process of read models and seals, and the one that tells the world."""

    following: ChildProcess
    relaying: ChildProcess
    log: Log
    models: ReadModels
    position: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Keep both running; the end of one is none of the other's business."""
        await asyncio.gather(self.following.run(stop), self.relaying.run(stop))

    def wake(self) -> None:
        """Say to both that there is something new in the log."""
        self.relaying.wake()
        self.following.wake()

    def hurry(self) -> None:
        """Say that somebody waits for read models or seals."""
        self.following.say(HURRY)

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
            self.hurry()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_SECONDS_MAX)


def environment_of(settings: LedgerSettings) -> dict[str, str]:
    """Return the environment that gives another process the same settings."""
    prefix = settings.model_config.get("env_prefix", "")
    given = {f"{prefix}{name}".upper(): str(value) for name, value in settings.model_dump().items()}
    return {**os.environ, **given}


def followers_of(settings: LedgerSettings, log: Log, models: ReadModels) -> Followers:
    """Return the followers of a log, not started yet."""
    children = (ChildProcess(settings, command) for command in ("follow", "relay"))
    return Followers(*children, log, models)
