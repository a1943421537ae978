"""A ledger and a bank that keep to what they answered: by request id, body and date."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2

from services.origination.application.ports import PayerRefuses, PayoutAnswer, PayoutOrder
from shared.kernel.errors import InvalidArgument, LendingError, NotFound, Refused

TODAY = date(2026, 1, 5)
OLD, OLD_PAYOFF, OLD_PER_DAY = "L-old", 30_000, 10


class RepaymentAbovePayoff(Refused):
    """The ledger takes no more than is owed."""


class LoanAlreadyDisbursed(Refused):
    """The ledger pays a loan out once."""


class LoanAlreadyOpen(Refused):
    """A loan is opened once."""


class LoanIsSettled(Refused):
    """Nothing is owed any more."""


class LoanNotFound(NotFound):
    """Nothing was opened under this id."""


class RequestIdReused(Refused):
    """One id, two bodies."""


class DateOutOfOrder(InvalidArgument):
    """Money counts from the business date at the latest, and parts go out in order."""


@dataclass
class Bank:
    """Pays each id once, and counts; it answers after the money has moved."""

    paid: dict[str, int] = field(default_factory=dict)
    orders: dict[str, PayoutOrder] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    refuses: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    moves: int = 0

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        await asyncio.sleep(0)
        self.asked[order.payout_id] += 1
        assert self.orders.setdefault(order.payout_id, order) == order
        if order.payout_id in self.refuses:
            raise PayerRefuses("the payer answers 422 no such branch")
        if order.payout_id in self.closed:
            return PayoutAnswer("", "account closed")
        if order.payout_id not in self.paid:
            self.paid[order.payout_id] = order.amount_minor
            self.moves += 1
        await asyncio.sleep(0)
        return PayoutAnswer(f"bank-{order.payout_id}")


@dataclass
class Account:
    """One loan: what went out and came in, by request id, each with its date."""

    terms: Any
    per_day_minor: int = 0
    out: dict[str, tuple[date, int]] = field(default_factory=dict)
    back: dict[str, tuple[date, int]] = field(default_factory=dict)

    def payoff(self, on: date) -> int:
        """What is owed on a day, by what counts until then."""
        sides = [sum(a for day, a in side.values() if day <= on) for side in (self.out, self.back)]
        return sides[0] - sides[1] + self.per_day_minor * max(0, (on - TODAY).days)


def old_loan() -> Account:
    """Return the loan that is refinanced."""
    terms = loan_pb2.Terms(currency="CNY", principal_minor=OLD_PAYOFF)
    return Account(terms, OLD_PER_DAY, {"old": (TODAY, OLD_PAYOFF)})


@dataclass
class FakeLedger:
    """
    Answers one request id once, as the ledger does, and weighs money by its date and today's.

    `turns_at`: the call at which a day passes, or with `turns_on_disbursal` each payout it hears
    of; `meanwhile_minor`: what the borrower then pays to the old loan; `trouble`: refusals by
    request id, for as long as they stand here.
    """

    on: date = TODAY
    turns_at: int = 0
    turns_on_disbursal: bool = False
    meanwhile_minor: int = 0
    trouble: dict[str, LendingError] = field(default_factory=dict)
    loans: dict[str, Account] = field(default_factory=lambda: {OLD: old_loan()})
    bodies: dict[str, bytes] = field(default_factory=dict)
    calls: int = 0

    async def _arrives(self, request: Any) -> bool:
        """Let a call arrive; return whether it was answered before under its id."""
        await asyncio.sleep(0)
        self.calls += 1
        if self.calls == self.turns_at:
            self.turn()
        name, dry = getattr(request, "request_id", ""), getattr(request, "validate_only", False)
        if not name or dry:
            return False
        if name in self.trouble and not isinstance(request, ledger_pb.VoidRequestRequest):
            raise self.trouble[name]
        body = request.SerializeToString(deterministic=True)
        if self.bodies.get(name, body) != body:
            raise RequestIdReused(f"{name} had another body")
        return name in self.bodies

    async def _keeps(self, request: Any) -> None:
        self.bodies[request.request_id] = request.SerializeToString(deterministic=True)
        await asyncio.sleep(0)

    def turn(self) -> None:
        """A day passes, and the borrower pays to the old loan, no more than it then needs."""
        self.on += timedelta(days=1)
        old = self.loans[OLD]
        paid = min(self.meanwhile_minor, old.payoff(self.on))
        if paid > 0:
            old.back["by the borrower"] = self.on, paid

    async def GetBusinessDate(self, request: Any) -> Any:
        await self._arrives(request)
        return ledger_pb.BusinessDate(on=self.on.isoformat())

    async def PreviewLoan(self, request: Any) -> Any:
        await self._arrives(request)
        terms = request.terms
        row = loan_pb2.Instalment(
            number=1, due_on=terms.first_due_on, principal_due_minor=terms.principal_minor
        )
        return loan_pb2.Loan(terms=terms, instalments=[row], effective_on=request.value_on)

    async def OpenLoan(self, request: Any) -> Any:
        if not await self._arrives(request):
            if request.loan_id in self.loans:
                raise LoanAlreadyOpen(f"{request.loan_id} is open")
            if not request.validate_only:
                self.loans[request.loan_id] = Account(request.terms)
                await self._keeps(request)
        return loan_pb2.Loan(loan_id=request.loan_id)

    async def DisburseLoan(self, request: Any) -> Any:
        if not await self._arrives(request):
            loan, on = self._loan(request.loan_id), date.fromisoformat(request.value_on)
            after = sum(a for _, a in loan.out.values()) + request.amount.amount_minor
            parts_max = max(1, loan.terms.disbursements_max)
            if after > loan.terms.principal_minor or len(loan.out) >= parts_max:
                raise LoanAlreadyDisbursed(f"{request.loan_id} is paid out")
            if on > self.on or any(on < day for day, _ in loan.out.values()):
                raise DateOutOfOrder(f"{on} is no day for a payout")
            if not request.validate_only:
                loan.out[request.request_id] = on, request.amount.amount_minor
                if self.turns_on_disbursal:
                    self.turn()
                await self._keeps(request)
        return loan_pb2.Loan(loan_id=request.loan_id)

    async def GetLoan(self, request: Any) -> Any:
        await self._arrives(request)
        loan = self._loan(request.loan_id)
        on = date.fromisoformat(request.effective_on) if request.effective_on else self.on
        payoff = max(0, loan.payoff(on))
        active = loan.payoff(self.on) > 0
        return loan_pb2.Loan(
            loan_id=request.loan_id,
            borrower_ref="B-1",
            status=loan_pb2.LOAN_STATUS_ACTIVE if active else loan_pb2.LOAN_STATUS_SETTLED,
            terms=loan.terms,
            payoff_minor=payoff,
        )

    async def PostRepayment(self, request: Any) -> Any:
        if not await self._arrives(request):
            self._takes(request)
            if not request.validate_only:
                await self._keeps(request)
        return ledger_pb.PostRepaymentResponse()

    async def SettleLoan(self, request: Any) -> Any:
        if not await self._arrives(request):
            self._takes(request)
            await self._keeps(request)
        return loan_pb2.Loan(loan_id=request.loan_id)

    async def VoidRequest(self, request: Any) -> Any:
        if not await self._arrives(request):
            self._loan(request.loan_id)
            await self._keeps(request)
        return ledger_pb.VoidRequestResponse(request_id=request.request_id)

    async def ListLoanEvents(self, request: Any) -> Any:
        """What it recorded of a loan, as far as origination reads it."""
        await self._arrives(request)
        loan = self._loan(request.loan_id)
        sides = [("LoanDisbursed", loan.out), ("RepaymentPosted", loan.back)]
        return ledger_pb.ListLoanEventsResponse(
            events=[
                loan_pb2.LoanEvent(
                    topic=f"lending.ledger.{what}",
                    body_json=json.dumps(
                        {"request_id": name, "amount_minor": amount, "effective_on": str(on)}
                    ),
                )
                for what, side in sides
                for name, (on, amount) in side.items()
            ]
        )

    def _takes(self, request: Any) -> None:
        loan, on = self._loan(request.loan_id), date.fromisoformat(request.value_on)
        amount = request.amount.amount_minor
        if loan.payoff(self.on) <= 0:
            raise LoanIsSettled(f"{request.loan_id} is settled")
        if on > self.on:
            raise DateOutOfOrder(f"{on} is in the future")
        if amount > min(loan.payoff(on), loan.payoff(self.on)):
            raise RepaymentAbovePayoff(f"{amount} is more than is owed")
        if not getattr(request, "validate_only", False):
            loan.back[request.request_id] = on, amount

    def _loan(self, loan_id: str) -> Account:
        if loan_id not in self.loans:
            raise LoanNotFound(f"no loan {loan_id}")
        return self.loans[loan_id]
