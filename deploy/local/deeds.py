"""Carry out what a borrower of the sample book does, through the public APIs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lending.collections.v1 import collections_service_pb2 as collections_pb
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from deploy.local.clients import Clients
from deploy.sample.book import Deed
from shared.kernel.errors import LendingError

DONE_BEFORE = {"REQUEST_ID_REUSED", "REPAYMENT_ALREADY_REVERSED"}
NOT_ANY_MORE = {
    *("LOAN_IS_SETTLED", "LOAN_NOT_ACTIVE", "LOAN_IS_CHARGED_OFF", "REPAYMENT_NOT_FOUND"),
    *("CASE_IS_CLOSED", "PLAN_ALREADY_OPEN", "CONTACT_TOO_OFTEN"),
}
"""Reasons for which the book goes on: the borrower's life went another way."""
CASE_WAITS_MAX, CASE_WAIT_SECONDS = 300, 0.2


class CollectionsBehind(Exception):
    """Collections has not heard of a late loan within a minute; run again to go on."""


@dataclass(slots=True)
class Doer:
    """One borrower's hands."""

    clients: Clients
    loan_id: str

    async def do(self, deed: Deed) -> None:
        """Do one thing; done before, or not possible any more, it changes nothing."""
        try:
            await getattr(self, f"_{deed.what}")(deed, f"{self.loan_id}-{deed.name}")
        except LendingError as refusal:
            if refusal.reason not in DONE_BEFORE | NOT_ANY_MORE:
                raise

    async def _repay(self, deed: Deed, name: str) -> None:
        amount = deed.amount_minor or await self._due(deed)
        if amount == 0:
            return
        try:
            await self._post(deed, name, amount)
        except LendingError as refusal:
            payoff = int(refusal.facts.get("payoff_minor", "0"))
            if refusal.reason != "REPAYMENT_ABOVE_PAYOFF" or payoff == 0:
                raise
            await self._post(deed, f"{name}-payoff", payoff)

    async def _post(self, deed: Deed, name: str, amount_minor: int) -> None:
        await self.clients.ledger.PostRepayment(
            ledger_pb.PostRepaymentRequest(
                request_id=name,
                loan_id=self.loan_id,
                value_on=str(deed.on),
                amount=Money(amount_minor=amount_minor, currency="CNY"),
            )
        )

    async def _loan(self) -> Any:
        return await self.clients.ledger.GetLoan(ledger_pb.GetLoanRequest(loan_id=self.loan_id))

    async def _due(self, deed: Deed) -> int:
        """Return all that is due up to the day, penalty included."""
        loan = await self._loan()
        due = sum(
            row.principal_due_minor
            + row.interest_due_minor
            - row.principal_paid_minor
            - row.interest_paid_minor
            for row in loan.instalments
            if row.due_on <= str(deed.on)
        )
        return due + loan.penalty_outstanding_minor

    async def _reverse(self, deed: Deed, name: str) -> None:
        await self.clients.ledger.ReverseRepayment(
            ledger_pb.ReverseRepaymentRequest(
                request_id=f"{name}-returned",
                loan_id=self.loan_id,
                repayment_id=name,
                reason="returned debit",
            )
        )

    async def _charge_off(self, deed: Deed, name: str) -> None:
        await self.clients.ledger.ChargeOffLoan(
            ledger_pb.ChargeOffLoanRequest(
                request_id=name,
                loan_id=self.loan_id,
                effective_on=str(deed.on),
                reason="120 days past due",
            )
        )

    async def _recover(self, deed: Deed, name: str) -> None:
        await self.clients.ledger.PostRecovery(
            ledger_pb.PostRecoveryRequest(
                request_id=name,
                loan_id=self.loan_id,
                value_on=str(deed.on),
                amount=Money(amount_minor=deed.amount_minor, currency="CNY"),
            )
        )

    async def _case(self) -> bool:
        """Wait until the case of a late loan is open, for events take their time."""
        if (await self._loan()).delinquency.days_past_due == 0:
            return False
        request = collections_pb.GetCaseRequest(loan_id=self.loan_id)
        for _ in range(CASE_WAITS_MAX):
            try:
                case = await self.clients.collections.GetCase(request)
                if case.status == collections_pb.CASE_STATUS_OPEN:
                    return True
            except LendingError as refusal:
                if refusal.reason != "CASE_NOT_FOUND":
                    raise
            await asyncio.sleep(CASE_WAIT_SECONDS)
        raise CollectionsBehind(f"collections has no open case of {self.loan_id}")

    async def _promise(self, deed: Deed, name: str) -> None:
        if not await self._case():
            return
        amount = await self._due(deed)
        await self.clients.collections.RecordContact(
            collections_pb.RecordContactRequest(
                request_id=f"{name}-call",
                loan_id=self.loan_id,
                at=f"{deed.on}T10:30:00+08:00",
                channel="call",
                outcome="reached",
            )
        )
        await self.clients.collections.RecordPromise(
            collections_pb.RecordPromiseRequest(
                request_id=name,
                loan_id=self.loan_id,
                amount=Money(amount_minor=amount, currency="CNY"),
                made_on=str(deed.on),
                due_on=str(deed.until),
            )
        )

    async def _hardship(self, deed: Deed, name: str) -> None:
        if not await self._case():
            return
        await self.clients.collections.ProposeHardshipPlan(
            collections_pb.ProposeHardshipPlanRequest(
                request_id=name,
                loan_id=self.loan_id,
                instalments=24,
                first_due_on=str(deed.on + timedelta(days=30)),
                rate_annual="0.06",
                reason="income fell",
                proposed_by="officer-1",
            )
        )
        await self.clients.collections.ApproveHardshipPlan(
            collections_pb.ApproveHardshipPlanRequest(
                request_id=f"{name}-approve",
                loan_id=self.loan_id,
                approved_by="officer-2",
                effective_on=str(deed.on),
            )
        )
