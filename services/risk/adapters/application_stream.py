"""Origination's messages, read in order from where we stand, whatever becomes of NATS."""

from __future__ import annotations

import asyncio
from datetime import date

import structlog
from google.protobuf.message import DecodeError
from lending.origination.v1 import events_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from nats.errors import Error as NatsError

from services.risk.application.applications import Applications
from services.risk.domain.loss_sharing import Security
from services.risk.domain.reservation import Heard
from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader
from shared.runtime.streams import STREAM

SUBJECT = "lending.v1.origination"
BATCH, BATCH_SECONDS, RETRY_SECONDS = 200, 1.0, 1.0


async def follow_applications(bus: Bus, applications: Applications, stop: asyncio.Event) -> None:
    """Follow until told to stop; a stream that was replaced is read again from its start."""
    while not stop.is_set():
        reader: Reader | None = None
        try:
            await bus.ensure_streams()
            place = await applications.place()
            if place > await bus.last_sequence(STREAM):
                place = 0
            reader = Reader(bus.client, STREAM, [f"{SUBJECT}.>"], next=place + 1)
            while not stop.is_set():
                messages = await reader.batch(BATCH, BATCH_SECONDS)
                if messages:
                    told = [one for one in map(_read, messages) if one is not None]
                    await applications.hear(told, messages[-1].sequence)
        except Exception as failure:
            log = structlog.get_logger()
            log.warning("applications are not followed", failure=repr(failure))
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            if reader is not None:
                await _close(reader)


async def _close(reader: Reader) -> None:
    try:
        await reader.close()
    except (NatsError, TimeoutError, OSError):
        return


def _read(message: Message) -> Heard | None:
    """Return an application as told; None for what is no message of origination."""
    try:
        given = events_pb2.ApplicationChanged.FromString(message.body).application
    except DecodeError as failure:
        log = structlog.get_logger()
        log.error("no application", sequence=message.sequence, failure=str(failure))
        return None
    status = pb.ApplicationStatus.Name(given.status).removeprefix("APPLICATION_STATUS_")
    return Heard(
        application_id=given.application_id,
        loan_id=given.loan_id,
        status=status,
        steps=len(given.trail),
        borrower_ref=given.borrower_ref,
        product=given.product,
        currency=given.currency,
        amount_minor=given.amount_minor,
        applied_on=date.fromisoformat(given.applied_on) if given.applied_on else None,
        guarantor_ref=next(
            (one.provider_ref for one in given.guarantees if one.kind == GUARANTOR), ""
        ),
        securities=tuple(
            Security(
                kind=pb.GuaranteeKind.Name(one.kind).removeprefix("GUARANTEE_KIND_"),
                provider_ref=one.provider_ref,
                amount_minor=one.amount_minor,
            )
            for one in given.guarantees
            if not one.released_on
        ),
    )


GUARANTOR = pb.GUARANTEE_KIND_GUARANTOR
