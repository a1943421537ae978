"""A real SMTP server and a real carrier of SMS, that remember what they took."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from services.collections.adapters.webhook import signature

SECRET = "a secret of the carrier's"


@dataclass
class Mailbox:
    """What an SMTP server accepted, by Message-ID; `answers` are given for some addresses."""

    slow_seconds: float = 0.0
    answers: dict[str, str] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    mails: list[Any] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, _: Any) -> str:
        if to in self.answers:
            return self.answers[to]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content)
        await asyncio.sleep(random.random() * self.slow_seconds)
        self.taken[mail["Message-ID"].strip("<>").partition("@")[0]] += 1
        self.mails.append(mail)
        await asyncio.sleep(random.random() * self.slow_seconds)
        return "250 taken"


class SmtpServer:
    """An SMTP server on a free port."""

    def __init__(self, port: int, mailbox: Mailbox) -> None:
        self.port, self.mailbox = port, mailbox
        self.controller = Controller(mailbox, hostname="127.0.0.1", port=port)

    def __enter__(self) -> SmtpServer:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()


class Carrier:
    """
    A carrier that takes one message per Idempotency-Key and a signature that is right.

    `lose` is how many answers it loses after taking a message; `busy` how many posts it refuses
    for now.
    """

    def __init__(self, port: int, *, slow_seconds: float = 0.0, lose: int = 0, busy: int = 0):
        self.taken: Counter[str] = Counter()
        self.texts: dict[str, dict[str, Any]] = {}
        self.posts, self.forged = 0, 0
        self.slow_seconds, self.lose, self.busy = slow_seconds, lose, busy
        carrier = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                carrier.answer(self)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{port}/messages"

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        body = call.rfile.read(int(call.headers["Content-Length"]))
        wanted = f"sha256={signature(SECRET, call.headers['Duebook-Time'], body)}"
        self.posts += 1
        if call.headers["Duebook-Signature"] != wanted:
            self.forged += 1
            return call.send_error(401)
        if self.busy > 0:
            self.busy -= 1
            return call.send_error(503)
        time.sleep(random.random() * self.slow_seconds)
        key = call.headers["Idempotency-Key"]
        if key not in self.taken:
            self.taken[key] += 1
            self.texts[key] = json.loads(body)
        if self.lose > 0:
            self.lose -= 1
            return call.connection.close()
        time.sleep(random.random() * self.slow_seconds)
        with suppress(OSError):  # Whoever posted may have been killed meanwhile.
            call.send_response(200)
            call.end_headers()
            call.wfile.write(f"carrier-{key}"[:60].encode())
        return None

    def __enter__(self) -> Carrier:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
