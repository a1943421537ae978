"""The auditors' API: checkpoints and proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceServicer

from services.ledger import wire_audit
from services.ledger.adapters.seals import Seals
from services.ledger.application.evidencing import Evidence
from services.ledger.application.proving import NotCosigned, Prover, Sealed
from services.ledger.application.reading import facts_of
from services.ledger.domain.counterfactual import suppose
from services.ledger.domain.difference import Look
from services.ledger.domain.refusals import BusinessDateNotSet
from shared.kernel.dates import parse_date
from shared.runtime.requests import a_loan, an_instant

NO_LIMIT = datetime.max.replace(tzinfo=UTC)


class AuditService(LedgerAuditServiceServicer):
    """Answers every rpc of lending.ledger.v1.LedgerAuditService."""

    def __init__(
        self,
        prover: Prover,
        seals: Seals,
        evidence: Evidence,
        verifier: str,
        today: Callable[[], date | None],
    ) -> None:
        self.prover, self.seals, self.evidence = prover, seals, evidence
        self.verifier, self.today = verifier, today

    async def GetCheckpoint(self, request: Any, context: Any) -> pb.SignedCheckpoint:
        """Return a signed checkpoint with what witnesses say of it."""
        size, lines = max(0, request.size), {}
        if request.cosigned and not size:
            size, lines = await self.seals.cosignatures()
            if not size:
                raise NotCosigned("no witness has cosigned yet", field="cosigned")
        found = self._checkpoint(await self.prover.checkpoint(size))
        lines = lines or (await self.seals.cosignatures(found.size))[1]
        found.note += "".join(lines.values())
        found.witnesses.extend(lines)
        return found

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

    async def ExportEvidence(self, request: Any, context: Any) -> pb.EvidencePack:
        """Pack the evidence about one loan."""
        known_at = an_instant(request.known_at, "known_at") if request.known_at else None
        pack = await self.evidence.of_loan(
            a_loan(request.loan_id),
            self._date(request.effective_on),
            known_at=known_at,
            size=max(0, request.checkpoint_size),
        )
        return pb.EvidencePack(
            pack=pack.data,
            sha256=pack.sha256,
            effective_on=pack.on.isoformat(),
            checkpoint=self._checkpoint(pack.sealed),
        )

    async def SupposeLoan(self, request: Any, context: Any) -> pb.SupposeLoanResponse:
        """Say what a loan would be, had something been otherwise."""
        known_at = an_instant(request.known_at, "known_at") if request.known_at else NO_LIMIT
        look = Look(self._date(request.effective_on), known_at)
        loan_id, supposition = a_loan(request.loan_id), wire_audit.supposition(request)
        events = await asyncio.to_thread(facts_of, self.prover.log, loan_id)
        return wire_audit.supposed_message(suppose(events, look, supposition), supposition)

    def _date(self, text: str) -> date:
        on = parse_date(text, field="effective_on") if text else self.today()
        if on is None:
            raise BusinessDateNotSet("the ledger has no business date yet")
        return on

    def _checkpoint(self, sealed: Sealed) -> pb.SignedCheckpoint:
        at = datetime.fromtimestamp(sealed.sealed_at_us / 1e6, UTC)
        return pb.SignedCheckpoint(
            note=sealed.note,
            size=sealed.size,
            verifier=self.verifier,
            sealed_at=at.isoformat(timespec="milliseconds"),
        )
