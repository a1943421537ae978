"""Publish many messages by one write, and await what JetStream says to each, on one inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError

from shared.runtime.nats_client import WritingClient


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


class Letter(NamedTuple):
    """A message as it is sent."""

    subject: str
    headers: Mapping[str, str]
    body: bytes


NOBODY = Ack(error=Failure(503, 0, "no stream has the subject"))
_DECODER = msgspec.json.Decoder(Ack)


@dataclass(slots=True)
class _Wave:
    """Messages sent together, and what was said to each so far."""

    acks: list[Ack | None]
    left: int
    done: asyncio.Future[None]


@dataclass(slots=True)
class Acks:
    """Hands acknowledgements to those who wait for them."""

    client: WritingClient
    waiting: dict[str, tuple[_Wave, int]] = field(default_factory=dict)
    inbox: str = ""
    sent: int = 0

    async def publish(
        self, letters: Sequence[Letter], silent_seconds_max: float
    ) -> list[Ack | None]:
        """
        Publish messages, and return what JetStream says to each.

        Returns:
            One per message, in their order; None where nothing was said, and nothing to any other
            for `silent_seconds_max`: it may be stored or not.
        Raises:
            NatsError, OSError: they could not be sent.
        """
        if not self.inbox:
            self.inbox = self.client.new_inbox()
            await self.client.subscribe(f"{self.inbox}.*", cb=self._take)
        first = self.sent + 1
        self.sent += len(letters)
        frames = [
            written(letter, f"{self.inbox}.{number}", self.client.max_payload)
            for number, letter in enumerate(letters, start=first)
        ]
        done = asyncio.get_running_loop().create_future()
        wave = _Wave([None] * len(letters), len(letters), done)
        tokens = [str(first + k) for k in range(len(letters))]
        self.waiting |= {token: (wave, k) for k, token in enumerate(tokens)}
        try:
            await self.client.write(frames)
            left = -1
            while wave.left and wave.left != left:
                left = wave.left
                await asyncio.wait({done}, timeout=silent_seconds_max)
        finally:
            for token in tokens:
                self.waiting.pop(token, None)
        return wave.acks

    async def _take(self, message: Msg) -> None:
        wave, number = self.waiting.pop(message.subject.rpartition(".")[2], (None, 0))
        if wave is None:
            return
        wave.acks[number] = _said(message)
        wave.left -= 1
        if not wave.left and not wave.done.done():
            wave.done.set_result(None)


def _said(message: Msg) -> Ack:
    if (message.headers or {}).get("Status") == "503":
        return NOBODY
    try:
        return _DECODER.decode(message.data)
    except msgspec.DecodeError as failure:
        return Ack(error=Failure(500, 0, str(failure)))


def written(letter: Letter, reply: str, size_max: int) -> bytes:
    """
    Return a message as NATS reads it.

    Raises:
        MaxPayloadError: headers and body are larger than `size_max` bytes.
    """
    subject, headers, body = letter
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if not lines.count("\n") == lines.count("\r") == len(headers):
        # A value with a line break in it would be read as another header.
        lines = "".join(f"{n}: {' '.join(v.splitlines())}\r\n" for n, v in headers.items())
    head = f"NATS/1.0\r\n{lines}\r\n".encode()
    size = len(head) + len(body)
    if size > size_max:
        raise MaxPayloadError
    return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (
        *(subject.encode(), reply.encode(), len(head), size),
        *(head, body),
    )
