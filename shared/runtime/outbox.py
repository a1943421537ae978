"""What a service owes: published after the commit, oldest first, each once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import structlog
from google.protobuf.message import Message as Proto
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.runtime.bus import Bus, BusDown, NeverStored
from shared.runtime.record_tables import OUTBOX

PAGE = 200
OWED, SENT, SET_ASIDE = 0, 1, -1


class Owed(NamedTuple):
    """A message that is to be published, once per message id."""

    subject: str
    message_id: str
    body: Proto
    headers: Mapping[str, str]
    traceparent: str

    def row(self) -> dict[str, Any]:
        """Return it as the outbox keeps it."""
        traced = {"traceparent": self.traceparent, "ce-id": self.message_id, **self.headers}
        return {
            "subject": self.subject,
            "message_id": self.message_id,
            "body": self.body.SerializeToString(),
            "headers": msgspec.json.encode(traced),
            "sent": OWED,
        }


async def send_page(bus: Bus, engine: AsyncEngine, turn: asyncio.Lock) -> int:
    """Publish what is owed, oldest first; returns how many messages were looked at."""
    query = select(OUTBOX).where(OUTBOX.c.sent == OWED).order_by(OUTBOX.c.number).limit(PAGE)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).mappings().all()
    went: dict[int, list[int]] = {SENT: [], SET_ASIDE: []}
    try:
        for row in rows:
            headers = {k: v for k, v in msgspec.json.decode(row["headers"]).items() if v}
            how = await _publish(bus, row, headers)
            went[how].append(row["number"])
    except BusDown as failure:
        structlog.get_logger().warning("outbox waits for NATS", failure=str(failure))
        await asyncio.sleep(0.3)
    for how, numbers in went.items():
        if numbers:
            async with turn, engine.begin() as connection:
                done = update(OUTBOX).where(OUTBOX.c.number.in_(numbers)).values(sent=how)
                await connection.execute(done)
    return len(rows)


async def _publish(bus: Bus, row: Any, headers: Mapping[str, str]) -> int:
    """Publish what is owed; what no stream will ever take is set aside, so that others go on."""
    try:
        await bus.publish(row["subject"], row["body"], row["message_id"], headers)
    except NeverStored as failure:
        log = structlog.get_logger()
        log.error("owed message set aside", message_id=row["message_id"], failure=str(failure))
        return SET_ASIDE
    return SENT
