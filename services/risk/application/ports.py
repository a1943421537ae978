"""What risk needs of others, and how it is asked without knowing how."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message as Proto
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.application.book import Decided
from services.risk.domain.application import Application, BureauReport
from services.risk.domain.decision import Decision


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


class DecisionMessages(Protocol):
    """How a decision is asked for, answered and published."""

    def application(self, request: Any, /) -> Application:
        """Read an application; everything wrong in it is named."""

    def decision_message(self, decision: Decision, decision_id: str, /) -> pb.Decision:
        """Return a decision as its message."""

    def decision_made(self, decided: Decided, answer: pb.Decision, /) -> tuple[str, Proto]:
        """Return the subject and body of the published decision."""
