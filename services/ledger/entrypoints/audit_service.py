"""The auditors' API: checkpoints and proofs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from google.protobuf import json_format
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceServicer

from services.ledger import wire_audit
from services.ledger.adapters.seals import Seals
from services.ledger.application.evidencing import Evidence
from services.ledger.application.key_rotation import keys_of, signed_by
from services.ledger.application.proving import NotCosigned, Prover, Sealed
from services.ledger.application.reading import Seen, facts_of, line_seen
from services.ledger.application.recorded_reads import ReadNotRepeatable, RecordedReads
from services.ledger.domain.book_events import AnswerRead
from services.ledger.domain.counterfactual import steps, suppose
from services.ledger.domain.difference import Look
from services.ledger.domain.loan_account import fold
from services.ledger.domain.refusals import BusinessDateNotSet, LoanNotFound
from services.ledger.entrypoints.book_reads import BookReads
from services.ledger.entrypoints.recording import Read, reader_of, record
from services.ledger.entrypoints.spool import sha256_of
from shared.audit.checkpoints import Signer
from shared.kernel.dates import parse_date
from shared.runtime.requests import a_loan, a_text, an_id, an_instant


class AuditService(LedgerAuditServiceServicer):
    """Answers every rpc of lending.ledger.v1.LedgerAuditService."""

    def __init__(
        self,
        prover: Prover,
        seals: Seals,
        evidence: Evidence,
        reads: RecordedReads,
        signer: Callable[[], Signer],
        today: Callable[[], date | None],
        book: BookReads,
        loan_reads: Mapping[str, Read] | None = None,
    ) -> None:
        self.prover, self.seals, self.evidence = prover, seals, evidence
        self.reads, self.signer, self.today = reads, signer, today
        self.book, self.loan_reads = book, loan_reads or {}

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
        stream = a_text(request.stream, "stream") if request.stream else ""
        loan_id = "" if stream else a_loan(request.loan_id)
        proof = await self.prover.event(loan_id, request.version, stream, request.checkpoint_size)
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
        """Pack the evidence about one loan, and record that it was read."""
        request.effective_on = self._date(request.effective_on).isoformat()
        if request.checkpoint_size <= 0:
            covering = await self.prover.covering(a_loan(request.loan_id))
            request.checkpoint_size = covering.size
        return await self._recorded(request, await self._evidence(request), context)

    async def SupposeLoan(self, request: Any, context: Any) -> pb.SupposeLoanResponse:
        """Say what a loan would be, had something been otherwise, and record that it was asked."""
        self._state(request)
        return await self._recorded(request, await self._supposed(request), context)

    async def ExplainLateness(self, request: Any, context: Any) -> pb.ExplainLatenessResponse:
        """Say why a loan is as late as it is, and record that it was asked."""
        self._state(request)
        return await self._recorded(request, await self._lateness(request), context)

    async def StreamEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Stream events of a loan, a period or the book."""
        async for part in self.book.events(request):
            yield part

    async def CompareBook(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Stream what changed between two looks at the book."""
        async for part in self.book.compare(request):
            yield part

    async def RepeatRead(self, request: Any, context: Any) -> pb.RepeatReadResponse:
        """Answer a recorded question again."""
        read = await self.reads.find(an_id(request.read_id, "read_id"))
        again = await self._sha256_again(read)
        return pb.RepeatReadResponse(
            reader=read.reader,
            purpose=read.purpose,
            recorded_at=read.recorded_at.isoformat(),
            method=read.method,
            request_json=read.request_json,
            answer_sha256=read.answer_sha256,
            same=again == read.answer_sha256,
        )

    async def _sha256_again(self, read: AnswerRead) -> str:
        """Return the hash of what a recorded question is answered now."""
        if read.method == "StreamEvents":
            asked = json_format.Parse(read.request_json, pb.StreamEventsRequest())
            return await sha256_of(self.book.events(asked))
        if read.method == "CompareBook":
            looks = json_format.Parse(read.request_json, pb.CompareBookRequest())
            return await sha256_of(self.book.compare(looks))
        return wire_audit.answer_sha256(await self._again(read))

    async def _again(self, read: AnswerRead) -> Any:
        """Answer a recorded question as it would be answered now."""
        if read.method == "ExportEvidence":
            return await self._evidence(
                json_format.Parse(read.request_json, pb.ExportEvidenceRequest())
            )
        if read.method == "SupposeLoan":
            return await self._supposed(
                json_format.Parse(read.request_json, pb.SupposeLoanRequest())
            )
        if read.method == "ExplainLateness":
            return await self._lateness(
                json_format.Parse(read.request_json, pb.ExplainLatenessRequest())
            )
        if read.method not in self.loan_reads:
            raise ReadNotRepeatable(f"{read.method} {read.request_json}", field="read_id")
        kind = getattr(ledger_service_pb2, f"{read.method}Request")
        asked = json_format.Parse(read.request_json, kind())
        return await self.loan_reads[read.method](asked, None)

    async def _recorded(self, request: Any, answer: Any, context: Any) -> Any:
        """Record an answer in the log, and only then return it with the id of its record."""
        told = wire_audit.answer_sha256(answer)
        read = await record(self.reads, request, told, reader_of(context))
        answer.read_id = read.read_id
        return answer

    async def _evidence(self, request: pb.ExportEvidenceRequest) -> pb.EvidencePack:
        known_at = an_instant(request.known_at, "known_at") if request.known_at else None
        pack = await self.evidence.of_loan(
            a_loan(request.loan_id),
            self._date(request.effective_on),
            known_at=known_at,
            size=request.checkpoint_size,
        )
        return pb.EvidencePack(
            pack=pack.data,
            sha256=pack.sha256,
            effective_on=pack.on.isoformat(),
            checkpoint=self._checkpoint(pack.sealed),
        )

    async def _supposed(self, request: pb.SupposeLoanRequest) -> pb.SupposeLoanResponse:
        known_at = an_instant(request.known_at, "known_at")
        look = Look(self._date(request.effective_on), known_at)
        loan_id, supposition = a_loan(request.loan_id), wire_audit.supposition(request)
        events = await asyncio.to_thread(facts_of, self.prover.log, loan_id)
        found = suppose(events, look, supposition)
        return wire_audit.supposed_message(found, steps(events, look, supposition), supposition)

    async def _lateness(self, request: pb.ExplainLatenessRequest) -> pb.ExplainLatenessResponse:
        on, known_at = self._date(request.effective_on), an_instant(request.known_at, "known_at")
        loan_id = a_loan(request.loan_id)
        facts = await asyncio.to_thread(facts_of, self.prover.log, loan_id)
        known = [fact for fact in facts if fact.recorded_at <= known_at]
        account = fold(known)
        if account is None:
            raise LoanNotFound(f"nothing of loan {loan_id} was known then", field="loan_id")
        return wire_audit.lateness_message(loan_id, line_seen(Seen(account, on)), known)

    def _state(self, request: Any) -> None:
        """State the date and the instant that a question leaves to the ledger."""
        request.effective_on = self._date(request.effective_on).isoformat()
        if not request.known_at:
            settled = self.reads.writer.settled_at(self.reads.now())
            request.known_at = settled.isoformat()

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
            verifier=signed_by(sealed.note, keys_of(self.prover.log, self.signer().verifier)),
            sealed_at=at.isoformat(timespec="milliseconds"),
        )
