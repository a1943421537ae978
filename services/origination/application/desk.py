"""One application at a time: load it, change it once per request, keep it and tell others."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import events_pb2
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire
from services.origination.application.writing import Written, adverse_action
from services.origination.domain.application import (
    Application,
    ApplicationNotFound,
    Stamp,
    expired,
    is_over,
)
from services.origination.domain.products import Policies, Product
from services.origination.domain.securities import Guarantor, disengaged
from services.origination.domain.state_machine import ALLOWED, ApplicationIsExpired, Status, Step
from shared.kernel.errors import Conflict
from shared.runtime.identity import actor
from shared.runtime.records import Records, Work
from shared.runtime.requests import an_id

APPLICANT, SERVICE = "applicant", "origination"
Change = Callable[[Application], Application]


class ApplicationChangedMeanwhile(Conflict):
    """Another step was taken while this one was prepared."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was shown, kept under its hash."""

    application_id: str
    kind: str
    sha256: str
    zh: str
    en: str
    at: datetime


@dataclass(slots=True)
class Desk:
    """Where applications are kept; every call to another service may be repeated."""

    records: Records
    ledger: Any
    policies: Policies
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def stamp(self, by: str = "") -> Stamp:
        """Return who acts now; the caller unless said, and where nobody is known the applicant."""
        return Stamp(self.now(), by or actor(otherwise=APPLICANT))

    def product(self, application: Application) -> Product:
        """Return the row that an application goes by: that of its own date."""
        return self.policies.product_on(application.product, application.applied_on)

    async def business_on(self) -> date | None:
        """Return the ledger's business date; None before the first."""
        answer = await self.ledger.GetBusinessDate(ledger_pb.GetBusinessDateRequest())
        return date.fromisoformat(answer.on) if answer.on else None

    async def today(self, application: Application) -> date:
        """Return the ledger's business date, but no day before the application's own."""
        return max(application.applied_on, await self.business_on() or application.applied_on)

    async def preview(self, terms: Any, value_on: date) -> Any:
        """Ask the ledger what terms would mean; it refuses those above their ceiling."""
        return await self.ledger.PreviewLoan(
            ledger_pb.PreviewLoanRequest(terms=terms, value_on=value_on.isoformat())
        )

    async def load(self, application_id: str) -> Application:
        """Return an application, or raise ApplicationNotFound."""
        async with self.records.work() as work:
            return await self.get(work, application_id)

    async def get(self, work: Work, application_id: str) -> Application:
        """Return an application within a transaction, or raise ApplicationNotFound."""
        found = await work.get(Application, application_id)
        if found is None:
            raise ApplicationNotFound(f"no application {application_id}", field="application_id")
        return found

    async def change(self, application_id: str, step: Change) -> Application:
        """Take a step on what is stored now."""
        async with self.records.work() as work:
            before = await self.get(work, application_id)
            after = step(before)
            if after != before:
                await self.keep(work, after)
        return after

    async def once(
        self, request: Any, method: str, prepare: Callable[[Application], Awaitable[Change]]
    ) -> pb.Application:
        """
        Take a step once per request id.

        Args:
            prepare: Asks others what the step needs, outside the transaction.
        Raises:
            ApplicationChangedMeanwhile: another step came between; send the request again.
        """
        an_id(request.request_id, "request_id")
        application_id = an_id(request.application_id, "application_id")
        async with self.records.work() as work:
            first = await work.answered(request, pb.Application, method=method)
            if first is not None:
                return first
            found = await self.get(work, application_id)
        step = await prepare(found)

        async def act(work: Work) -> pb.Application:
            now = await self.get(work, application_id)
            if now != found:
                raise ApplicationChangedMeanwhile(f"{application_id} moved on; read it again")
            after = step(now)
            await self.keep(work, after)
            return wire.application_message(after)

        return await self.records.answer_once(request, pb.Application, act, method=method)

    async def keep(self, work: Work, application: Application) -> None:
        """Store an application with what follows from its status, and owe the message about it."""
        if application.status is Status.DECLINED:
            application = await self._notice(work, application)
        if not ALLOWED[application.status]:
            await self._let_guarantors_go(work, application)
        name, status = application.application_id, str(application.status)
        await work.put(application, name, status)
        body = events_pb2.ApplicationChanged(application=wire.application_message(application))
        subject = f"lending.v1.origination.application_{status.lower()}.{name}"
        marks = hashlib.sha256(body.SerializeToString(deterministic=True)).hexdigest()[:12]
        headers = {"ce-type": "lending.origination.v1.ApplicationChanged", "ce-subject": name}
        await work.owe(subject, f"origination/{name}/{status}/{marks}", body, headers)

    async def show(self, work: Work, application: Application, kind: str, text: Written) -> None:
        """Keep a document as it was shown."""
        shown = Shown(
            application_id=application.application_id,
            kind=kind,
            sha256=text.sha256,
            zh=text.zh,
            en=text.en,
            at=self.now(),
        )
        await work.put(shown, shown_id(application.application_id, kind, text.sha256))

    async def expire(self, application: Application, on: date) -> None:
        """
        Let an application lapse if its last day has passed.

        Raises:
            ApplicationIsExpired: it has.
        """
        if Step.EXPIRE not in ALLOWED[application.status] or not is_over(application, on):
            return
        stamp = self.stamp(SERVICE)
        await self.change(application.application_id, lambda now: expired(now, on, stamp))
        raise ApplicationIsExpired(
            f"it was valid until {application.valid_until_on}",
            field="application_id",
            expected=f"by {application.valid_until_on}",
            on=on,
        )

    async def _notice(self, work: Work, application: Application) -> Application:
        text = adverse_action(application)
        await self.show(work, application, "ADVERSE_ACTION", text)
        return msgspec.structs.replace(application, notice_sha256=text.sha256)

    async def _let_guarantors_go(self, work: Work, application: Application) -> None:
        for guarantee in application.guarantees:
            guarantor = await work.get(Guarantor, guarantee.provider_ref)
            if guarantor is not None:
                after = disengaged(guarantor, application.application_id)
                await work.put(after, after.guarantor_ref)


def shown_id(application_id: str, kind: str, sha256: str) -> str:
    """Return under which id a shown document is kept."""
    return f"{application_id}/{kind}/{sha256[:16]}"
