"""Read a stream in order from any place on: gaps of delivery are noticed and read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from uuid import uuid4

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

PULL = 512
EXPIRES_SECONDS, HEARTBEAT_SECONDS, SILENT_SECONDS_MAX = 10.0, 1.0, 3.0
INACTIVE_SECONDS = 30.0
RETRY_SECONDS = 0.3
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message at its place in its stream."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    sequence: int
    stored_at: datetime
    pending: int = 0


@dataclass(slots=True)
class Reader:
    """
    An ordered reader: acknowledges nothing, because its caller stores how far it has come.

    `next` is the stream sequence from which it reads on; a broken consumer is made again there,
    and `opened` counts them.
    """

    client: Client
    stream: str
    subjects: Sequence[str]
    next: int = 1
    since: datetime | None = None
    queue: asyncio.Queue[Msg] = field(default_factory=asyncio.Queue)
    subscription: Subscription | None = None
    consumer: str = ""
    delivered: int = 0
    wanted: int = 0
    pending: int = 0
    heard_at: float = 0.0
    opened: int = 0

    async def batch(self, limit: int, timeout_seconds: float) -> list[Message]:
        """
        Return up to `limit` messages, as soon as there is one; none when none came in time.

        Raises:
            NatsError, TimeoutError: the server is away; call again.
        """
        until = monotonic() + timeout_seconds
        found: list[Message] = []
        while not found and (left := until - monotonic()) > 0:
            # What waits in the queue was said while the caller was busy.
            if self.queue.empty() and monotonic() - self.heard_at > SILENT_SECONDS_MAX:
                await self.close()
            await self._ask()
            try:
                first = await asyncio.wait_for(self.queue.get(), min(left, SILENT_SECONDS_MAX))
            except TimeoutError:
                continue
            await self._take(first, found)
            while len(found) < limit and not self.queue.empty():
                await self._take(self.queue.get_nowait(), found)
        return found

    async def left(self) -> int:
        """
        Return how many messages are still to come; exact when nobody publishes meanwhile.

        Raises:
            NatsError, TimeoutError: the server is away; call again.
        """
        if self.subscription is None:
            await self._open()
        return self.pending

    async def _take(self, message: Msg, found: list[Message]) -> None:
        self.heard_at = monotonic()
        status = (message.headers or {}).get("Status", "")
        if status == "100":
            return
        if status:
            self.wanted = 0
            if status in ("503", "404") or "Deleted" in (message.headers or {}).get(
                "Description", ""
            ):
                await self.close()
                await asyncio.sleep(RETRY_SECONDS)
            return
        place = message.metadata
        if place.sequence.consumer != self.delivered + 1:
            await self.close()
            return
        self.delivered += 1
        self.wanted -= 1
        self.next = place.sequence.stream + 1
        self.pending = place.num_pending
        found.append(
            Message(
                message.subject,
                message.data,
                message.headers or {},
                place.sequence.stream,
                place.timestamp,
                place.num_pending,
            )
        )

    async def _ask(self) -> None:
        """Ask for more once everything asked for has come."""
        if self.subscription is None:
            await self._open()
        if self.wanted > 0 or self.subscription is None:
            return
        self.wanted = PULL
        request = {
            "batch": PULL,
            "expires": int(EXPIRES_SECONDS * NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * NANOSECONDS),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer}"
        await self.client.publish(
            subject, json.dumps(request).encode(), reply=self.subscription.subject
        )

    async def _open(self) -> None:
        timed = self.since is not None and self.next == 1
        start = {"opt_start_time": self.since} if timed else {"opt_start_seq": self.next}
        config = ConsumerConfig(
            name=f"reader-{uuid4().hex}",
            deliver_policy=(
                DeliverPolicy.BY_START_TIME if timed else DeliverPolicy.BY_START_SEQUENCE
            ),
            ack_policy=AckPolicy.NONE,
            filter_subjects=list(self.subjects),
            inactive_threshold=INACTIVE_SECONDS,
            mem_storage=True,
            num_replicas=1,
            **start,  # type: ignore[arg-type]
        )
        made = await self.client.jsm().add_consumer(self.stream, config)
        self.consumer, self.delivered, self.wanted = made.name, 0, 0
        self.pending = made.num_pending or 0
        self.opened += 1
        self.heard_at = monotonic()
        self.queue = asyncio.Queue()
        self.subscription = await self.client.subscribe(self.client.new_inbox(), cb=self.queue.put)

    async def close(self) -> None:
        """Let go of the consumer; the next batch makes another one."""
        subscription, self.subscription = self.subscription, None
        if subscription is None:
            return
        try:
            await subscription.unsubscribe()
            # Nobody waits for it: where the consumer is gone with its server, nobody answers.
            subject = f"$JS.API.CONSUMER.DELETE.{self.stream}.{self.consumer}"
            await self.client.publish(subject, reply=self.client.new_inbox())
        except (NatsError, TimeoutError):
            return


async def to_the_end(reader: Reader, limit: int, silent_seconds: float) -> AsyncIterator[Message]:
    """
    Yield what is in a stream by now, in its order, and close the reader.

    Raises:
        TimeoutError: it stopped coming before its end; nothing is known then.
        NatsError: the server is away.
    """
    try:
        while await reader.left():
            messages = await reader.batch(limit, silent_seconds)
            if not messages:
                raise TimeoutError(f"{reader.stream} stopped coming before its end")
            for message in messages:
                yield message
    finally:
        await reader.close()
