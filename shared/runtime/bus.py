"""The message bus: publish once, receive in order, survive every outage of NATS."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from shared.runtime.telemetry import MESSAGES, span

STREAM = "LENDING"
SUBJECTS = ["lending.v1.>"]
DUPLICATE_SECONDS = 120.0
RETRY_SECONDS = 0.5
ACK_SECONDS = 30.0


class BusDown(Exception):
    """NATS does not answer; the caller keeps the message and tries again."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a consumer gets it."""

    subject: str
    body: bytes
    headers: Mapping[str, str]
    sequence: int
    redelivered: bool


Work = Callable[[Message], Awaitable[None]]


@dataclass(slots=True)
class Bus:
    """One connection to NATS; it reconnects for ever."""

    client: Client

    @classmethod
    async def connect(cls, url: str, name: str) -> Bus:
        """Connect, waiting for as long as NATS is away."""
        while True:
            try:
                client = await nats.connect(
                    url,
                    name=name,
                    reconnect_time_wait=0.2,
                    max_reconnect_attempts=-1,
                    connect_timeout=2,
                    error_cb=_quietly,
                )
                return cls(client)
            except (OSError, NatsError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)

    @classmethod
    async def connect_unless(cls, stop: asyncio.Event, url: str, name: str) -> Bus | None:
        """Connect, or return None when told to stop before NATS answered."""
        connecting = asyncio.ensure_future(cls.connect(url, name))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not connecting.done():
            connecting.cancel()
            return None
        return connecting.result()

    async def ensure_stream(self) -> None:
        """Create the stream where there is none; wait while JetStream is away."""
        config = StreamConfig(
            name=STREAM,
            subjects=SUBJECTS,
            storage=StorageType.FILE,
            duplicate_window=DUPLICATE_SECONDS,
        )
        manager = self.client.jsm()
        while True:
            try:
                await manager.stream_info(STREAM)
                return
            except NotFoundError:
                await manager.add_stream(config)
            except (NatsError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)

    async def publish(
        self, subject: str, body: bytes, message_id: str, headers: Mapping[str, str]
    ) -> int:
        """
        Publish and wait until it is stored.

        Returns:
            Its sequence in the stream.
        Raises:
            BusDown: no acknowledgement; sending again with the same id is safe.
        """
        sent = {**headers, "Nats-Msg-Id": message_id}
        try:
            ack = await self.client.jetstream().publish(subject, body, headers=sent, timeout=5)
        except (NatsError, TimeoutError, OSError) as failure:
            MESSAGES.labels("out", "failed").inc()
            raise BusDown(str(failure)) from None
        MESSAGES.labels("out", "acked").inc()
        return ack.seq

    async def last_headers(self, subject: str) -> Mapping[str, str] | None:
        """Return the headers of the newest message on a subject (wildcards allowed), if any."""
        try:
            found = await self.client.jsm().get_last_msg(STREAM, subject)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as failure:
            raise BusDown(str(failure)) from None
        return found.headers or {}

    async def subscribe(
        self, durable: str, subjects: Sequence[str], work: Work, stop: asyncio.Event
    ) -> None:
        """
        Work through messages one after the other, in stream order, until told to stop.

        A message is acknowledged after its work; failed work is tried again in place, so that
        nothing of the same loan overtakes it.
        """
        config = ConsumerConfig(
            durable_name=durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            filter_subjects=list(subjects),
            ack_wait=ACK_SECONDS,
            max_ack_pending=1000,
        )
        while not stop.is_set():
            try:
                await self.ensure_stream()
                manager = self.client.jsm()
                await manager.add_consumer(STREAM, config)
                pull = await self.client.jetstream().pull_subscribe_bind(durable, STREAM)
                while not stop.is_set():
                    await self._batch(pull, work, stop)
            except (NatsError, OSError) as failure:
                structlog.get_logger().warning("subscription lost", failure=str(failure))
                await asyncio.sleep(RETRY_SECONDS)

    async def _batch(self, pull: object, work: Work, stop: asyncio.Event) -> None:
        try:
            messages = await pull.fetch(100, timeout=1)  # type: ignore[attr-defined]
        except TimeoutError:
            return
        for message in messages:
            await _work_until_done(message, work, stop)
            if stop.is_set():
                return

    async def close(self) -> None:
        """Close the connection."""
        await self.client.close()


async def _work_until_done(message: Msg, work: Work, stop: asyncio.Event) -> None:
    """Try the work until it succeeds, telling NATS that we are still at it."""
    received = Message(
        message.subject,
        message.data,
        message.headers or {},
        message.metadata.sequence.stream,
        message.metadata.num_delivered > 1,
    )
    pause = RETRY_SECONDS
    while not stop.is_set():
        try:
            with span(f"consume {message.subject}", received.headers.get("traceparent", "")):
                await work(received)
            await message.ack()
            MESSAGES.labels("in", "done").inc()
            return
        except Exception:
            MESSAGES.labels("in", "retried").inc()
            structlog.get_logger().exception("work failed", subject=message.subject)
            await message.in_progress()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10.0)


async def _quietly(failure: Exception) -> None:
    structlog.get_logger().debug("nats", failure=str(failure))
