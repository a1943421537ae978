"""The message bus: publish once and in order, survive every outage of NATS."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.api import RawStreamMsg, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from shared.runtime.acks import Ack, Acks, Letter
from shared.runtime.nats_address import nats_address
from shared.runtime.nats_client import SecuredClient, WritingClient
from shared.runtime.stopping import unless
from shared.runtime.streams import STREAM, configs
from shared.runtime.telemetry import MESSAGES

RETRY_SECONDS = 0.2
ACK_SECONDS = 4.5
"""Longest silence while acknowledgements are owed: less than an election, more than a busy disk."""

PING_SECONDS, PINGS_MAX = 2, 2
"""A server that hangs breaks no connection: it is left when it has missed three pings."""

WRONG_LAST_SEQUENCE = 10071
ACKED, FAILED = MESSAGES.labels("out", "acked"), MESSAGES.labels("out", "failed")
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")


class BusDown(Exception):
    """NATS does not answer; the caller keeps the message and tries again."""


class NeverStored(BusDown):
    """No stream will ever take this message: its subject is none, or it is too large."""


class SequenceMoved(Exception):
    """Somebody else has published on the subject since; nothing was stored."""


class Stored(NamedTuple):
    """Where a message is in its stream; `duplicate` when it had been there before."""

    sequence: int
    duplicate: bool


class Fence(NamedTuple):
    """Store only if a subject's (wildcards allowed) last message has this sequence; 0: none."""

    subject: str
    sequence: int


class Draft(NamedTuple):
    """
    A message to be stored.

    JetStream stores an `id` once within its window; it is empty where the fence is relied upon.
    `headers` are sent as they are, besides what id and `fence` become.
    """

    subject: str
    body: bytes
    id: str
    headers: Mapping[str, str]
    fence: Fence | None = None


Outcome = Stored | SequenceMoved | BusDown
"""What became of a message, as `Bus.publish` returns or raises it."""


