"""Runs a Python handler as a subscriber of its own: `python -m tests.conformance.host MODULE:MAKE`.

MAKE takes the records of the subscriber's database and returns what hears events, or a coroutine of
it. NATS_URL and FOLDER come from the environment; with KILL_AFTER=n it kills itself when its
handler has worked for the n-th time and nothing of that is committed yet.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table, insert

from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.records import Records, Work
from shared.runtime.telemetry import configure_logging
from shared.subscriber.checkpoints import Checkpoints
from shared.subscriber.event import Event
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber

APPLICATION_ID = 0x44554549
METADATA = MetaData()
EFFECTS = Table(
    "effects",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("loan_id", String(40), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("days_past_due", Integer, nullable=False),
)


async def main(handler: str) -> None:
    """Subscribe until killed."""
    configure_logging("host", "WARNING")
    folder = Path(os.environ["FOLDER"])
    os.chdir(folder)
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/subscriber.db"))
    await records.create(APPLICATION_ID)
    await create_inbox(records.engine)
    async with records.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    module, _, name = handler.partition(":")
    made = getattr(importlib.import_module(module), name)(records)
    told = await made if inspect.isawaitable(made) else made

    left = int(os.environ.get("KILL_AFTER", "0"))

    async def hear(event: Event, unit: Work) -> None:
        nonlocal left
        row = {"loan_id": event.loan_id, "sequence": event.sequence}
        row["days_past_due"] = event.body.delinquency.days_past_due
        await unit.connection.execute(insert(EFFECTS), row)
        await told(event, unit)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    bus = await Bus.connect(os.environ["NATS_URL"], "host")
    held = Checkpoints.of(os.environ.get("LEDGER_VERIFIER_KEYS", ""))
    made = Subscriber(bus, "host", records.work, hear, checkpoints=held)
    await made.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
