"""The ledger's other processes, seen from inside: woken by its words, and gone when it is."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from services.ledger.adapters.follower_process import HURRY

PR_SET_PDEATHSIG = 1


async def listen(wake: Callable[[bool], None], stop: asyncio.Event) -> None:
    """
    Hear the ledger on standard input; stop when it says no more.

    Args:
        wake: Told at each word, and once more at the end; True when somebody waits for it.
        stop: Set when the ledger is gone, or asks for it.
    """
    loop, words = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        reading = asyncio.ensure_future(words.read(4096))
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done() or not reading.result():
            reading.cancel()
            stop.set()
            break
        wake(HURRY in reading.result())
    wake(True)


def die_with_the_ledger(nice: int = 0) -> None:
    """Leave Ctrl-C to the ledger, and be killed with it where Linux can do that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
