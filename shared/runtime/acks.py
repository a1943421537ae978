"""Publish and await the acknowledgement, on one inbox for all: half of what a request costs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg


class Failure(msgspec.Struct, frozen=True):
    """Why JetStream did not store a message."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class Ack(msgspec.Struct, frozen=True):
    """What JetStream says to a message; `error` is None where it is stored."""

    seq: int = 0
    duplicate: bool = False
    error: Failure | None = None


NOBODY = Ack(error=Failure(503, 0, "no stream has the subject"))
_DECODER = msgspec.json.Decoder(Ack)


@dataclass(slots=True)
class Acks:
    """Hands acknowledgements to those who wait for them."""

    client: Client
    waiting: dict[str, asyncio.Future[Ack]] = field(default_factory=dict)
    inbox: str = ""
    sent: int = 0

    async def publish(
        self, subject: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Ack:
        """
        Publish a message, and return what JetStream says to it.

        Raises:
            TimeoutError: nothing in time; it may be stored or not.
            NatsError, OSError: it could not be sent.
        """
        if not self.inbox:
            self.inbox = self.client.new_inbox()
            await self.client.subscribe(f"{self.inbox}.*", cb=self._take)
        self.sent += 1
        token = str(self.sent)
        told = self.waiting[token] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.client.publish(subject, body, f"{self.inbox}.{token}", dict(headers))
                return await told
        finally:
            del self.waiting[token]

    async def _take(self, message: Msg) -> None:
        told = self.waiting.get(message.subject.rpartition(".")[2])
        if told is None or told.done():
            return
        if (message.headers or {}).get("Status") == "503":
            told.set_result(NOBODY)
            return
        try:
            told.set_result(_DECODER.decode(message.data))
        except msgspec.DecodeError as failure:
            told.set_result(Ack(error=Failure(500, 0, str(failure))))
