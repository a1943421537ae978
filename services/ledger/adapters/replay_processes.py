"""Replay the log on several cores: each process takes a share of the loans, whole loans each."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from zlib import crc32

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.following import Follower
from services.ledger.application.verifying import Replayed, replay_log

EVENTS_ALONE = 50_000
"""Up to so many events a second process costs more than it saves."""


class ReplayEnded(Exception):
    """A process that replayed a share of the log ended before it was done."""


def processes_for(events: int) -> int:
    """Return how many processes replay so many events: one per core, one for a short log."""
    return 1 if events <= EVENTS_ALONE else os.cpu_count() or 1


def replay(
    database_url: str, processes: int, say: Callable[[int], None] = lambda _: None
) -> Replayed:
    """
    Replay the whole log.

    Args:
        database_url: The log.
        processes: Among how many the loans are shared; with one, nothing is started.
        say: Hears the position that every process has reached.
    Raises:
        ReplayEnded: one of the processes died.
    """
    if processes == 1:
        return _share(database_url, 0, 1, say)
    context = get_context("spawn")
    reached: dict[Connection, int] = {}
    started = []
    for part in range(processes):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_send, args=(theirs, database_url, part, processes))
        process.start()
        theirs.close()
        started.append((process, ours))
        reached[ours] = 0
    try:
        shares = _gather(reached, say)
        return _joined([shares[ours] for _, ours in started])
    finally:
        for process, _ in started:
            process.kill()
            process.join()


def _gather(
    reached: dict[Connection, int], say: Callable[[int], None]
) -> dict[Connection, Replayed]:
    """Listen to every process until each has sent its share."""
    shares: dict[Connection, Replayed] = {}
    while len(shares) < len(reached):
        for ready in wait([one for one in reached if one not in shares]):
            assert isinstance(ready, Connection)
            try:
                heard = ready.recv()
            except EOFError:
                raise ReplayEnded("a process that replayed the log died") from None
            if isinstance(heard, Exception):
                raise heard
            if isinstance(heard, Replayed):
                shares[ready] = heard
            else:
                reached[ready] = heard
                say(min(reached.values()))
    return shares


def _joined(shares: list[Replayed]) -> Replayed:
    first, *others = shares
    for other in others:
        first.join(other)
    return first


def _share(database_url: str, part: int, of: int, say: Callable[[int], None]) -> Replayed:
    store = open_event_store(database_url)
    try:
        mine = (lambda name: crc32(name.encode()) % of == part) if of > 1 else (lambda name: True)
        return replay_log(Follower(store, decode, mine), say)
    finally:
        store.close()


def _send(connection: Connection, database_url: str, part: int, of: int) -> None:
    """Replay one share in a process of its own, and send it; the accounts stay there."""
    try:
        replayed = _share(database_url, part, of, connection.send)
        replayed.accounts, replayed.posted = {}, {}
        connection.send(replayed)
    except Exception as failure:
        connection.send(failure)
    finally:
        connection.close()
