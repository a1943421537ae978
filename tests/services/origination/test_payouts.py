"""Who pays out: one order is paid once, and an answer that cannot be read is no answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.origination.adapters.payouts import FolderPayouts, HttpPayouts
from services.origination.application.ports import (
    PayerRefuses,
    PayerUnavailable,
    PayoutAnswer,
    PayoutOrder,
)
from shared.kernel.errors import LendingError

ORDER = PayoutOrder("P-1", "x", 100, "CNY", date(2026, 1, 5))


async def test_one_order_asked_by_many_at_once_is_paid_once(tmp_path: Path) -> None:
    """A request and the work that resumes it meet: both get the same answer."""
    payouts = FolderPayouts(tmp_path)

    answers = await asyncio.gather(*(payouts.pay(ORDER) for _ in range(40)))

    assert len(set(answers)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["P-1.json"]


OTHERS = [
    # another order under an id that was paid
    ORDER._replace(amount_minor=101),
    ORDER._replace(account_ref="y"),
    ORDER._replace(currency="EUR"),
    ORDER._replace(value_on=date(2026, 1, 6)),
]


@pytest.mark.parametrize("other", OTHERS)
async def test_an_id_stands_for_one_order(tmp_path: Path, other: PayoutOrder) -> None:
    """Nobody is told that another amount, or another account, was paid."""
    payouts = FolderPayouts(tmp_path)
    first = await payouts.pay(ORDER)

    with pytest.raises(PayerUnavailable):
        await payouts.pay(other)

    assert await payouts.pay(ORDER) == first


ANSWERS = [
    # what the gateway says                  | what it means
    (b'{"reference": "R-1"}', PayoutAnswer("R-1")),
    (b'{"reference": "R-1", "returned": null}', PayoutAnswer("R-1")),
    (b'{"returned": "account closed"}', PayoutAnswer("", "account closed")),
    (b'{"reference": "R-1", "returned": false}', None),
    (b'{"reference": "R-1", "returned": "account closed"}', None),
    (b'{"reference": ""}', None),
    (b'{"reference": null}', None),
    (b'["R-1"]', None),
    (b"{", None),
    (b"\xff", None),
]


@pytest.mark.parametrize(("said", "meant"), ANSWERS)
async def test_what_a_gateway_says_is_read_strictly(said: bytes, meant: Any) -> None:
    """Anything but one reference or one reason leaves it open whether the money moved."""
    with answering(said, len(said)) as url:
        if meant is not None:
            assert await HttpPayouts(url).pay(ORDER) == meant
            return
        with pytest.raises(PayerUnavailable):
            await HttpPayouts(url).pay(ORDER)


CODES = [
    # the gateway's code | what it means
    (400, PayerRefuses),
    (422, PayerRefuses),
    (401, PayerUnavailable),
    (404, PayerUnavailable),
    (409, PayerUnavailable),
    (429, PayerUnavailable),
    (503, PayerUnavailable),
]


@pytest.mark.parametrize(("code", "refusal"), CODES)
async def test_only_a_refusal_of_the_order_itself_is_for_good(
    code: int, refusal: type[LendingError]
) -> None:
    """A key that expired or a gateway that is busy may pass; a bad order does not."""
    with answering(b"{}", 2, code) as url, pytest.raises(refusal):
        await HttpPayouts(url).pay(ORDER)


async def test_an_answer_cut_short_leaves_it_open() -> None:
    """A body shorter than it says is no answer."""
    with answering(b'{"reference": "R-1"}', 1000) as url, pytest.raises(PayerUnavailable):
        await HttpPayouts(url).pay(ORDER)


@contextmanager
def answering(said: bytes, length: int, code: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
