"""What risk needs of others."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from services.risk.domain.application import BureauReport


class Unusable(NamedTuple):
    """There is a report, but it cannot be used: why, in words."""

    why: str


class BureauSource(Protocol):
    """Whoever has reports about borrowers."""

    async def report(self, borrower_ref: str, currency: str) -> BureauReport | Unusable | None:
        """Return the newest report; None when there is none, or the source does not answer."""


class NoBureau:
    """Nobody is asked: reports come with the request, or not at all."""

    async def report(self, borrower_ref: str, currency: str) -> BureauReport | None:
        """Return nothing."""
        return None
