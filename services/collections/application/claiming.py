"""Claims: opened, filed, answered; the money of who stands in goes to the ledger, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application import trail
from services.collections.application.desk import Desk
from services.collections.application.orders import Orders
from services.collections.application.ports import Ledger
from services.collections.domain import claims as domain
from services.collections.domain.case import Case, CaseNotFound
from services.collections.domain.claims import Claim
from services.collections.domain.currency import same_currency
from shared.runtime.records import Work

UNDER_WAY = ("OPEN", "FILED", "PAYING")


@dataclass(slots=True)
class Claiming:
    """Claims by id; their state in the records is their loan."""

    desk: Desk
    orders: Orders
    ledger: Ledger

    async def case(self, work: Work, loan_id: str) -> Case:
        """Return a case, open or closed; raise CaseNotFound."""
        found = await work.get(Case, loan_id)
        if found is None:
            raise CaseNotFound(f"loan {loan_id} has no case", field="loan_id")
        return found

    async def held(self, work: Work, loan_id: str) -> Case:
        """Return a case whose claims are to be changed: nobody else does until the end."""
        await self.desk.case(work, loan_id)
        return await self.case(work, loan_id)

    async def claim(self, work: Work, claim_id: str) -> Claim:
        """Return a claim; raise ClaimNotFound."""
        found = await work.get(Claim, claim_id)
        if found is None:
            raise domain.ClaimNotFound(f"no claim {claim_id[:64]!r}", field="claim_id")
        return found

    async def of(self, work: Work, loan_id: str) -> list[Claim]:
        """Return the claims of a loan, by id."""
        return [one async for one in work.every(Claim, state=loan_id)]

    async def open(self, work: Work, claim: Claim) -> Claim:
        """Open a claim; raise ClaimAlreadyOpen where one on the same stand-in is under way."""
        case = await self.held(work, claim.loan_id)
        same_currency(claim.currency, case.currency, "cover")
        for one in await self.of(work, claim.loan_id):
            if one.standin_ref == claim.standin_ref and one.status in UNDER_WAY:
                raise domain.ClaimAlreadyOpen(f"claim {one.claim_id}", field="standin_ref")
        await work.put(claim, claim.claim_id, claim.loan_id)
        return claim

    async def change(self, work: Work, claim_id: str, step: Callable[[Claim], Claim]) -> Claim:
        """Change a claim and tell what became of it."""
        case = await self.held(work, (await self.claim(work, claim_id)).loan_id)
        before = await self.claim(work, claim_id)
        claim = step(before)
        await work.put(claim, claim_id, claim.loan_id)
        if claim.status != before.status:
            said = f"{claim.standin} {claim.standin_ref}: {claim.status} {claim.refusal}".strip()
            loan, on = (case.borrower_ref, case.loan_id), case.last.effective_on
            said, when = f"{claim_id} {said}", self.desk.stamp(on)
            await trail.decided(work, loan, when, "CLAIM", claim.filed_by, said)
            told = {"FILED": "claim_filed", "PAID": "claim_paid", "REFUSED": "claim_refused"}
            if claim.status in told:
                await self.desk.keep(work, case, [told[claim.status]], claim_id)
        return claim

    async def file(
        self, work: Work, claim_id: str, on: date, amount: money_pb2.Money, by: str, late: int
    ) -> Claim:
        """File a claim of up to what its stand-in has not paid for this loan already."""
        claim = await self.claim(work, claim_id)
        same_currency(amount.currency, claim.currency, "amount")
        await self.held(work, claim.loan_id)
        paid = sum(
            one.paid_minor
            for one in await self.of(work, claim.loan_id)
            if (one.standin_ref, one.status) == (claim.standin_ref, "PAID")
        )
        minor = amount.amount_minor
        return await self.change(
            work, claim_id, lambda one: domain.filed(one, on, minor, by, late, paid)
        )

    async def days_past_due(self, loan_id: str, on: date) -> int:
        """Return how late a loan is on a day, as the ledger says."""
        request = ledger_pb.GetLoanRequest(loan_id=loan_id, effective_on=on.isoformat())
        loan = await self.ledger.GetLoan(request)
        return int(loan.delinquency.days_past_due)

    async def answer(
        self, work: Work, claim_id: str, on: date, amount: money_pb2.Money, reason: str
    ) -> Claim:
        """Take an answer in; what was paid is ordered into the ledger."""
        known = await self.claim(work, claim_id)
        same_currency(amount.currency or known.currency, known.currency, "amount")
        claim = await self.change(
            work, claim_id, lambda one: domain.answered(one, amount.amount_minor, reason)
        )
        if claim.status == "PAYING":
            request = ledger_pb.PostGuaranteePaymentRequest(
                request_id=_order_id(claim),
                loan_id=claim.loan_id,
                value_on=on.isoformat(),
                amount=amount,
                guarantor_ref=claim.standin_ref,
            )
            await self.orders.place(work, "claim", claim_id, request)
        return claim

    async def carry_out(self, claim_id: str) -> None:
        """Carry out what was ordered for a claim, if it waits."""
        async with self.desk.records.work() as work:
            claim = await self.claim(work, claim_id)
        if claim.status == "PAYING":
            await self.orders.carry_out(_order_id(claim))

    async def settle(self, work: Work, claim_id: str, refusal: str) -> None:
        """Write down whether the ledger took the money."""
        await self.change(work, claim_id, lambda one: domain.settled(one, refusal))

    async def share(self, loan_id: str, amount_minor: int) -> list[tuple[str, int, int]]:
        """Say how a recovery is shared: creditor, owed, share."""
        async with self.desk.records.work() as work:
            await self.case(work, loan_id)
            claims = await self.of(work, loan_id)
        payers: Counter[str] = Counter()
        for claim in claims:
            if claim.status == "PAID":
                payers[claim.standin_ref] += claim.paid_minor
        loan = await self.ledger.GetLoan(ledger_pb.GetLoanRequest(loan_id=loan_id))
        own = max(0, loan.payoff_minor - loan.subrogated_minor)
        left = max(0, loan.payoff_minor - own)
        return domain.share_recovery(amount_minor, own, payers, left)


def _order_id(claim: Claim) -> str:
    """Return the id of what is ordered for the present answer; each answer has its own."""
    return f"claim-{trail.key_of(claim.claim_id)}-{claim.answers}"
