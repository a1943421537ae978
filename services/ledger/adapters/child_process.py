"""The ledger's other processes, seen from inside: woken by its words, and gone when it is."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from services.ledger.adapters.follower_process import HURRY

PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class _Words(asyncio.Protocol):
    """Hears each word at once: a task per word costs ten times as much."""

    wake: Callable[[bool], None]
    stop: asyncio.Event

    def data_received(self, data: bytes) -> None:
        """Hear what was said."""
        self.wake(HURRY in data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop: nobody says anything any more."""
        self.stop.set()


async def listen(wake: Callable[[bool], None], stop: asyncio.Event) -> None:
    """
    Hear the ledger on standard input; stop when it says no more.

    Args:
        wake: Told at each word, and once more at the end; True when somebody waits for it.
        stop: Set when the ledger is gone, or asks for it.
    """
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    transport, _ = await loop.connect_read_pipe(lambda: _Words(wake, stop), sys.stdin)
    await stop.wait()
    transport.close()
    wake(True)


def die_with_the_ledger(nice: int = 0) -> None:
    """Leave Ctrl-C to the ledger, and be killed with it where Linux can do that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
