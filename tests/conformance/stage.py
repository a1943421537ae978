"""Where a candidate is tried: one NATS, one candidate, and how to wait for it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from shared.runtime.bus import Bus
from shared.runtime.nats_server import start_nats
from tests.conformance.candidates import Candidate

QUIET_SECONDS, STARTING_SECONDS = 8.0, 30.0
LOOK_SECONDS, LOOKING_SHARE_MAX = 0.1, 0.1
MakeCandidate = Callable[[str, Path, str], Candidate]
"""Makes a candidate: of the address of NATS, a folder, and the ledger's verifier key."""


@dataclass
class Stage:
    """One NATS and one candidate."""

    folder: Path
    port: int
    make: MakeCandidate
    key: str
    nats: subprocess.Popen[bytes] | None = None
    candidate: Candidate = field(init=False)

    @property
    def url(self) -> str:
        """Where NATS is."""
        return f"nats://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Bus]:
        """Start NATS and make the candidate; stop both at the end."""
        self.nats = start_nats(self.folder / "nats", self.port)
        self.candidate = self.make(self.url, self.folder / "candidate", self.key)
        bus = await Bus.connect(self.url, "kit")
        await bus.ensure_streams()
        try:
            yield bus
        finally:
            self.candidate.kill()
            await bus.close()
            self.stop_nats()

    def restart_nats(self, *, wiped: bool) -> None:
        """kill -9 the broker and start it again, with its files or without."""
        self.stop_nats()
        if wiped:
            shutil.rmtree(self.folder / "nats")
        self.nats = start_nats(self.folder / "nats", self.port)

    def signal_nats(self, number: int) -> None:
        """Send the broker a signal."""
        if self.nats is not None:
            self.nats.send_signal(number)

    def stop_nats(self) -> None:
        """kill -9 the broker."""
        if self.nats is not None:
            self.nats.kill()
            self.nats.wait()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until something is so, or nothing happens for a while; longer for the first."""
        changed_at, before = monotonic(), -1
        while True:
            began = monotonic()
            quiet = QUIET_SECONDS if before > 0 else STARTING_SECONDS
            if done() or began - changed_at > quiet:
                return
            heard = sum(len(numbers) for numbers in self.candidate.heard().values())
            if (now := heard + len(self.candidate.faults())) != before:
                changed_at, before = began, now
            # Among many loans looking takes long, and takes it from the candidate.
            took = monotonic() - began
            await asyncio.sleep(max(LOOK_SECONDS, took / LOOKING_SHARE_MAX))
