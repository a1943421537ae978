"""Walk one application through every step at a terminal, reading what a borrower reads."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf.json_format import Parse, ParseError
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.origination_service_pb2_grpc import OriginationServiceStub

from services.origination.config import OriginationSettings
from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import open_channel

TO_READ = {pb.APPLICATION_STATUS_OFFERED, pb.APPLICATION_STATUS_DISCLOSED}
TO_ACCEPT = {pb.APPLICATION_STATUS_CONFIRMED}
TO_PAY = {
    pb.APPLICATION_STATUS_CONTRACTED,
    pb.APPLICATION_STATUS_DISBURSING,
    pb.APPLICATION_STATUS_PAYOUT_RETURNED,
}


def walk(
    form: Annotated[Path, typer.Argument(help="A SubmitApplicationRequest as JSON.")],
    target: Annotated[str, typer.Option(help="Where origination listens.")] = "127.0.0.1:7101",
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
    yes: Annotated[bool, typer.Option("--yes", help="Confirm and accept unasked.")] = False,
) -> None:
    """Submit, decide, show, wait as long as must be read, confirm, accept, pay out; or go on so."""
    try:
        request = Parse(form.read_text("utf-8"), pb.SubmitApplicationRequest())
    except (OSError, ParseError) as failure:
        typer.echo(f"cannot read {form}: {failure}", err=True)
        raise typer.Exit(2) from None
    request.request_id = request.request_id or f"{request.application_id}-submit"
    try:
        asyncio.run(_walk(request, target, language, yes))
    except LendingError as refusal:
        typer.echo(f"{refusal.reason}: {refusal.message}", err=True)
        for name, value in sorted(refusal.facts.items()):
            typer.echo(f"  {name}: {value}", err=True)
        raise typer.Exit(1) from None


async def _walk(
    request: pb.SubmitApplicationRequest, target: str, language: str, yes: bool
) -> None:
    channel = open_channel(target, tls=OriginationSettings().tls())
    try:
        api: Any = OriginationServiceStub(channel)
        await api.SubmitApplication(request)
        name = request.application_id
        await api.DecideApplication(_step(name, "decide"))
        found = await api.GetApplication(pb.GetApplicationRequest(application_id=name))
        _tell(found, language)
        if found.status in TO_READ:
            await _read(api, name, language, yes)
        if found.status in TO_READ | TO_ACCEPT:
            await _accept(api, name, language, yes)
        elif found.status not in TO_PAY:
            return
        _tell(await api.DisburseApplication(_step(name, "disburse")), language)
    finally:
        await channel.close()


async def _read(api: Any, name: str, language: str, yes: bool) -> None:
    """Show what the loan costs, let it be read, and have it confirmed."""
    shown = await api.ShowDisclosure(_step(name, "show"))
    typer.echo(shown.text_zh if language == "zh" else shown.text_en)
    typer.echo(shown.education_text_zh if language == "zh" else shown.education_text_en)
    typer.echo(f"to be read for {shown.reading_seconds_min} seconds")
    await asyncio.sleep(shown.reading_seconds_min)
    if not yes:
        typer.confirm("read and understood?", abort=True)
    await api.ConfirmDisclosure(
        pb.ConfirmDisclosureRequest(
            request_id=f"{name}-confirm-{time.time_ns()}",
            application_id=name,
            disclosure_sha256=shown.disclosure_sha256,
        )
    )


async def _accept(api: Any, name: str, language: str, yes: bool) -> None:
    """Show the contract, and have it accepted."""
    asked = pb.GetDocumentRequest(
        application_id=name, kind=pb.DOCUMENT_KIND_CONTRACT, language=language
    )
    typer.echo((await api.GetDocument(asked)).content.decode())
    if not yes:
        typer.confirm("accept the contract?", abort=True)
    await api.AcceptContract(_step(name, "accept"))


def _step(name: str, what: str) -> pb.ApplicationRequest:
    """Return a step of this walk: an earlier walk's answer would not say where it stands now."""
    request_id = f"{name}-{what}-{time.time_ns()}"
    return pb.ApplicationRequest(request_id=request_id, application_id=name)


def _tell(application: pb.Application, language: str) -> None:
    status = pb.ApplicationStatus.Name(application.status).removeprefix("APPLICATION_STATUS_")
    typer.echo(f"{application.application_id}: {status}")
    for reason in application.decision.reasons:
        typer.echo(f"  {reason.code}: {reason.text_zh if language == 'zh' else reason.text_en}")
    for offer in application.offers:
        typer.echo(
            f"  offer {offer.offer_id}: {offer.terms.instalments} instalments,"
            f" {offer.all_in_rate_annual} a year all in"
        )
