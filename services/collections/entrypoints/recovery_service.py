"""Collections' API of claims, the legal ladder and evidence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from lending.collections.v1 import recovery_service_pb2 as pb
from lending.collections.v1.recovery_service_pb2_grpc import RecoveryServiceServicer

from services.collections import wire_recovery as wire
from services.collections.application.claiming import Claiming
from services.collections.application.escalating import Escalating
from services.collections.application.paging import asked, page_of
from services.collections.application.placing import Placing
from services.collections.domain import claims
from services.collections.domain.acceleration import Owing
from services.collections.domain.claims import Claim
from services.collections.domain.matter import Matter
from services.collections.entrypoints.answers import answer_after, first_answer
from shared.kernel.dates import parse_date
from shared.kernel.errors import LendingError
from shared.runtime.records import Work
from shared.runtime.requests import a_text, an_amount, an_id


class RecoveryService(RecoveryServiceServicer):
    """Answers every rpc of lending.collections.v1.RecoveryService."""

    def __init__(self, claiming: Claiming, escalating: Escalating, placing: Placing) -> None:
        self.claiming, self.escalating, self.placing = claiming, escalating, placing
        self.records = claiming.desk.records

    async def _claim(self, request: Any, step: Callable[[Work], Awaitable[Claim]]) -> pb.Claim:
        an_id(request.request_id, "request_id")

        async def act(work: Work) -> pb.Claim:
            return wire.claim_message(await step(work))

        return await self.records.answer_once(request, pb.Claim, act)

    async def OpenClaim(self, request: Any, context: Any) -> pb.Claim:
        """Open a claim."""
        claim = wire.claim(request)
        return await self._claim(request, lambda work: self.claiming.open(work, claim))

    async def AddClaimDocument(self, request: Any, context: Any) -> pb.Claim:
        """Add a document to a claim."""
        document = wire.document(request)
        return await self._claim(
            request,
            lambda work: self.claiming.change(
                work, request.claim_id, lambda one: claims.with_document(one, document)
            ),
        )

    async def FileClaim(self, request: Any, context: Any) -> pb.Claim:
        """File a claim with who stands in."""
        on = parse_date(request.filed_on, field="filed_on")
        an_amount(request.amount, "amount")
        by = a_text(request.filed_by, "filed_by")
        first = await first_answer(self.records, request, pb.Claim)
        if first is not None:
            return first
        async with self.records.work() as work:
            known = await self.claiming.claim(work, request.claim_id)
        late = await self.claiming.days_past_due(known.loan_id, on)
        return await self._claim(
            request,
            lambda work: self.claiming.file(work, request.claim_id, on, request.amount, by, late),
        )

    async def AnswerClaim(self, request: Any, context: Any) -> pb.Claim:
        """Take the answer of who stands in; money goes to the ledger."""
        on = parse_date(request.on, field="on")
        stated = request.HasField("amount")
        amount = an_amount(request.amount, "amount", positive=False) if stated else 0
        reason = "" if amount else a_text(request.reason, "reason")
        an_id(request.request_id, "request_id")
        claim_id = request.claim_id

        async def act(work: Work) -> pb.Claim:
            done = await self.claiming.answer(work, claim_id, on, request.amount, reason)
            return wire.claim_message(done)

        async def shown(work: Work) -> pb.Claim:
            return wire.claim_message(await self.claiming.claim(work, claim_id))

        return await answer_after(
            *(self.records, request, pb.Claim, act),
            carry_out=lambda: self.claiming.carry_out(claim_id),
            shown=shown,
        )

    async def ShareRecovery(self, request: Any, context: Any) -> pb.ShareRecoveryResponse:
        """Say how a recovery is shared."""
        rows = await self.claiming.share(request.loan_id, an_amount(request.amount, "amount"))
        return pb.ShareRecoveryResponse(
            shares=[
                pb.CreditorShare(creditor_ref=name, owed_minor=owed, share_minor=share)
                for name, owed, share in rows
            ]
        )

    async def ListClaims(self, request: Any, context: Any) -> pb.ListClaimsResponse:
        """List the claims of a loan."""
        loan_id = an_id(request.loan_id, "loan_id")
        wanted = asked(request.page, "claims", loan_id)
        async with self.records.work() as work:
            found = await self.claiming.of(work, loan_id)
        page, token = page_of(found, wanted, lambda one: ("", one.claim_id))
        claims = [wire.claim_message(one) for one in page]
        return pb.ListClaimsResponse(claims=claims, next_page_token=token)

    async def _matter(
        self, request: Any, step: Callable[[Work, Owing], Awaitable[Matter]]
    ) -> pb.LegalMatter:
        """Change a matter, by what the ledger says of the loan."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")
        first = await first_answer(self.records, request, pb.LegalMatter)
        if first is not None:
            return first
        owing = await self.escalating.owing(loan_id)

        async def act(work: Work) -> pb.LegalMatter:
            return await self._shown(work, await step(work, owing))

        return await self.records.answer_once(request, pb.LegalMatter, act)

    async def _shown(self, work: Work, matter: Matter) -> pb.LegalMatter:
        case = await self.claiming.case(work, matter.loan_id)
        debtor = await self.claiming.desk.contacting.debtor_of(work, case)
        last = matter.steps[-1].on if matter.steps else matter.due_on
        return wire.matter_message(matter, self.escalating.policy(debtor, last), case)

    async def ProposeLegalStep(self, request: Any, context: Any) -> pb.LegalMatter:
        """Propose the next legal step."""
        taken = wire.taken(request)
        return await self._matter(
            request,
            lambda work, owing: self.escalating.propose(work, request.loan_id, taken, owing),
        )

    async def ApproveLegalStep(self, request: Any, context: Any) -> pb.LegalMatter:
        """Approve it, by another person."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")
        by = a_text(request.approved_by, "approved_by").strip()
        known = await first_answer(self.records, request, pb.LegalMatter)
        owing = await self.escalating.owing(loan_id) if known is None else None

        async def act(work: Work) -> pb.LegalMatter:
            return await self._shown(work, await self.escalating.approve(work, loan_id, by, owing))

        async def shown(work: Work) -> pb.LegalMatter:
            case = await self.claiming.case(work, loan_id)
            return await self._shown(work, await self.escalating.matter(work, case, owing))

        return await answer_after(
            *(self.records, request, pb.LegalMatter, act),
            carry_out=lambda: self.escalating.carry_out(loan_id),
            shown=shown,
        )

    async def WithdrawLegalStep(self, request: Any, context: Any) -> pb.LegalMatter:
        """Take back the step that waits."""
        by = a_text(request.withdrawn_by, "withdrawn_by").strip()
        return await self._matter(
            request, lambda work, _: self.escalating.withdraw(work, request.loan_id, by)
        )

    async def RecordPersonCheck(self, request: Any, context: Any) -> pb.LegalMatter:
        """Record that somebody looked at the person."""
        on = parse_date(request.on, field="on")
        by, note = a_text(request.checked_by, "checked_by"), a_text(request.note, "note")
        return await self._matter(
            request,
            lambda work, owing: self.escalating.check(
                *(work, request.loan_id, on, by, note),
                may_go_on=request.may_go_on,
                owing=owing,
            ),
        )

    async def GetLegalMatter(self, request: Any, context: Any) -> pb.LegalMatter:
        """Return the legal matter of a loan; while the ledger is away, as it was last known."""
        loan_id, owing = an_id(request.loan_id, "loan_id"), None
        async with self.records.work() as work:
            await self.claiming.case(work, loan_id)
        try:
            owing = await self.escalating.owing(loan_id)
        except LendingError as away:
            if not away.retry:
                raise
        async with self.records.work() as work:
            case = await self.claiming.case(work, loan_id)
            return await self._shown(work, await self.escalating.matter(work, case, owing))

    async def PlaceWithAgency(self, request: Any, context: Any) -> pb.PlaceWithAgencyResponse:
        """Give a loan to an agency."""
        an_id(request.request_id, "request_id")
        agency, by = (
            a_text(request.agency_ref, "agency_ref"),
            a_text(request.placed_by, "placed_by"),
        )
        on = parse_date(request.on, field="on")

        async def act(work: Work) -> pb.PlaceWithAgencyResponse:
            placed = await self.placing.place(work, request.loan_id, agency, on, by)
            shown = wire.placement_message(placed[0])
            case = await self.claiming.case(work, request.loan_id)
            return pb.PlaceWithAgencyResponse(
                placement=shown, package_json=placed[1], borrower_ref=case.borrower_ref
            )

        return await self.records.answer_once(request, pb.PlaceWithAgencyResponse, act)

    async def RecallFromAgency(self, request: Any, context: Any) -> pb.Placement:
        """Take a loan back from an agency."""
        an_id(request.request_id, "request_id")
        by, why = a_text(request.recalled_by, "recalled_by"), a_text(request.why, "why")
        on = parse_date(request.on, field="on")

        async def act(work: Work) -> pb.Placement:
            back = await self.placing.recall(work, request.loan_id, on, by, why)
            return wire.placement_message(back)

        return await self.records.answer_once(request, pb.Placement, act)

    async def GetPlacement(self, request: Any, context: Any) -> pb.Placement:
        """Return the last placement of a loan."""
        async with self.records.work() as work:
            found = await self.placing.placement(work, an_id(request.loan_id, "loan_id"))
            return wire.placement_message(found)

    async def GetEvidence(self, request: Any, context: Any) -> pb.Evidence:
        """Gather the evidence of a loan."""
        text, digest = await self.escalating.evidence(an_id(request.loan_id, "loan_id"))
        return pb.Evidence(json=text, sha256=digest)