@dataclass(slots=True)
class Bus:
    """One connection to NATS; it reconnects for ever."""

    client: WritingClient
    acks: Acks = field(init=False)

    def __post_init__(self) -> None:
        """Take acknowledgements on an inbox of its own."""
        self.acks = Acks(self.client)

    @classmethod
    async def connect(cls, url: str, name: str) -> Bus:
        """
        Connect, waiting for as long as NATS is away.

        Args:
            url: Of one server, or of several of a cluster, separated by commas; with TLS it names
                the certificate (nats_address).
            name: Shown to who looks at the server.
        Raises:
            TlsMissing: a file of the certificate is not named or not there.
        """
        servers, tls = nats_address(url)
        while True:
            try:
                client = WritingClient() if tls is None else SecuredClient()
                await client.connect(
                    servers,
                    name=name,
                    tls=tls,
                    reconnect_time_wait=0.2,
                    max_reconnect_attempts=-1,
                    connect_timeout=2,
                    ping_interval=PING_SECONDS,
                    max_outstanding_pings=PINGS_MAX,
                    error_cb=_quietly,
                )
                return cls(client)
            except (OSError, NatsError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)

    @classmethod
    async def connect_unless(cls, stop: asyncio.Event, url: str, name: str) -> Bus | None:
        """Connect, or return None when told to stop before NATS answered."""
        return await unless(stop, cls.connect(url, name))

    @property
    def server_version(self) -> tuple[int, int]:
        """Major and minor version of the server."""
        version = self.client.connected_server_version
        return version.major, version.minor

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and found again."""
        return int(self.client.stats["reconnects"])

    async def ensure_streams(self, replicas: int = 1) -> None:
        """Create missing streams, add missing subjects; wait while JetStream is away."""
        for config in configs(replicas):
            while not await self._ensured(config):
                await asyncio.sleep(RETRY_SECONDS)

    async def _ensured(self, config: StreamConfig) -> bool:
        manager = self.client.jsm()
        try:
            found = (await manager.stream_info(config.name)).config
            # Added to only: a service of an older version knows fewer subjects.
            if missing := set(config.subjects or ()) - set(found.subjects or ()):
                subjects = [*(found.subjects or ()), *sorted(missing)]
                await manager.update_stream(found, subjects=subjects)
            return True
        except NotFoundError:
            return await self._created(config)
        except (NatsError, TimeoutError) as failure:
            structlog.get_logger().warning("JetStream is away", failure=str(failure))
            return False

    async def _created(self, config: StreamConfig) -> bool:
        try:
            await self.client.jsm().add_stream(config)
        except (NatsError, TimeoutError) as failure:
            structlog.get_logger().warning("no stream yet", failure=str(failure))
            return False
        return True

    async def publish(
        self,
        subject: str,
        body: bytes,
        message_id: str,
        headers: Mapping[str, str],
        fence: Fence | None = None,
    ) -> Stored:
        """
        Publish and wait until it is stored.

        Args:
            subject: Where to.
            body: Its bytes.
            message_id: JetStream stores an id once within its window; empty to rely on the fence.
            headers: Sent as they are.
            fence: What must not have changed.
        Raises:
            BusDown: no acknowledgement; sending again with the same id is safe.
            NeverStored: sending it again is useless.
            SequenceMoved: the fence does not hold; read the last message, then decide.
        """
        outcome = (await self.publish_all([Draft(subject, body, message_id, headers, fence)]))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def publish_all(self, drafts: Sequence[Draft]) -> list[Outcome]:
        """
        Publish messages by one write, and wait until JetStream has answered each.

        They are stored in their order, but one that is refused does not keep the next from being
        stored.

        Returns:
            What became of each; BusDown, where nothing was said to it for a while.
        Raises:
            BusDown: nothing could be sent.
            NeverStored: one of them will never be stored; nothing was sent.
        """
        letters = [_letter(draft) for draft in drafts]
        try:
            acks = await self.acks.publish(letters, ACK_SECONDS)
        except MaxPayloadError as failure:
            FAILED.inc(len(letters))
            raise NeverStored(str(failure)) from None
        except (NatsError, TimeoutError, OSError) as failure:
            FAILED.inc(len(letters))
            raise BusDown(repr(failure)) from None
        outcomes = [_outcome(ack) for ack in acks]
        ACKED.inc(sum(isinstance(one, Stored) for one in outcomes))
        FAILED.inc(sum(isinstance(one, BusDown) for one in outcomes))
        return outcomes

    async def last_message(self, stream: str, subject: str) -> RawStreamMsg | None:
        """
        Return the newest message on a subject (wildcards allowed), if any.

        Raises:
            BusDown: JetStream does not answer.
        """
        try:
            return await self.client.jsm().get_last_msg(stream, subject)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as failure:
            raise BusDown(str(failure)) from None

    async def message_at(self, stream: str, sequence: int) -> tuple[str, bytes] | None:
        """
        Return subject and body of the message at a place of a stream, if there is one.

        Raises:
            BusDown: JetStream does not answer.
        """
        try:
            found = await self.client.jsm().get_msg(stream, sequence)
        except NotFoundError:
            return None
        except (NatsError, TimeoutError) as failure:
            raise BusDown(str(failure)) from failure
        return found.subject or "", found.data or b""

    async def info(self, stream: str = STREAM) -> StreamInfo:
        """
        Return settings and state of a stream.

        Raises:
            BusDown: JetStream does not answer.
        """
        try:
            return await self.client.jsm().stream_info(stream)
        except (NatsError, TimeoutError) as failure:
            raise BusDown(str(failure)) from None

    async def last_sequence(self, stream: str = STREAM) -> int:
        """
        Return the sequence of a stream's newest message; 0 when there was none.

        Raises:
            BusDown: JetStream does not answer.
        """
        return (await self.info(stream)).state.last_seq

    async def close(self) -> None:
        """Close the connection."""
        await self.client.close()


def _letter(draft: Draft) -> Letter:
    if not _SUBJECT.fullmatch(draft.subject):
        raise NeverStored(f"{draft.subject!r} is no subject")
    headers = dict(draft.headers)
    if draft.id:
        headers["Nats-Msg-Id"] = draft.id
    if draft.fence is not None:
        headers["Nats-Expected-Last-Subject-Sequence"] = str(draft.fence.sequence)
        headers["Nats-Expected-Last-Subject-Sequence-Subject"] = draft.fence.subject
    return Letter(draft.subject, headers, draft.body)


def _outcome(ack: Ack | None) -> Outcome:
    if ack is None:
        return BusDown("no acknowledgement in time")
    if ack.error is None:
        return Stored(ack.seq, ack.duplicate)
    if ack.error.err_code == WRONG_LAST_SEQUENCE:
        return SequenceMoved(ack.error.description)
    return BusDown(f"{ack.error.description} ({ack.error.err_code})")


async def _quietly(failure: Exception) -> None:
    structlog.get_logger().debug("nats", failure=str(failure))
