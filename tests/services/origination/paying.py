"""A bank's gateway over HTTP, and an application taken to its accepted contract."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.rpc import error_details_pb2

from tests.stories.conftest import Suite
from tests.stories.test_service_down import APPLICATION
from tests.system.processes import CallRefused, Service

ACCOUNT = "6222020200112233446"


@dataclass
class Bank:
    """
    Pays each key once; as often as told it kills who asked, after the money has moved.

    `meanwhile`: what happens elsewhere after an order was paid, before its answer.
    """

    port: int
    paid: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    closed: set[str] = field(default_factory=set)
    meanwhile: dict[str, Callable[[], None]] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)
    victim: Service | None = None
    kills: int = 0

    def answer(self, key: str, order: dict[str, Any]) -> dict[str, str] | None:
        """Answer one order after the other."""
        with self.turn:
            return self._answer(key, order)

    def _answer(self, key: str, order: dict[str, Any]) -> dict[str, str] | None:
        self.asked[key] += 1
        if order["account_ref"] in self.closed:
            return {"returned": "account closed"}
        self.paid.setdefault(key, order)
        self.meanwhile.pop(key, lambda: None)()
        if self.kills and self.victim is not None:
            self.kills -= 1
            self.victim.kill()
            return None
        return {"reference": f"bank-{key}"}


def serve(bank: Bank) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = bank.answer(self.headers["Idempotency-Key"], json.loads(body))
            if answer is None:
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", bank.port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def reason_of(refusal: CallRefused) -> str:
    """Return the reason that a refusal carries for machines."""
    for detail in json.loads(refusal.text)["details"]:
        if detail["type"] == "google.rpc.ErrorInfo":
            packed = base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4))
            return error_details_pb2.ErrorInfo.FromString(packed).reason
    raise AssertionError(f"no reason in {refusal.text}")


@dataclass
class Place:
    """The suite, its bank, and the steps of an application."""

    suite: Suite
    bank: Bank

    def ask(self, method: str, name: str, /, **body: Any) -> dict[str, Any]:
        """Ask origination for a step, once."""
        wanted = {"requestId": f"{name}-{method}", "applicationId": name, **body}
        return self.suite.call("origination", method, **wanted)

    def security(self, method: str, /, **body: Any) -> dict[str, Any]:
        """Ask the security service."""
        path = f"lending.origination.v1.SecurityService/{method}"
        return self.suite.services["origination"].call(path, **body)

    def today(self) -> str:
        return self.suite.call("ledger", "GetBusinessDate")["on"]

    def advance(self, to: str) -> None:
        self.suite.call("ledger", "AdvanceBusinessDate", requestId=f"to-{to}", to=to)

    def form(self, name: str) -> dict[str, Any]:
        """Return an application that is as a rule approved."""
        return {
            **APPLICATION,
            "requestId": f"{name}-submit",
            "applicationId": name,
            "borrowerRef": f"B-{name}",
            "accountRef": ACCOUNT,
            "appliedOn": self.today(),
        }

    def offer(self, name: str, /, **body: Any) -> dict[str, Any]:
        """Take an application to its decision."""
        self.ask("SubmitApplication", name, **{**self.form(name), **body})
        return self.ask("DecideApplication", name)

    def confirm(self, name: str, again: str = "") -> dict[str, Any]:
        """Show the disclosure and confirm it after it could be read."""
        shown = self.ask("ShowDisclosure", name, requestId=f"{name}-show{again}")
        time.sleep(1.1)
        body = {"disclosureSha256": shown["disclosureSha256"]}
        return self.ask("ConfirmDisclosure", name, requestId=f"{name}-confirm{again}", **body)

    def contract(self, name: str, /, **body: Any) -> dict[str, Any]:
        """Take an application to its accepted contract."""
        self.offer(name, **body)
        self.confirm(name)
        return self.ask("AcceptContract", name)

    def refused(self, reason: str, method: str, name: str, /, **body: Any) -> str:
        """Ask for what must be refused with a reason; return how it was said."""
        with pytest.raises(CallRefused) as refusal:
            self.ask(method, name, **{"requestId": f"{name}-{method}-{reason}"[:64], **body})
        assert reason_of(refusal.value) == reason, refusal.value.text
        return str(json.loads(refusal.value.text)["message"])

    def get(self, name: str) -> dict[str, Any]:
        return self.suite.call("origination", "GetApplication", applicationId=name)
