"""The event stream on the ledger's command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.adapters.retelling import Preview, Retelling, following, preview_of
from services.ledger.application.following import Follower
from services.ledger.config import LedgerSettings
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.kept import KEEPER
from services.ledger.domain.policies import POLICIES, DelinquencyPolicy
from shared.kernel.errors import LendingError
from shared.runtime.bus import Bus, BusDown

app = typer.Typer(no_args_is_help=True, help="The event stream, told again or under another policy")
CONNECT_SECONDS, FOLLOW_SECONDS = 5.0, 1.0
TIMELINES_BYTES_MAX = 4 << 20
AWAY = "NATS does not answer; waiting for it"
Experiment = Annotated[str, typer.Argument(help="Its name, such as rebuild-1; kept for a week.")]


@app.callback()
def stream() -> None:
    """Tell the event stream again."""


@asynccontextmanager
async def _opened(name: str) -> AsyncIterator[tuple[EventStore, Bus]]:
    settings = LedgerSettings()
    try:
        bus = await asyncio.wait_for(Bus.connect(settings.nats_url, name), CONNECT_SECONDS)
    except TimeoutError:
        raise typer.BadParameter(f"{settings.nats_url} does not answer") from None
    store = open_event_store(settings.database_url)
    try:
        yield store, bus
    finally:
        store.close()
        await bus.close()


def _refuse(refusal: LendingError) -> NoReturn:
    raise typer.BadParameter(f"{refusal.message} ({refusal.reason})") from None


@app.command()
def retell(
    experiment: Experiment,
    loan: Annotated[str, typer.Option(help="One loan only.")] = "",
    until: Annotated[
        datetime | None, typer.Option(help="Only what was recorded up to this instant, UTC.")
    ] = None,
) -> None:
    """Publish the log on lending.preview.EXPERIMENT, for a consumer rebuilt beside the live one."""
    instant = until.replace(tzinfo=UTC) if until is not None and until.tzinfo is None else until

    async def tell() -> int:
        async with _opened("retell") as (store, bus):
            return await Retelling(Follower(store, decode), bus, experiment, loan, instant).tell()

    try:
        told = asyncio.run(tell())
    except LendingError as refusal:
        _refuse(refusal)
    typer.echo(f"{told} events told on lending.preview.{experiment}")


@app.command()
def preview(
    experiment: Experiment,
    delinquency: Annotated[str, typer.Option(help="A delinquency policy by name.")] = "",
    policy_file: Annotated[
        Path | None, typer.Option(help="A proposed policy: JSON, fields as DelinquencyPolicy.")
    ] = None,
    grace_days: Annotated[int | None, typer.Option(help="Had every contract this grace.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on as the log grows, until Ctrl-C.")] = False,
) -> None:
    """
    Publish what another policy would have said on lending.preview.EXPERIMENT.delinquency.

    The live stream is not touched. Watch it with `python -m shared.subscriber tail --preview`.
    """
    supposed = Supposition(delinquency=_policy(delinquency, policy_file), grace_days=grace_days)

    async def tell() -> None:
        async with _opened("preview") as (store, bus):
            # Timelines are of no use for an account that was written out and read back.
            KEEPER.lines.bytes_max = TIMELINES_BYTES_MAX

            def made() -> Preview:
                return preview_of(store, decode, bus, experiment, supposed)

            on = f"lending.preview.{experiment}.delinquency, {supposed.sha256}"
            if not follow:
                typer.echo(f"{await made().tell()} events told on {on}")
                return
            async for told in following(made, FOLLOW_SECONDS):
                typer.echo(AWAY if told is None else f"{told} events told on {on}")

    try:
        asyncio.run(tell())
    except KeyboardInterrupt:
        return
    except LendingError as refusal:
        _refuse(refusal)
    except BusDown as failure:
        typer.echo(f"NATS went away: {failure}", err=True)
        raise typer.Exit(1) from None


def _policy(name: str, file: Path | None) -> DelinquencyPolicy | None:
    if name and file is not None:
        raise typer.BadParameter("give one of --delinquency, --policy-file")
    if name and name not in POLICIES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(POLICIES)}")
    if file is None:
        return POLICIES.get(name)
    try:
        return msgspec.json.decode(file.read_bytes(), type=DelinquencyPolicy)
    except (OSError, msgspec.DecodeError) as failure:
        raise typer.BadParameter(f"{file}: {failure}") from None
