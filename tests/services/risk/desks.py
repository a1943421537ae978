"""A desk that answers over HTTP as bureaus and sources of incomes do, noting who was asked for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLOW_SECONDS = 1.5


@dataclass
class Desk:
    """What it says, by "kind/borrower"; `asked` are the paths in the order asked."""

    url: str = ""
    bodies: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def desk_open() -> Iterator[Desk]:
    """Give a desk that listens; B-slow waits, B-rude gets no HTTP, who is not in `bodies` 404."""
    desk = Desk()

    class Window(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place, _, _ = self.path.lstrip("/").partition("?")
            desk.asked.append(self.path.lstrip("/"))
            if place.endswith("B-slow"):
                time.sleep(SLOW_SECONDS)
            if place.endswith("B-rude"):
                self.wfile.write(b"what?\r\n")
                return
            body = desk.bodies.get(place)
            with contextlib.suppress(BrokenPipeError):
                self.send_response(desk.codes.get(place, 404 if body is None else 200))
                self.end_headers()
                self.wfile.write((body or "").encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Window)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    desk.url = f"http://127.0.0.1:{server.server_port}/"
    yield desk
    server.shutdown()
    server.server_close()
