"""The steps that ask others: a decision from risk, a schedule and the money from the ledger."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import events_pb2
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination import wire
from services.origination.domain import application as domain
from services.origination.domain.application import Application, ApplicationNotFound, Status
from shared.kernel.errors import LendingError
from shared.runtime.records import Records, Work

RESUME_SECONDS = 2.0


@dataclass(slots=True)
class Steps:
    """Moves applications on; every call to another service may be repeated, with one effect."""

    records: Records
    ledger: Any
    risk: Any
    products: wire.Products

    async def load(self, application_id: str) -> Application:
        """Return an application, or raise ApplicationNotFound."""
        async with self.records.work() as work:
            found = await work.get(Application, application_id)
        if found is None:
            raise ApplicationNotFound(f"no application {application_id}", field="application_id")
        return found

    async def change(
        self, application_id: str, step: Callable[[Application], Application]
    ) -> Application:
        """Take a step on what is stored now, and publish what came of it."""
        async with self.records.work() as work:
            found = await work.get(Application, application_id)
            if found is None:
                raise ApplicationNotFound(f"no application {application_id}")
            after = step(found)
            await self.keep(work, after)
        return after

    async def keep(self, work: Work, application: Application) -> None:
        """Store an application and owe the message about it."""
        name, status = application.application_id, str(application.status)
        await work.put(application, name, status)
        body = events_pb2.ApplicationChanged(application=wire.application_message(application))
        subject = f"lending.v1.origination.application_{status.lower()}.{name}"
        marks = hashlib.sha256(body.SerializeToString(deterministic=True)).hexdigest()[:12]
        headers = {"ce-type": "lending.origination.v1.ApplicationChanged", "ce-subject": name}
        await work.owe(subject, f"origination/{name}/{status}/{marks}", body, headers)

    async def preview(self, application: Application, terms: Any) -> Any:
        """Ask the ledger what terms would mean."""
        value_on = application.applied_on.isoformat()
        return await self.ledger.PreviewLoan(
            ledger_pb.PreviewLoanRequest(terms=terms, value_on=value_on)
        )

    async def decide(self, application_id: str) -> Application:
        """Have an application decided; once decided it stays so."""
        found = await self.load(application_id)
        if found.decision_json:
            return found
        domain.require(found, "decide")
        terms = wire.terms_on_offer(found, self.products)
        preview = await self.preview(found, terms)
        total = sum(r.principal_due_minor + r.interest_due_minor for r in preview.instalments)
        monthly = total // found.instalments
        decision = await self.risk.ScoreApplication(wire.score_request(found, monthly))
        outcome = risk_pb.DecisionOutcome.Name(decision.outcome).removeprefix("DECISION_OUTCOME_")
        texts = wire.as_json(decision), wire.as_json(terms)
        return await self.change(
            application_id,
            lambda now: now if now.decision_json else domain.decided(now, outcome, *texts),
        )

    async def disburse(self, application_id: str) -> Application:
        """Open the loan and pay it out; a crash in between is finished later, never repeated."""
        found = await self.load(application_id)
        if found.status is Status.DISBURSED:
            return found
        await self.change(
            application_id, lambda now: domain.moved(now, "disburse", Status.DISBURSING)
        )
        return await self.finish(found)

    async def finish(self, application: Application) -> Application:
        """Carry a disbursal to its end."""
        terms = wire.terms_of(application)
        name, loan_id = application.application_id, application.loan_id
        await self.ledger.OpenLoan(
            ledger_pb.OpenLoanRequest(
                request_id=f"open-{name}",
                loan_id=loan_id,
                borrower_ref=application.borrower_ref,
                product=application.product,
                terms=terms,
            )
        )
        amount = money_pb2.Money(amount_minor=terms.principal_minor, currency=terms.currency)
        await self.ledger.DisburseLoan(
            ledger_pb.DisburseLoanRequest(
                request_id=f"disburse-{name}",
                loan_id=loan_id,
                value_on=application.applied_on.isoformat(),
                amount=amount,
            )
        )
        done = Status.DISBURSED
        return await self.change(
            name, lambda now: now if now.status is done else domain.moved(now, "disburse", done)
        )

    async def resume(self, stop: asyncio.Event) -> None:
        """Finish disbursals that a crash or an outage interrupted, until told to stop."""
        while not stop.is_set():
            async with self.records.work() as work:
                left = await work.find(Application, state=str(Status.DISBURSING))
            for application in left:
                try:
                    await self.finish(application)
                except LendingError as refusal:
                    name = application.application_id
                    structlog.get_logger().warning("disbursal waits", id=name, why=refusal.reason)
            try:
                await asyncio.wait_for(stop.wait(), RESUME_SECONDS)
            except TimeoutError:
                continue
