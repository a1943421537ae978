"""What risk needs of others, and how it is asked without knowing how."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple, Protocol, TypeVar

from google.protobuf.message import Message as Proto
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.application.book import Decided
from services.risk.domain.application import Application, BureauReport, VerifiedIncome
from services.risk.domain.decision import Decision

Fact = TypeVar("Fact", BureauReport, VerifiedIncome)


class Unusable(NamedTuple):
    """There is an answer, but it cannot be used: why, in words."""

    why: str


class Source(Protocol[Fact]):
    """Whoever has facts of one kind about borrowers: a bureau, or who confirms incomes."""

    async def ask(
        self, borrower_ref: str, currency: str, consented_on: date | None = None
    ) -> Fact | Unusable | None:
        """Return the newest fact; None when there is none, or the source does not answer."""


class NoSource:
    """Nobody is asked: facts come with the request, or not at all."""

    async def ask(self, borrower_ref: str, currency: str, consented_on: date | None = None) -> None:
        """Return nothing."""


class DecisionMessages(Protocol):
    """How a decision is asked for, answered and published."""

    def application(self, request: Any, /) -> Application:
        """Read an application; everything wrong in it is named."""

    def decision_message(self, decision: Decision, decision_id: str, /) -> pb.Decision:
        """Return a decision as its message."""

    def decision_made(self, decided: Decided, answer: pb.Decision, /) -> tuple[str, Proto]:
        """Return the subject and body of the published decision."""
