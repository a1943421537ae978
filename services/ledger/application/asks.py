"""Commands on their way to the log, alone or many at once, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from services.ledger.application.ports import Log
from services.ledger.domain import commands as cmd
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.refusals import RequestIdReused
from shared.kernel.errors import Exhausted, Refused


class TooManyWaiting(Exhausted):
    """More commands wait for the log than we accept."""


class BatchRefused(Refused):
    """Another item of an atomic batch was refused, so nothing of the batch was stored."""


@dataclass(slots=True)
class Ask:
    """
    One command; `body_sha256` is empty for work that needs no request record. `formerly` is what
    the hash of the same body was in logs of earlier versions, where that differs.

    `approved_until` is when the second person's word ends under which it is asked, None without.
    `events` are what it recorded just now; empty when the request was answered before.
    """

    command: cmd.Asked
    body_sha256: str
    formerly: str = ""
    approved_until: datetime | None = None
    outcome: RequestAnswered | Exception | None = None
    events: Sequence[Fact] = ()


@dataclass(slots=True)
class Work:
    """Commands that wait for the log together; with `atomic`, all are stored or none."""

    asks: list[Ask]
    done: asyncio.Future[None]
    atomic: bool = False

    def finish(self) -> None:
        """Let the caller go on, if it still waits."""
        if not self.done.done():
            self.done.set_result(None)


class Weighed(NamedTuple):
    """A command decided and not stored: the loan before, and what would be recorded."""

    before: LoanAccount | None
    events: tuple[Fact, ...]
    business_on: date | None


def first_answer(log: Log, ask: Ask) -> RequestAnswered | Exception | None:
    """Return what the request id was answered before; a refusal if its body differed."""
    if not ask.body_sha256:
        return None
    stored = log.stream(f"request/{ask.command.request_id}")
    if not stored:
        return None
    first = stored[0]
    assert isinstance(first, RequestAnswered)
    if first.body_sha256 not in (ask.body_sha256, ask.formerly):
        return RequestIdReused(
            "the request id was used with another body", field="request_id", expected="a new id"
        )
    return first
