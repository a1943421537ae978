"""A door before PostgreSQL that cuts a ledger off right before a COMMIT, or right after it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy.engine import make_url

from services.ledger.adapters.event_store import EVENTS_TABLE

APPEND = f"{EVENTS_TABLE}_append".encode()
DONE, READY, FLUSH = b"SELECT 1\0", b"Z\0\0\0\5I", b"H\0\0\0\4"
PROTOCOL_3, AT_ONCE = 196_608, 65_536


class Moment(Enum):
    """
    When the line is cut while events are appended.

    An append is one statement and its own transaction: PostgreSQL carries it out when told to
    execute, and commits it when told to sync.
    """

    BEFORE_COMMIT = "before"
    AFTER_COMMIT = "after"


@dataclass
class Door:
    """Stands between a ledger and PostgreSQL; cuts the next append's line when it is told when."""

    port_behind: int
    moment: Moment | None = None
    cut: threading.Event = field(default_factory=threading.Event)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def open(self) -> None:
        """Let connections through, each on threads of its own, until it is closed."""
        threading.Thread(target=self._let_in, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        self.listener.close()

    def cut_next(self, moment: Moment) -> None:
        """Cut the line of the next append; `cut` is set once that was done."""
        self.cut.clear()
        self.moment = moment

    def taken(self) -> Moment | None:
        """Return the moment to cut at, to one line alone."""
        moment, self.moment = self.moment, None
        return moment

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port_behind))
                for side in (client, server):
                    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = Line(self, client, server)
                for work in (line.to_server, line.to_client):
                    threading.Thread(target=work, daemon=True).start()


@contextmanager
def a_door(url: str) -> Iterator[tuple[Door, str]]:
    """Open a door before a database; give it with the database's address through it."""
    behind = make_url(url)
    assert behind.port is not None
    door = Door(behind.port)
    door.open()
    yield door, behind.set(port=door.port).render_as_string(hide_password=False)
    door.close()


@dataclass
class Line:
    """One connection: what is sent is read by message, what comes back is only looked through."""

    door: Door
    client: socket.socket
    server: socket.socket
    appends: set[bytes] = field(default_factory=set)
    watched: Moment | None = None
    kept_back: bytes = b""

    def to_server(self) -> None:
        """Pass messages on; of an append that is cut before its COMMIT all but the last."""
        with closing(self.client), closing(self.server), suppress(OSError):
            for message in _messages(self.client):
                self._note(message)
                if message[:1] == b"S" and self.watched is Moment.BEFORE_COMMIT:
                    message = FLUSH
                self.server.sendall(message)
            self._hang_up()

    def to_client(self) -> None:
        """Pass answers on; of an append that is cut none, and then hang up on both sides."""
        with suppress(OSError):
            while answer := self.server.recv(AT_ONCE):
                if self.watched is None:
                    self.client.sendall(answer)
                    continue
                self.kept_back += answer
                if self._is_over():
                    break
        self._hang_up()

    def _note(self, message: bytes) -> None:
        """Look for statements that append, and for when they are carried out."""
        kind, body = message[:1], message[5:]
        if kind == b"P" and APPEND in body:
            self.appends.add(body.split(b"\0")[0])
        if kind == b"B" and body.split(b"\0")[1] in self.appends and self.watched is None:
            self.watched = self.door.taken()

    def _is_over(self) -> bool:
        """Say whether the append got as far as it may; one that failed was none: cut the next."""
        over = DONE if self.watched is Moment.BEFORE_COMMIT else READY
        if over not in self.kept_back:
            return False
        if DONE in self.kept_back:
            self.door.cut.set()
        else:
            self.door.moment = self.watched
        return True

    def _hang_up(self) -> None:
        for side in (self.client, self.server):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


def _messages(client: socket.socket) -> Iterator[bytes]:
    """Yield what a client sends: first without a type until it names the protocol, then with."""
    with client.makefile("rb") as sent:
        named = False
        while head := sent.read(5 if named else 4):
            length = int.from_bytes(head[-4:])
            body = sent.read(length - 4)
            named = named or int.from_bytes(body[:4]) == PROTOCOL_3
            yield head + body
