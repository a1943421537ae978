"""Where reports about borrowers come from: a folder of files, or a bureau's HTTP API."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import date
from http.client import HTTPException
from pathlib import Path
from typing import Annotated

import msgspec
import structlog

from services.risk.application.ports import BureauSource, NoBureau, Unusable
from services.risk.domain.application import BureauReport
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


@dataclass(frozen=True, slots=True)
class BureauFolder:
    """
    One JSON file per borrower and currency, such as B-0001.CNY.json: a ReportAsSent.

    A file that does not say all of it is a report that cannot be used, not a clean one.
    """

    folder: Path

    async def report(self, borrower_ref: str, currency: str) -> BureauReport | Unusable | None:
        """Return what the file says."""
        name = f"{urllib.parse.quote(borrower_ref, safe='')}.{currency}.json"
        path = self.folder / name
        if not path.is_file():
            return None
        try:
            body = await asyncio.to_thread(path.read_bytes)
        except OSError as failure:
            structlog.get_logger().warning("a bureau file cannot be read", failure=str(failure))
            return Unusable(f"the file cannot be read: {failure.strerror}")
        return _read(body, borrower_ref, currency)


@dataclass(frozen=True, slots=True)
class BureauHttp:
    """
    GET {url}/reports/{borrower_ref}?currency=CNY, answered as in the files; 404 is no report.

    A bureau that fails or takes longer than `timeout_seconds` has no report: the policy says what
    then happens to an application that needs one.
    """

    url: str
    timeout_seconds: float

    async def report(self, borrower_ref: str, currency: str) -> BureauReport | Unusable | None:
        """Ask, and wait no longer than the limit."""
        name = urllib.parse.quote(borrower_ref, safe="")
        which = urllib.parse.urlencode({"currency": currency})
        asked = f"{self.url.rstrip('/')}/reports/{name}?{which}"
        try:
            body = await asyncio.wait_for(asyncio.to_thread(self._get, asked), self.timeout_seconds)
        except (OSError, TimeoutError, HTTPException) as failure:
            if not (isinstance(failure, urllib.error.HTTPError) and failure.code == 404):
                structlog.get_logger().warning("the bureau did not answer", failure=str(failure))
            return None
        return _read(body, borrower_ref, currency)

    def _get(self, asked: str) -> bytes:
        with urllib.request.urlopen(asked, timeout=self.timeout_seconds) as answer:
            return bytes(answer.read(BYTES_MAX))


def _read(body: bytes, borrower_ref: str, currency: str) -> BureauReport | Unusable:
    """Return a report that says everything of the borrower who was asked for, or why it is none."""
    try:
        said = msgspec.json.decode(body, type=ReportAsSent)
        if (said.borrower_ref, said.currency) != (borrower_ref, currency):
            raise ValueError("another borrower or currency")
    except (ValueError, msgspec.ValidationError) as failure:
        structlog.get_logger().warning("a bureau report cannot be read", failure=str(failure))
        return Unusable(f"the report cannot be read: {failure}"[:200])
    fields = {name: getattr(said, name) for name in BureauReport.__struct_fields__}
    return BureauReport(**fields)


def bureau_of(folder: Path | None, url: str, timeout_seconds: float) -> BureauSource:
    """Return the source that the settings name; a URL comes before a folder."""
    if url:
        return BureauHttp(url, timeout_seconds)
    return BureauFolder(folder) if folder else NoBureau()
