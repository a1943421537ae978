"""Origination's API: read the request, take the step, render the application."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.origination_service_pb2_grpc import OriginationServiceServicer

from services.origination import wire
from services.origination.application.cancelling import Cancelling
from services.origination.application.contracting import Contracting
from services.origination.application.deciding import Deciding
from services.origination.application.desk import Desk
from services.origination.application.disbursing import Disbursing
from services.origination.application.disclosing import Disclosing
from services.origination.application.offering import choose, lapse, withdraw
from services.origination.application.parking import each_readable, parked
from services.origination.application.redirecting import Redirecting
from services.origination.application.resolving import Resolving
from services.origination.application.securing import Securing
from services.origination.application.submitting import Submitting
from services.origination.application.trials import trying
from services.origination.application.writing import Written
from services.origination.domain.application import Application
from shared.kernel.errors import InvalidArgument
from shared.runtime.listing import parse_filter
from shared.runtime.requests import FieldMissing, a_number, an_id

Renderer = Callable[[str, str, str], bytes]
MEDIA_TYPES = {"TEXT": "text/markdown", "HTML": "text/html", "PDF": "application/pdf"}
PAGE_SIZE = 100
FILTERED = {
    "product": str,
    "policy_version": str,
    "borrower_ref": str,
    "currency": str,
    "amount_minor": int,
    "instalments": int,
    "applied_on": str,
    "hangs_at": str,
}


class LanguageUnknown(InvalidArgument):
    """Documents are written in Chinese and English."""


@dataclass(slots=True)
class Rooms:
    """Every use case of origination."""

    desk: Desk
    deciding: Deciding
    disclosing: Disclosing
    contracting: Contracting
    disbursing: Disbursing
    cancelling: Cancelling
    securing: Securing
    redirecting: Redirecting
    resolving: Resolving
    submitting: Submitting


class OriginationService(OriginationServiceServicer):
    """Answers every rpc of lending.origination.v1.OriginationService."""

    def __init__(self, rooms: Rooms, renderers: dict[str, Renderer]) -> None:
        self.rooms, self.renderers = rooms, renderers

    async def SubmitApplication(self, request: Any, context: Any) -> pb.Application:
        """Take an application in."""
        return await self.rooms.submitting.submit(request)

    async def SaveDraft(self, request: Any, context: Any) -> pb.Application:
        """Keep an unfinished form."""
        return await self.rooms.submitting.draft(request)

    async def DecideApplication(self, request: Any, context: Any) -> pb.Application:
        """Have an application decided."""
        with trying(request.validate_only):
            return await self.rooms.deciding.answer(request)

    async def ReviewApplication(self, request: Any, context: Any) -> pb.Application:
        """Take a reviewer's word."""
        review = wire.review(request, self.rooms.desk.now())
        return await self.rooms.deciding.review(request, review)

    async def ChooseOffer(self, request: Any, context: Any) -> pb.Application:
        """Choose one of the offers."""
        step = choose(self.rooms.desk, request.offer_id)
        return await self.rooms.desk.step(request, "ChooseOffer", step)

    async def ShowDisclosure(self, request: Any, context: Any) -> pb.Disclosure:
        """Show what the loan costs."""
        return await self.rooms.disclosing.show(request)

    async def ConfirmDisclosure(self, request: Any, context: Any) -> pb.Application:
        """Record that the cost was read."""
        return await self.rooms.disclosing.confirm(request)

    async def AcceptContract(self, request: Any, context: Any) -> pb.Application:
        """Record that the contract was accepted."""
        return await self.rooms.contracting.accept(request)

    async def SignContract(self, request: Any, context: Any) -> pb.Application:
        """Take a signature made with a key."""
        return await self.rooms.contracting.sign(request)

    async def DisburseApplication(self, request: Any, context: Any) -> pb.Application:
        """Pay the loan out, exactly once."""
        return await self.rooms.disbursing.disburse(request)

    async def DisburseTranche(self, request: Any, context: Any) -> pb.Application:
        """Pay a part of the loan out."""
        return await self.rooms.disbursing.disburse_part(request)

    async def ChangeAccount(self, request: Any, context: Any) -> pb.Application:
        """Have the money paid to another account."""
        return await self.rooms.redirecting.change_account(request)

    async def ReturnPayout(self, request: Any, context: Any) -> pb.Application:
        """Take in that a payout came back."""
        return await self.rooms.cancelling.give_back(request)

    async def ResolvePayout(self, request: Any, context: Any) -> pb.Application:
        """Take people's word on a payout that hangs."""
        return await self.rooms.resolving.resolve(request)

    async def CancelLoan(self, request: Any, context: Any) -> pb.Application:
        """Take a loan back in its cooling-off days."""
        return await self.rooms.cancelling.cancel(request)

    async def WithdrawApplication(self, request: Any, context: Any) -> pb.Application:
        """Withdraw an application."""
        step = withdraw(self.rooms.desk)
        return await self.rooms.desk.step(request, "WithdrawApplication", step)

    async def ExpireApplication(self, request: Any, context: Any) -> pb.Application:
        """Let an application lapse."""
        step = lapse(self.rooms.desk)
        return await self.rooms.desk.step(request, "ExpireApplication", step)

    async def AddGuarantee(self, request: Any, context: Any) -> pb.Application:
        """Add what secures the loan."""
        return await self.rooms.securing.add(request)

    async def GetApplication(self, request: Any, context: Any) -> pb.Application:
        """Return an application."""
        application_id = an_id(request.application_id, "application_id")
        return wire.application_message(await self.rooms.desk.load(application_id))

    async def ListApplications(self, request: Any, context: Any) -> pb.ListApplicationsResponse:
        """List applications by id."""
        size = a_number(request.page.size or PAGE_SIZE, "page.size", 1, 1000)
        status = pb.ApplicationStatus.Name(request.status).removeprefix("APPLICATION_STATUS_")
        state = "" if status == "UNSPECIFIED" else status
        holds = parse_filter(request.filter, FILTERED)
        found, desk = [], self.rooms.desk
        async for row in each_readable(desk.records, desk.now(), state, request.page.token):
            if all(c.holds(_fields(row)) for c in holds):
                found.append(row)
            if len(found) == size:
                break
        token = found[-1].application_id if len(found) == size else ""
        return pb.ListApplicationsResponse(
            applications=[wire.application_message(row) for row in found], next_page_token=token
        )

    async def ListParked(self, request: Any, context: Any) -> pb.ListParkedResponse:
        """List applications that cannot be read."""
        size = a_number(request.page.size or PAGE_SIZE, "page.size", 1, 1000)
        desk = self.rooms.desk
        found = await parked(desk.records, desk.now(), request.page.token, size)
        token = found[-1].application_id if len(found) == size else ""
        return pb.ListParkedResponse(
            applications=[wire.parked_message(one) for one in found], next_page_token=token
        )

    async def GetDocument(self, request: Any, context: Any) -> pb.Document:
        """Return a document in the form asked for."""
        application_id = an_id(request.application_id, "application_id")
        if request.kind not in range(1, 5):
            raise FieldMissing("kind is not set", field="kind", expected="a kind of document")
        kind = pb.DocumentKind.Name(request.kind).removeprefix("DOCUMENT_KIND_")
        form = pb.DocumentForm.Name(request.form or 1).removeprefix("DOCUMENT_FORM_")
        language = request.language or "zh"
        if language not in ("zh", "en"):
            raise LanguageUnknown(
                f"{language[:20]!r} is unknown", field="language", expected="zh or en"
            )
        text = await self.rooms.disclosing.document(application_id, kind, request.sha256)
        content = await asyncio.to_thread(self._render, text, form, language)
        return pb.Document(
            application_id=application_id,
            sha256=text.sha256,
            media_type=MEDIA_TYPES[form],
            language=language,
            content=content,
            content_sha256=hashlib.sha256(content).hexdigest(),
        )

    def _render(self, text: Written, form: str, language: str) -> bytes:
        words = text.zh if language == "zh" else text.en
        return self.renderers[form](words, language, text.sha256)


def _fields(row: Application) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in FILTERED}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)
