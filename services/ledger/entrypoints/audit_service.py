"""The auditors' API: checkpoints and proofs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceServicer

from services.ledger.application.proving import Prover, Sealed
from shared.runtime.requests import a_loan


class AuditService(LedgerAuditServiceServicer):
    """Answers every rpc of lending.ledger.v1.LedgerAuditService."""

    def __init__(self, prover: Prover, verifier: str) -> None:
        self.prover, self.verifier = prover, verifier

    async def GetCheckpoint(self, request: Any, context: Any) -> pb.SignedCheckpoint:
        """Return a signed checkpoint."""
        return self._checkpoint(await self.prover.checkpoint(max(0, request.size)))

    async def ProveEvent(self, request: Any, context: Any) -> pb.EventProof:
        """Prove one event."""
        loan_id = a_loan(request.loan_id)
        proof = await self.prover.event(loan_id, request.version)
        return pb.EventProof(
            leaf_number=proof.number,
            leaf=proof.leaf,
            path=proof.path,
            checkpoint=self._checkpoint(proof.checkpoint),
        )

    async def ProveConsistency(self, request: Any, context: Any) -> pb.ConsistencyProof:
        """Prove that the log only grew."""
        path = await self.prover.consistency(request.first_size, request.second_size)
        return pb.ConsistencyProof(path=path)

    def _checkpoint(self, sealed: Sealed) -> pb.SignedCheckpoint:
        at = datetime.fromtimestamp(sealed.sealed_at_us / 1e6, UTC)
        return pb.SignedCheckpoint(
            note=sealed.note,
            size=sealed.size,
            verifier=self.verifier,
            sealed_at=at.isoformat(timespec="milliseconds"),
        )
