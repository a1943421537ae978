"""The book as the ledger tells it, on any date: every loan asked for by its id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import grpc
from lending.common.v1 import page_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2

from services.risk.application.portfolio import DateNotReached
from services.risk.domain.book import CHARGED_OFF, SETTLED, BookRow, remaining_months

PAGE, TOGETHER = 500, 32
_ENDED = {
    loan_pb2.LOAN_STATUS_CHARGED_OFF: CHARGED_OFF,
    loan_pb2.LOAN_STATUS_WRITTEN_OFF: CHARGED_OFF,
    loan_pb2.LOAN_STATUS_SETTLED: SETTLED,
}
"""What a loan is that does not run any more."""


@dataclass(slots=True)
class LedgerBook:
    """
    Reads through the ledger's public API, all of it as known at one instant, RFC 3339.

    `stub` is a LedgerServiceStub.
    """

    stub: Any
    known_at: str

    async def known(self) -> tuple[date, str]:
        """Return the ledger's business date, and the instant up to which its facts count."""
        reached = (await self.stub.GetBusinessDate(ledger_pb.GetBusinessDateRequest())).on
        if not reached:
            raise DateNotReached("the ledger has no business date", field="as_of")
        return date.fromisoformat(reached), self.known_at

    async def on(self, as_of: date, currency: str) -> list[BookRow]:
        """
        Return every loan of a currency that was paid out by a date, as it was on it.

        Raises:
            DateNotReached: the ledger would answer, with what would be if nobody paid any more.
        """
        reached, _ = await self.known()
        if reached < as_of:
            said = f"{as_of} lies after the ledger's business date"
            raise DateNotReached(said, field="as_of", expected=f"{reached} or earlier")
        turns = asyncio.Semaphore(TOGETHER)

        async def ask(loan_id: str) -> BookRow | None:
            request = ledger_pb.GetLoanRequest(
                loan_id=loan_id, effective_on=as_of.isoformat(), known_at=self.known_at
            )
            async with turns:
                loan = await self._loan(request)
            if loan is None or not _paid_out(loan, as_of):
                return None
            return book_row(loan, as_of)

        names = [name async for name in self._names(currency)]
        rows = await asyncio.gather(*(ask(name) for name in names))
        return [row for row in rows if row is not None]

    async def _loan(self, request: ledger_pb.GetLoanRequest) -> loan_pb2.Loan | None:
        """Return a loan; None for one that was opened after the instant."""
        try:
            return await self.stub.GetLoan(request)
        except grpc.aio.AioRpcError as refusal:
            if refusal.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    async def _names(self, currency: str) -> AsyncIterator[str]:
        token = ""
        while True:
            page = page_pb2.Page(size=PAGE, token=token)
            wanted = f'currency = "{currency}"'
            request = ledger_pb.ListLoansRequest(page=page, filter=wanted)
            found = await self.stub.ListLoans(request)
            for loan in found.loans:
                yield loan.loan_id
            token = found.next_page_token
            if not token:
                return


def _paid_out(loan: loan_pb2.Loan, as_of: date) -> bool:
    return bool(loan.disbursed_on) and date.fromisoformat(loan.disbursed_on) <= as_of


def _charges(loan: loan_pb2.Loan) -> int:
    """
    Return what a loan owes beside principal, minor units.

    What settles it less its principal, interest accrued to the day included; where settling early
    has a fee, which a loss does not, only what is overdue and charged.
    """
    if loan.terms.prepayment_fee_rate:
        overdue = loan.interest_overdue_minor + loan.penalty_outstanding_minor
        return overdue + loan.fees_outstanding_minor
    return max(0, loan.payoff_minor - loan.principal_outstanding_minor)


def book_row(loan: loan_pb2.Loan, as_of: date) -> BookRow:
    """Return a loan on a date as a row of the book."""
    buckets = loan.delinquency.buckets
    dues = [
        (date.fromisoformat(one.due_on), one.principal_due_minor - one.principal_paid_minor)
        for one in loan.instalments
    ]
    return BookRow(
        loan_id=loan.loan_id,
        borrower_ref=loan.borrower_ref,
        product=loan.product,
        currency=loan.terms.currency,
        state=_ENDED.get(loan.status, buckets["m"]),
        tier=buckets["five_tier"],
        days_past_due=loan.delinquency.days_past_due,
        balance_minor=loan.principal_outstanding_minor,
        disbursed_on=date.fromisoformat(loan.disbursed_on),
        rate_annual=Decimal(loan.terms.rate_annual),
        remaining_minor=remaining_months(dues, as_of),
        creditor_ref=loan.creditor_ref,
        charges_minor=_charges(loan),
    )
