"""Where reports about borrowers come from: a folder of files, or a bureau's HTTP API."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from services.risk.application.ports import BureauSource, NoBureau
from services.risk.domain.application import BureauReport

BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class BureauFolder:
    """One JSON file per borrower and currency, such as B-0001.CNY.json; amounts in minor units."""

    folder: Path

    async def report(self, borrower_ref: str, currency: str) -> BureauReport | None:
        """Return what the file says; a file that cannot be read is no report."""
        name = f"{urllib.parse.quote(borrower_ref, safe='')}.{currency}.json"
        path = self.folder / name
        if not path.is_file():
            return None
        return _read(await asyncio.to_thread(path.read_bytes), borrower_ref)


@dataclass(frozen=True, slots=True)
class BureauHttp:
    """
    GET {url}/reports/{borrower_ref}?currency=CNY, answered as in the files; 404 is no report.

    A bureau that fails or takes longer than `timeout_seconds` has no report: the policy says what
    then happens to an application that needs one.
    """

    url: str
    timeout_seconds: float

    async def report(self, borrower_ref: str, currency: str) -> BureauReport | None:
        """Ask, and wait no longer than the limit."""
        name = urllib.parse.quote(borrower_ref, safe="")
        which = urllib.parse.urlencode({"currency": currency})
        asked = f"{self.url.rstrip('/')}/reports/{name}?{which}"
        try:
            body = await asyncio.wait_for(asyncio.to_thread(self._get, asked), self.timeout_seconds)
        except (OSError, TimeoutError) as failure:
            if not (isinstance(failure, urllib.error.HTTPError) and failure.code == 404):
                structlog.get_logger().warning("the bureau did not answer", failure=str(failure))
            return None
        return _read(body, borrower_ref)

    def _get(self, asked: str) -> bytes:
        with urllib.request.urlopen(asked, timeout=self.timeout_seconds) as answer:
            return bytes(answer.read(BYTES_MAX))


def _read(body: bytes, borrower_ref: str) -> BureauReport | None:
    try:
        return msgspec.convert(json.loads(body), BureauReport)
    except (ValueError, msgspec.ValidationError) as failure:
        structlog.get_logger().warning("a bureau report cannot be read", failure=str(failure))
        return None


def bureau_of(folder: Path | None, url: str, timeout_seconds: float) -> BureauSource:
    """Return the source that the settings name; a URL comes before a folder."""
    if url:
        return BureauHttp(url, timeout_seconds)
    return BureauFolder(folder) if folder else NoBureau()
