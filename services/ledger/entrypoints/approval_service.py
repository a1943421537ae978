"""The approvers' API: one person's word on what another is to ask for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from lending.ledger.v1 import approval_service_pb2 as pb
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.approval_service_pb2_grpc import LedgerApprovalServiceServicer

from services.ledger.application.approving import Approvals, Request
from services.ledger.domain.commands import Asked
from services.ledger.wire import body_sha256
from services.ledger.wire_approvals import approval_message, proposed
from shared.runtime.requests import a_text, an_id


class ApprovalService(LedgerApprovalServiceServicer):
    """Answers every rpc of lending.ledger.v1.LedgerApprovalService."""

    def __init__(
        self,
        approvals: Approvals,
        weighed: Callable[[Asked], Awaitable[loan_pb2.Loan]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.approvals, self.weighed, self.now = approvals, weighed, now

    async def ApproveChange(self, request: Any, context: Any) -> pb.ApproveChangeResponse:
        """Let a second person approve a change, having seen what it would do."""
        now = self.now()
        by = a_text(request.approved_by, "approved_by")
        # Looked at or given, it is the same request.
        looks, request.validate_only = request.validate_only, False
        own = Request(an_id(request.request_id, "request_id"), body_sha256(request))
        command, change = proposed(request, now)
        first = await self.approvals.first(change, by, own)
        if first is not None:
            return pb.ApproveChangeResponse(approval=approval_message(first))
        loan = await self.weighed(command)
        if looks:
            return pb.ApproveChangeResponse(loan=loan)
        event = await self.approvals.approve(change, by, own, now)
        return pb.ApproveChangeResponse(approval=approval_message(event), loan=loan)
