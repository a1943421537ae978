"""What a carrier's answer says: of this message, or of all of them; nothing goes elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from services.collections.adapters.webhook import WebhookChannel
from services.collections.application.ports import ChannelAway, ChannelRefused
from services.collections.domain.contact_rules import Channel
from services.collections.domain.debtor import Attempt
from services.collections.domain.message import Letter
from services.collections.domain.permit import Permit

ANSWERS = [
    (302, ChannelAway),
    (401, ChannelAway),
    (403, ChannelAway),
    (404, ChannelAway),
    (400, ChannelRefused),
    (422, ChannelRefused),
    (503, ChannelAway),
]


class Answering(BaseHTTPRequestHandler):
    """Answers every post with one status, and remembers every request."""

    status = 302
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(f"POST {self.path}")
        self.send_response(self.status)
        self.send_header("Location", "/login")
        self.end_headers()

    def do_GET(self) -> None:
        self.asked.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"please log in")

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def carrier() -> Iterator[HTTPServer]:
    Answering.asked = []
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "kind"), ANSWERS)
async def test_what_an_answer_says(carrier: HTTPServer, status: int, kind: type[Exception]) -> None:
    """A redirect is no delivery; a wrong secret loses no message; only a bad one is refused."""
    Answering.status = status
    channel = WebhookChannel(f"http://127.0.0.1:{carrier.server_port}/sms", "secret")
    attempt = Attempt(
        borrower_ref="B-1",
        loan_id="L-1",
        at=datetime(2026, 2, 10, 3, tzinfo=UTC),
        channel=Channel.SMS,
        address="+8613800000000",
    )
    letter = Letter("m-1", "+8613800000000", "zh", "v1", "", "text")

    with pytest.raises(kind):
        await channel.send(Permit(attempt, "cn"), letter)

    assert Answering.asked == ["POST /sms"]
