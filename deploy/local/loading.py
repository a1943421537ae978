"""Live the sample book day by day through the public APIs; repeated, it has one effect."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2

from deploy.local.clients import Clients
from deploy.local.deeds import Doer
from deploy.local.walking import walk
from deploy.sample.book import ENDS_ON, STARTS_ON, Applicant, Deed, Due, applicants, deeds
from shared.kernel.errors import LendingError

CALLS_AT_ONCE = 32


@dataclass(slots=True)
class Loading:
    """One run through the book."""

    clients: Clients
    by_day: dict[date, list[Applicant]] = field(default_factory=lambda: defaultdict(list))
    todo: dict[date, list[tuple[Doer, Deed]]] = field(default_factory=lambda: defaultdict(list))
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))

    async def run(self, on_day: Callable[[date], None]) -> None:
        """Live every day that the ledger has not closed yet; `on_day` is told after each."""
        for applicant in applicants():
            self.by_day[applicant.applied_on].append(applicant)
        answer = await self.clients.ledger.GetBusinessDate(ledger_pb.GetBusinessDateRequest())
        day = date.fromisoformat(answer.on) if answer.on else STARTS_ON
        await self._recall(day)
        while day <= ENDS_ON:
            await self._live(day)
            on_day(day)
            day += timedelta(days=1)

    async def _live(self, day: date) -> None:
        request = ledger_pb.AdvanceBusinessDateRequest(request_id=f"day-{day}", to=str(day))
        await self.clients.ledger.AdvanceBusinessDate(request, timeout=60)
        await asyncio.gather(*(self._apply(a) for a in self.by_day.get(day, ())))
        await asyncio.gather(*(self._do(*one) for one in self.todo.pop(day, ())))

    async def _recall(self, day: date) -> None:
        """After a restart, plan again what the loans paid out before are still to do."""
        earlier = [a for on, found in self.by_day.items() if on < day for a in found]
        await asyncio.gather(*(self._plan(applicant, day) for applicant in earlier))

    async def _do(self, doer: Doer, deed: Deed) -> None:
        async with self.gate:
            await doer.do(deed)

    async def _apply(self, applicant: Applicant) -> None:
        """Take one application through all steps to the money."""
        async with self.gate:
            await walk(self.clients.origination, applicant)
        await self._plan(applicant, applicant.applied_on)

    async def _plan(self, applicant: Applicant, since: date) -> None:
        """Put what the borrower will do on its days."""
        async with self.gate:
            try:
                loan = await self.clients.ledger.GetLoan(
                    ledger_pb.GetLoanRequest(
                        loan_id=applicant.loan_id, effective_on=str(applicant.applied_on)
                    )
                )
            except LendingError:
                return
        doer = Doer(self.clients, applicant.loan_id)
        for deed in deeds(applicant, _dues(loan)):
            if deed.on >= since:
                self.todo[deed.on].append((doer, deed))


def _dues(loan: loan_pb2.Loan) -> list[Due]:
    return [
        Due(
            row.number,
            date.fromisoformat(row.due_on),
            row.principal_due_minor + row.interest_due_minor,
        )
        for row in loan.instalments
    ]
