"""Requests to declare a whole loan due, and to take that back, into commands."""

from __future__ import annotations

from datetime import datetime

from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.domain import commands as cmd
from services.ledger.domain.facts import AccelerationGround
from services.ledger.wire import asked
from services.ledger.wire_terms import stated
from shared.kernel.dates import parse_date
from shared.runtime.requests import a_text


def acceleration(request: pb.AccelerateLoanRequest, now: datetime) -> cmd.AccelerateLoan:
    """Read that everything is declared due."""
    return cmd.AccelerateLoan(
        **asked(request, now),
        effective_on=parse_date(request.effective_on, field="effective_on"),
        ground=stated(AccelerationGround, loan_pb2.AccelerationGround, request.ground, "ground"),
        notified_on=parse_date(request.notified_on, field="notified_on"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def withdrawal(request: pb.WithdrawAccelerationRequest, now: datetime) -> cmd.WithdrawAcceleration:
    """Read that an acceleration is taken back."""
    return cmd.WithdrawAcceleration(
        **asked(request, now),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )
