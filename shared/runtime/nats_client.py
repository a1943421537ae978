"""nats-py's client, with what we need besides: many messages by one write, and TLS or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

import structlog
from nats.aio.client import Client
from nats.errors import ConnectionClosedError, OutboundBufferLimitError
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamManager

AGAIN_SECONDS = 0.25


class AskingAgain(JetStreamManager):
    """
    Asks JetStream again four times a second while it has time, and takes the first answer.

    A question that arrives while a stream elects its leader is never answered, and a slow answer is
    still one. So whatever is asked this way must be the same when it is asked twice.
    """

    async def _api_request(
        self, req_subject: str, req: bytes = b"", timeout: float = 5
    ) -> dict[str, Any]:
        until, asking = monotonic() + timeout, set[asyncio.Task[dict[str, Any]]]()
        try:
            while (left := until - monotonic()) > 0:
                ask = super()._api_request(req_subject, req, timeout=left)
                asking.add(asyncio.create_task(ask))
                done, _ = await asyncio.wait(
                    asking,
                    timeout=min(left, AGAIN_SECONDS),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if done:
                    return done.pop().result()
            raise NatsTimeout
        finally:
            for ask in asking:
                ask.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


class WritingClient(Client):
    """A client that takes several messages at once: one by one nats-py takes six times as long."""

    def jsm(self, **opts: Any) -> JetStreamManager:
        """Return what asks JetStream, and again while it says nothing."""
        return AskingAgain(self, **opts)

    async def write(self, messages: Sequence[bytes]) -> None:
        """
        Send messages that are written out; while the connection is away, later.

        Raises:
            NatsError: the connection is closed, or more waits for it than it may.
        """
        if self.is_closed:
            raise ConnectionClosedError
        sent = b"".join(messages)
        if not self.is_connected and len(sent) + self._pending_data_size > self._max_pending_size:
            raise OutboundBufferLimitError
        self.stats["out_msgs"] += len(messages)
        self.stats["out_bytes"] += len(sent)
        await self._send_command(sent)
        await self._flush_pending()

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        """
        Close, and drop what waits for a connection that is gone: nobody was told that it was sent.

        nats-py writes it to the connection that broke, which the loop of services refuses.
        """
        if not self.is_connected:
            self._pending, self._pending_data_size = [], 0
        await super()._close(status, do_cbs)


class SecuredClient(WritingClient):
    """
    A client that talks over TLS or not at all.

    nats-py 2.x starts TLS only where the server's INFO asks for it, which anybody on the way can
    take out. This is looked at before CONNECT, the first word we say, each time we connect.
    """

    def _connect_command(self) -> bytes:
        writer = getattr(self._transport, "_io_writer", None)
        if writer is None or writer.get_extra_info("ssl_object") is None:
            structlog.get_logger().error("NATS offers no TLS; not connected")
            raise NatsError("the server offers no TLS")
        return super()._connect_command()
