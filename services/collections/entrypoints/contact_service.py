"""Collections' API of debtors, protections, messages and the trail."""

from __future__ import annotations

from time import monotonic
from typing import Any

from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import contact_service_pb2 as contact_pb
from lending.collections.v1.contact_service_pb2_grpc import ContactServiceServicer

from services.collections import wire, wire_contact
from services.collections.application import trail
from services.collections.application.debtors import Debtors
from services.collections.application.desk import messages_of
from services.collections.application.paging import asked, page_of
from services.collections.application.relief import Relief
from services.collections.domain.disaster import ended
from shared.kernel.dates import parse_date
from shared.runtime.records import Work
from shared.runtime.requests import a_text, an_id, an_instant

CARRIED_SECONDS = 2.0
"""How long a call carries relief out itself, before it says how far it is."""


class ContactService(ContactServiceServicer):
    """Answers every rpc of lending.collections.v1.ContactService."""

    def __init__(self, debtors: Debtors, relief: Relief) -> None:
        self.debtors, self.relief = debtors, relief
        self.records = debtors.desk.records

    async def RegisterDebtor(self, request: Any, context: Any) -> contact_pb.Debtor:
        """Tell how a borrower may be reached."""
        an_id(request.request_id, "request_id")
        a_text(request.borrower_ref, "borrower_ref")

        async def act(work: Work) -> contact_pb.Debtor:
            debtor = await self.debtors.register(work, request)
            return wire_contact.debtor_message(await self.debtors.shown(work, debtor))

        return await self.records.answer_once(request, contact_pb.Debtor, act)

    async def GetDebtor(self, request: Any, context: Any) -> contact_pb.Debtor:
        """Return a debtor with a page of cases."""
        async with self.records.work() as work:
            contacting = self.debtors.contacting
            debtor = await contacting.debtor(work, request.borrower_ref)
            debtor = await contacting.shielded(work, debtor)
            return wire_contact.debtor_message(await self.debtors.shown(work, debtor, request.page))

    async def FinishContact(self, request: Any, context: Any) -> pb.Contact:
        """Say how an attempt ended."""
        an_id(request.request_id, "request_id")
        outcome = wire_contact.ended(request.outcome)

        async def act(work: Work) -> pb.Contact:
            ended = await self.debtors.finish(work, request.attempt_id, outcome)
            return wire.contact_message(ended)

        return await self.records.answer_once(request, pb.Contact, act)

    async def AddProtection(self, request: Any, context: Any) -> contact_pb.Debtor:
        """Shield a debtor."""
        one = wire_contact.protection(request)

        async def act(work: Work) -> contact_pb.Debtor:
            debtor = await self.debtors.protect(work, request.borrower_ref, one)
            return wire_contact.debtor_message(await self.debtors.shown(work, debtor))

        return await self.records.answer_once(request, contact_pb.Debtor, act)

    async def EndProtection(self, request: Any, context: Any) -> contact_pb.Debtor:
        """End a protection."""
        an_id(request.request_id, "request_id")
        last_on = parse_date(request.last_on, field="last_on")

        async def act(work: Work) -> contact_pb.Debtor:
            debtor = await self.debtors.unprotect(
                work, request.borrower_ref, request.protection_id, last_on
            )
            return wire_contact.debtor_message(await self.debtors.shown(work, debtor))

        return await self.records.answer_once(request, contact_pb.Debtor, act)

    async def ListMessages(self, request: Any, context: Any) -> contact_pb.ListMessagesResponse:
        """List the messages of a loan."""
        loan_id = an_id(request.loan_id, "loan_id")
        wanted = asked(request.page, "messages", loan_id)
        async with self.records.work() as work:
            found = await messages_of(work, loan_id)
        page, token = page_of(found, wanted, lambda one: (one.because_on.isoformat(), one.name))
        return contact_pb.ListMessagesResponse(
            messages=[wire_contact.outbound(message) for message in page], next_page_token=token
        )

    async def RecordReceipt(self, request: Any, context: Any) -> contact_pb.OutboundMessage:
        """Take a carrier's receipt in."""
        an_id(request.request_id, "request_id")
        at = an_instant(request.at, "at")

        async def act(work: Work) -> contact_pb.OutboundMessage:
            message = await self.debtors.receipt(
                work, request.message_name, at, delivered=request.delivered, note=request.note
            )
            return wire_contact.outbound(message)

        return await self.records.answer_once(request, contact_pb.OutboundMessage, act)

    async def ListTrail(self, request: Any, context: Any) -> contact_pb.ListTrailResponse:
        """List everything that was done about a borrower."""
        wanted = asked(request.page, "trail", request.borrower_ref, request.loan_id)
        async with self.records.work() as work:
            page = await trail.read_page(work, request.borrower_ref, request.loan_id, wanted)
        return wire_contact.trail_message(*page)

    async def DeclareDisaster(self, request: Any, context: Any) -> contact_pb.DisasterRelief:
        """Shield a region, or say whom that would concern."""
        disaster = wire_contact.disaster(request)
        if request.validate_only:
            return wire_contact.relief_message(await self.relief.concerned(disaster))

        async def act(work: Work) -> contact_pb.DisasterRelief:
            await self.relief.declare(work, disaster)
            return contact_pb.DisasterRelief(disaster_id=disaster.disaster_id)

        await self.records.answer_once(request, contact_pb.DisasterRelief, act)
        return await self._carried_out(disaster.disaster_id)

    async def EndDisaster(self, request: Any, context: Any) -> contact_pb.DisasterRelief:
        """End a disaster, or undo it, or say whom that would concern."""
        an_id(request.request_id, "request_id")
        last_on = parse_date(request.last_on, field="last_on")
        by = a_text(request.ended_by, "ended_by").strip()
        if request.validate_only:
            async with self.records.work() as work:
                known = await self.relief.disaster(work, request.disaster_id)
            seen = await self.relief.concerned(ended(known, last_on, by))
            return wire_contact.relief_message(seen)

        async def act(work: Work) -> contact_pb.DisasterRelief:
            await self.relief.end(work, request.disaster_id, last_on, by)
            return contact_pb.DisasterRelief(disaster_id=request.disaster_id)

        await self.records.answer_once(request, contact_pb.DisasterRelief, act)
        return await self._carried_out(request.disaster_id)

    async def _carried_out(self, disaster_id: str) -> contact_pb.DisasterRelief:
        """Carry out what fits into the call, and say how far it is; the rest follows by itself."""
        ends_at = monotonic() + CARRIED_SECONDS
        await self.relief.carry_on(disaster_id, lambda: monotonic() > ends_at)
        return wire_contact.relief_message(await self.relief.progress(disaster_id))

    async def GetDisaster(self, request: Any, context: Any) -> contact_pb.DisasterRelief:
        """Say whom a disaster concerns now, and how far it is carried out."""
        return wire_contact.relief_message(await self.relief.progress(request.disaster_id))
