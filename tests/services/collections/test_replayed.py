"""The whole stream read again from its first message, by a process over NATS: nothing leaves."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from tests.services.collections.carriers import Carrier, Mailbox, SmtpServer
from tests.services.collections.test_carriers import (
    LOANS,
    all_messages,
    collections,
    done,
    publish_twice,
    register_all,
)
from tests.system.processes import Service, free_port

__all__ = ["collections"]
EVENTS = 2 * 2 * LOANS
"""Two of each loan, each published twice; what collections says itself is in the stream, too."""


def heard(file: Path) -> tuple[int, int]:
    """Return how far the stream was read, and how many loans have their case."""
    with sqlite3.connect(file) as records:
        (read,) = records.execute("SELECT coalesce(max(sequence), 0) FROM stream_read").fetchone()
        (cases,) = records.execute("SELECT count(*) FROM records WHERE kind = 'Case'").fetchone()
    return read, cases


async def heard_all(file: Path, until: int) -> int:
    """Wait until the stream was read so far; return how far it was."""
    for _ in range(300):
        read, cases = heard(file)
        if read >= until and cases == LOANS:
            return read
        await asyncio.sleep(0.1)
    raise AssertionError(heard(file))


def forget(file: Path, *, records_too: bool) -> None:
    """Lose how far the stream was read; with everything else, if asked."""
    tables = ["stream_read", "stream_places", "stream_parked", "stream_told_before"]
    tables += ["records", "requests", "outbox"] if records_too else []
    with sqlite3.connect(file) as records:
        for table in tables:
            records.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("lost", ["place", "everything"])
async def test_the_whole_stream_again_sends_nothing(
    collections: Service, tmp_path: Path, lost: str
) -> None:
    """A place in the stream that is lost is found again; a lost database comes back mute."""
    mailbox, file = Mailbox(), tmp_path / "collections.db"
    with SmtpServer(free_port(), mailbox) as smtp, Carrier(free_port()) as carrier:
        collections.environment["COLLECTIONS_SMTP_PORT"] = str(smtp.port)
        collections.environment["COLLECTIONS_WEBHOOK_URL"] = carrier.url
        collections.start()
        await register_all(collections)
        await publish_twice(collections, random.Random(7))
        for _ in range(300):
            if done(await all_messages(collections)):
                break
            await asyncio.sleep(0.1)
        await heard_all(file, EVENTS)
        collections.stop()
        read, _ = heard(file)
        before = (Counter(mailbox.taken), Counter(carrier.taken), carrier.posts)

        forget(file, records_too=lost == "everything")
        if lost == "everything":
            collections.environment["COLLECTIONS_MUTE_HISTORY"] = "yes"
        collections.start()
        if lost == "everything":
            await register_all(collections)
        await heard_all(file, read)
        await asyncio.sleep(1.0)
        after = await all_messages(collections)

    assert sum(before[0].values()) + sum(before[1].values()) >= LOANS
    assert (mailbox.taken, carrier.taken, carrier.posts) == before
    assert done(after) and len({one.loan_id for one in after}) == LOANS
