"""Who pays money out: a folder on this machine, or a bank's gateway over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.error import HTTPError

import msgspec
import structlog

from services.origination.application.ports import (
    PayerRefuses,
    PayerUnavailable,
    PayoutAnswer,
    PayoutOrder,
)

TIMEOUT_SECONDS = 10.0
CLOSED = "closed_accounts.txt"
REFUSED_FOR_GOOD = {400, 422}


@dataclass(frozen=True, slots=True)
class FolderPayouts:
    """
    Pays by writing one file per order, on disk before it answers; the name makes it once.

    Accounts listed in `closed_accounts.txt`, one a line, take no money: the order comes back.
    An id that was used for another order is no order: nothing is paid, nothing is answered.
    """

    folder: Path

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        """
        Write the order, or answer as it was answered first.

        Raises:
            PayerUnavailable: another amount, account, currency or date is kept under its id.
        """
        return await asyncio.to_thread(self._pay, order)

    def _pay(self, order: PayoutOrder) -> PayoutAnswer:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{order.payout_id}.json"
        if not path.exists():
            closed = self.folder / CLOSED
            accounts = closed.read_text("utf-8").split() if closed.exists() else []
            returned = "account closed" if order.account_ref in accounts else ""
            _write_once(path, {**order._asdict(), "returned": returned})
        _sync(path.parent)
        kept = json.loads(path.read_text("utf-8"))
        returned = kept.pop("returned")
        if kept != json.loads(msgspec.json.encode(order._asdict())):
            structlog.get_logger().error("another order has this id", payout_id=order.payout_id)
            raise PayerUnavailable(f"{order.payout_id} is kept as another order")
        return PayoutAnswer("" if returned else f"folder:{path.name}", returned)


def _write_once(path: Path, body: dict[str, Any]) -> None:
    """Write a file that is there in whole or not at all; whoever is first wins."""
    with NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as sink:
        draft = Path(sink.name)
        sink.write(msgspec.json.encode(body))
        sink.flush()
        os.fsync(sink.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def _sync(folder: Path) -> None:
    """Have a folder's names on disk: whoever was first may have died before it had."""
    opened = os.open(folder, os.O_RDONLY)
    os.fsync(opened)
    os.close(opened)


class _Said(msgspec.Struct):
    """What a gateway answers: one of the two is a text that is not empty."""

    reference: str | None = None
    returned: str | None = None


@dataclass(frozen=True, slots=True)
class HttpPayouts:
    """
    Pays by POST of the order as JSON, with `Idempotency-Key: <payout_id>`.

    The gateway answers 200 with {"reference": "..."} or {"returned": "why"}, one of them a text
    that is not empty; the same key again gets the first answer. 400 or 422 say that it will never
    take this order. Anything else, or no answer, leaves it open: it is asked again.
    """

    url: str

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        """Ask the gateway."""
        return await asyncio.to_thread(self._pay, order)

    def _pay(self, order: PayoutOrder) -> PayoutAnswer:
        headers = {"Content-Type": "application/json", "Idempotency-Key": order.payout_id}
        body = msgspec.json.encode(order._asdict())
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
                said = msgspec.json.decode(response.read(), type=_Said)
        except HTTPError as failure:
            if failure.code in REFUSED_FOR_GOOD:
                raise PayerRefuses(f"the payer answers {failure.code} {failure.reason}") from None
            raise PayerUnavailable(f"the payer does not answer: {failure}") from None
        except (OSError, HTTPException, msgspec.MsgspecError, UnicodeError) as failure:
            raise PayerUnavailable(f"the payer does not answer: {failure}") from None
        if bool(said.reference) == bool(said.returned):
            raise PayerUnavailable("the payer says neither or both of reference and returned")
        return PayoutAnswer(said.reference or "", said.returned or "")
