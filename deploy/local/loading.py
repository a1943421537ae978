"""Live the sample book day by day through the public APIs; repeated, it has one effect."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as origination_pb

from deploy.local.clients import Clients
from deploy.local.deeds import Doer
from deploy.sample.book import ENDS_ON, STARTS_ON, Applicant, Deed, Due, applicants, deeds
from shared.kernel.errors import LendingError

CALLS_AT_ONCE = 32
CURRENCY = "CNY"
INCOME_OVER_INSTALMENT = {"1": 2.5, "2": 3.5, "3": 4.5, "4": 6.0}
"""The file gives the instalment as a class of disposable income; income follows from it."""


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
            name, api = applicant.application_id, self.clients.origination
            await api.SubmitApplication(_submission(applicant))
            step = origination_pb.ApplicationRequest(request_id=f"{name}-s", application_id=name)
            application = await api.DecideApplication(step)
            if application.status == origination_pb.APPLICATION_STATUS_OFFERED:
                await api.ShowDisclosure(step)
                application = await api.GetApplication(
                    origination_pb.GetApplicationRequest(application_id=name)
                )
            if application.status == origination_pb.APPLICATION_STATUS_DISCLOSED:
                await api.ConfirmDisclosure(
                    origination_pb.ConfirmDisclosureRequest(
                        request_id=f"{name}-confirm",
                        application_id=name,
                        disclosure_sha256=application.disclosure_sha256,
                    )
                )
                step.request_id = f"{name}-accept"
                await api.AcceptContract(step)
            if application.status in _PAID_OUT:
                await api.DisburseApplication(step)
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


_PAID_OUT = {
    origination_pb.APPLICATION_STATUS_DISCLOSED,
    origination_pb.APPLICATION_STATUS_CONFIRMED,
    origination_pb.APPLICATION_STATUS_CONTRACTED,
    origination_pb.APPLICATION_STATUS_DISBURSING,
}


def _dues(loan: loan_pb2.Loan) -> list[Due]:
    return [
        Due(
            row.number,
            date.fromisoformat(row.due_on),
            row.principal_due_minor + row.interest_due_minor,
        )
        for row in loan.instalments
    ]


def _submission(applicant: Applicant) -> origination_pb.SubmitApplicationRequest:
    row = applicant.row
    amount, months = int(row["credit_amount"]) * 100, int(row["duration_in_month"])
    rate = row["installment_rate_in_percentage_of_disposable_income"]
    income = int(amount / months * INCOME_OVER_INSTALMENT[rate])
    product = "consumer-2026" if applicant.number % 2 else "consumer-2026-daily"

    def money(minor: int) -> Money:
        return Money(amount_minor=minor, currency=CURRENCY)

    return origination_pb.SubmitApplicationRequest(
        request_id=f"{applicant.application_id}-submit",
        application_id=applicant.application_id,
        borrower_ref=f"B-{applicant.number:04}",
        applicant_name=f"Applicant {applicant.number}",
        identity_number=f"ID-{applicant.number}",
        product=product,
        amount=money(amount),
        instalments=months,
        method=loan_pb2.RepaymentMethod.Value(applicant.method),
        monthly_income=money(income),
        monthly_debt_payments=money(0),
        other_lenders=int(row["number_of_existing_credits_at_this_bank"]) - 1,
        age_years=int(row["age_in_years"]),
        purpose=row["purpose"],
        attributes={k: v for k, v in row.items() if k != "creditability"},
        applied_on=str(applicant.applied_on),
    )
