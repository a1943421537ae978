"""Where facts about borrowers come from: a folder of files, or the HTTP API of who has them."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import date
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any, Generic

import msgspec
import structlog

from services.risk.application.ports import Fact, NoSource, Source, Unusable
from services.risk.domain.application import BureauReport, VerifiedIncome
from shared.kernel.money import AMOUNT_MINOR_MAX

BYTES_MAX = 1_000_000
Count = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Minor = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MINOR_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class ReportAsSent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report as files and bureaus state it: nothing is left out, and nothing beside it."""

    borrower_ref: Name
    currency: Name
    source: Name
    report_id: Name
    reported_on: date
    consented_on: date | None
    lenders: Count
    enquiries_7d: Count
    enquiries_30d: Count
    enquiries_90d: Count
    monthly_payments_minor: Minor
    overdue_minor: Minor


class IncomeAsSent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A confirmed income as files and sources state it: nothing is left out, nothing beside it."""

    borrower_ref: Name
    currency: Name
    source: Name
    confirmation_id: Name
    verified_on: date
    monthly_minor: Minor


@dataclass(frozen=True, slots=True)
class Kind(Generic[Fact]):
    """What is asked for: its name in a URL, how it is sent, and what it is to a decision."""

    name: str
    sent: type[ReportAsSent | IncomeAsSent]
    fact: type[Fact]

    def read(self, body: bytes, borrower_ref: str, currency: str) -> Fact | Unusable:
        """Return what says everything of the borrower who was asked for, or why it is not used."""
        try:
            said: Any = msgspec.json.decode(body, type=self.sent)
            if (said.borrower_ref, said.currency) != (borrower_ref, currency):
                raise ValueError("another borrower or currency")
        except (ValueError, msgspec.ValidationError) as failure:
            log = structlog.get_logger()
            log.warning("an answer cannot be read", kind=self.name, failure=str(failure))
            return Unusable(f"the answer cannot be read: {failure}"[:200])
        names = msgspec.structs.fields(self.fact)
        return self.fact(**{one.name: getattr(said, one.name) for one in names})


REPORTS = Kind("reports", ReportAsSent, BureauReport)
INCOMES = Kind("incomes", IncomeAsSent, VerifiedIncome)


@dataclass(frozen=True, slots=True)
class FolderSource(Generic[Fact]):
    """
    One JSON file per borrower and currency, such as B-0001.CNY.json, as its kind is sent.

    A file that does not say all of it cannot be used; it is not a clean one.
    """

    kind: Kind[Fact]
    folder: Path

    async def ask(
        self, borrower_ref: str, currency: str, consented_on: date | None = None
    ) -> Fact | Unusable | None:
        """Return what the file says."""
        name = f"{urllib.parse.quote(borrower_ref, safe='')}.{currency}.json"
        try:
            body = await asyncio.to_thread(self._get, self.folder / name)
        except OSError as failure:
            log = structlog.get_logger()
            log.warning("a file cannot be read", kind=self.kind.name, failure=str(failure))
            return Unusable(f"the file cannot be read: {failure.strerror}")
        return None if body is None else self.kind.read(body, borrower_ref, currency)

    def _get(self, path: Path) -> bytes | None:
        return path.read_bytes() if path.is_file() else None


@dataclass(frozen=True, slots=True)
class HttpSource(Generic[Fact]):
    """
    GET {url}/reports/{borrower_ref}?currency=CNY, answered as in the files; 404 is none.

    Where we need a consent to ask, &consented_on= says of when it is. A source that fails or takes
    longer than `timeout_seconds` has none: the policy says what then happens to an application
    that needs one.
    """

    kind: Kind[Fact]
    url: str
    timeout_seconds: float

    async def ask(
        self, borrower_ref: str, currency: str, consented_on: date | None = None
    ) -> Fact | Unusable | None:
        """Ask, and wait no longer than the limit."""
        name, which = urllib.parse.quote(borrower_ref, safe=""), {"currency": currency}
        if consented_on:
            which["consented_on"] = consented_on.isoformat()
        query = urllib.parse.urlencode(which)
        asked = f"{self.url.rstrip('/')}/{self.kind.name}/{name}?{query}"
        try:
            body = await asyncio.wait_for(asyncio.to_thread(self._get, asked), self.timeout_seconds)
        except (OSError, TimeoutError, HTTPException) as failure:
            if not (isinstance(failure, urllib.error.HTTPError) and failure.code == 404):
                log = structlog.get_logger()
                log.warning("no answer", kind=self.kind.name, failure=str(failure))
            return None
        return self.kind.read(body, borrower_ref, currency)

    def _get(self, asked: str) -> bytes:
        with urllib.request.urlopen(asked, timeout=self.timeout_seconds) as answer:
            return bytes(answer.read(BYTES_MAX))


def source_of(
    kind: Kind[Fact], folder: Path | None, url: str, timeout_seconds: float
) -> Source[Fact]:
    """Return the source that the settings name; a URL comes before a folder."""
    if url:
        return HttpSource(kind, url, timeout_seconds)
    return FolderSource(kind, folder) if folder else NoSource()
