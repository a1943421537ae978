"""Changes that a second person approves: requests inside a request, and the approval as told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from lending.ledger.v1 import approval_service_pb2 as pb

from services.ledger import wire, wire_acceleration
from services.ledger.domain.approvals import Change
from services.ledger.domain.book_events import ChangeApproved
from services.ledger.domain.commands import Asked
from shared.runtime.requests import FieldMissing
from shared.runtime.roles import Roles, matches

READERS: Mapping[str, Callable[[Any, datetime], Asked]] = {
    "reverse_repayment": wire.reversal,
    "waive_charge": wire.waiver,
    "refund_credit": wire.refund,
    "pause_interest": wire.interest_pause,
    "restructure_loan": wire.restructuring,
    "transfer_loan": wire.transfer,
    "charge_off_loan": wire.charge_off,
    "undo_charge_off": wire.charge_off_undo,
    "write_off_loan": wire.write_off,
    "settle_loan": wire.settlement,
    "return_disbursement": wire.disbursement_return,
    "change_delinquency_policy": wire.policy_change,
    "accelerate_loan": wire_acceleration.acceleration,
    "withdraw_acceleration": wire_acceleration.withdrawal,
}
"""How each change is read, by the field of ApproveChangeRequest that holds it."""

HELD = [
    "/lending.ledger.v1.LedgerService/" + field.message_type.name.removesuffix("Request")
    for field in pb.ApproveChangeRequest.DESCRIPTOR.oneofs_by_name["change"].fields
]
"""The methods that can wait for a second person: those whose requests can be approved."""


def approval_rule(roles: Roles | None) -> tuple[list[str], list[tuple[str, str]]]:
    """Return which changes wait for a second person by the roles, and who vouches for which."""
    methods = [method for method in HELD if roles and matches(roles.four_eyes, method)]
    vouchers = [(who, _short(m)) for m in methods for who in (roles.vouchers(m) if roles else ())]
    return [_short(method) for method in methods], vouchers


def _short(method: str) -> str:
    return method.rpartition("/")[2]


def change_of(command: Asked, request: Any) -> Change:
    """Return what a request asks for, in the words of an approval."""
    return Change(
        loan_id=command.loan_id,
        request_id=command.request_id,
        method=type(request).__name__.removesuffix("Request"),
        body_sha256=wire.body_sha256(request),
        approved_by=getattr(command, "approved_by", ""),
    )


def proposed(request: pb.ApproveChangeRequest, now: datetime) -> tuple[Asked, Change]:
    """Read the change that is to be approved: as a command, and as its approval names it."""
    field = request.WhichOneof("change")
    if field is None:
        raise FieldMissing("no change is given", field="change", expected=", ".join(READERS))
    asked = getattr(request, field)
    asked.validate_only = False
    command = READERS[field](asked, now)
    # Weighed as asked by whoever will; that it is not the approver is seen when it is asked.
    return msgspec.structs.replace(command, actor=""), change_of(command, asked)


def approval_message(event: ChangeApproved) -> pb.Approval:
    """Return an approval as it is told."""
    return pb.Approval(
        change_request_id=event.change_request_id,
        method=event.method,
        loan_id=event.loan_id,
        body_sha256=event.body_sha256,
        approved_by=event.approved_by,
        recorded_at=event.recorded_at.isoformat(),
        expires_at=event.expires_at.isoformat(),
    )
