"""The stream for people: `python -m shared.subscriber tail`, `states`, `check`, `parked`, …"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict

from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.subscriber import checkpoints
from shared.subscriber.digests import DayHeard, days_of
from shared.subscriber.inbox import Inbox, Parked
from shared.subscriber.snapshot import behind, states
from shared.subscriber.tail import HEADING, PASSING, Wanted, tail

app = typer.Typer(no_args_is_help=True, help="Watch the delinquency stream; mend a subscriber.")
NatsUrl = Annotated[
    str, typer.Option(help="The NATS server with JetStream.", envvar="LENDING_NATS_URL")
]
DatabaseUrl = Annotated[
    str, typer.Option(help="The subscriber's database, as its service is told.")
]
Name = Annotated[str, typer.Option(help="The subscriber: risk, collections, …")]
LOCAL = "nats://127.0.0.1:7422"
CONNECT_SECONDS = 5.0


async def _connected(nats_url: str) -> Bus:
    try:
        return await asyncio.wait_for(Bus.connect(nats_url, "lending-tail"), CONNECT_SECONDS)
    except TimeoutError:
        raise typer.BadParameter(
            f"{nats_url} does not answer; is NATS running there?", param_hint="--nats-url"
        ) from None


@app.command("tail")
def tail_stream(
    nats_url: NatsUrl = LOCAL,
    loan: Annotated[str, typer.Option(help="One loan only.")] = "",
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Such as BUCKET_CHANGED; may be repeated.")
    ] = None,
    bucket: Annotated[str, typer.Option(help="Bucket of scheme m after it, such as M2.")] = "",
    since: Annotated[
        datetime | None, typer.Option(help="Recorded from this instant on, UTC.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Wait for what comes.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    preview: Annotated[
        str, typer.Option(help="The events of this experiment, instead of the live ones.")
    ] = "",
) -> None:
    """Show what happens to loans, and every gap, fork or rewrite of the stream."""
    instant = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
    types = frozenset(name.upper() for name in type_ or ())
    wanted = Wanted(loan, types, bucket, instant, follow, preview)

    async def show() -> None:
        bus = await _connected(nats_url)
        await bus.ensure_streams()
        if not as_json:
            typer.echo(HEADING)
        async for line in tail(bus, wanted, as_json=as_json):
            typer.echo(line)
        await bus.close()

    try:
        asyncio.run(show())
    except KeyboardInterrupt:
        return
    except PASSING as failure:
        typer.echo(f"NATS went away: {failure}", err=True)
        raise typer.Exit(1) from None


@app.command("states")
def show_states(
    nats_url: NatsUrl = LOCAL,
    loan: Annotated[str, typer.Option(help="One loan only.")] = "*",
) -> None:
    """Print the last state of every loan, one JSON object per line."""

    async def show() -> None:
        bus = await _connected(nats_url)
        await bus.ensure_streams()
        for state in await states(bus, loan):
            typer.echo(json.dumps(MessageToDict(state, preserving_proto_field_name=True)))
        await bus.close()

    asyncio.run(show())


@app.command()
def parked(database_url: DatabaseUrl, subscriber: Name) -> None:
    """List what waits outside its lane, and why; exit 1 if anything does."""

    async def read() -> list[Parked]:
        engine = open_database(database_url)
        async with engine.connect() as connection:
            found = await Inbox(subscriber).parked(connection)
        await engine.dispose()
        return found

    found = asyncio.run(read())
    for row in found:
        typer.echo(f"{row.loan_id}/{row.sequence}\t{row.reason}\t{row.detail}")
    raise typer.Exit(1 if found else 0)


@app.command()
def check(database_url: DatabaseUrl, subscriber: Name, nats_url: NatsUrl = LOCAL) -> None:
    """
    Hold what a subscriber knows against the last state of every loan, the stream against each day.

    Exit 1 if the subscriber lacks any, or the stream an event that a day's digest counts.
    """

    async def hold() -> tuple[int, list[str], list[DayHeard]]:
        bus, engine = await _connected(nats_url), open_database(database_url)
        await bus.ensure_streams()
        found = await states(bus)
        async with engine.connect() as connection:
            places = await Inbox(subscriber).all_places(connection)
        days = await days_of(bus)
        await engine.dispose()
        await bus.close()
        return len(found), behind(places, found), days

    loans, wrong, days = asyncio.run(hold())
    short = [f"the stream, {day}" for day in days if day.missing]
    for line in (*wrong, *short):
        typer.echo(line)
    typer.echo(f"{loans} loans, {len(wrong)} behind or different")
    typer.echo(f"{len(days)} days counted, {len(short)} incomplete")
    raise typer.Exit(1 if wrong or short else 0)


@app.command()
def redrive(
    database_url: DatabaseUrl,
    subscriber: Name,
    loan: Annotated[str, typer.Option(help="One loan only; empty for all.")] = "",
) -> None:
    """Ask the running subscriber to try what waits again; it does within seconds."""

    async def ask() -> int:
        engine = open_database(database_url)
        async with engine.begin() as connection:
            asked = await Inbox(subscriber).redrive(connection, loan)
        await engine.dispose()
        return asked

    typer.echo(f"{asyncio.run(ask())} events will be tried again")


@app.command("checkpoints")
def show_checkpoints(database_url: DatabaseUrl, subscriber: Name) -> None:
    """
    List the checkpoints that a subscriber holds others against: size, root, place in the stream.

    Then the faults that wait; exit 1 if any does.
    """

    async def read() -> tuple[list[checkpoints.Kept], list[Parked]]:
        engine = open_database(database_url)
        async with engine.connect() as connection:
            kept = await checkpoints.kept(connection, subscriber)
            faults = await Inbox(subscriber).parked(connection, [checkpoints.LANE])
        await engine.dispose()
        return kept, faults

    kept, faults = asyncio.run(read())
    for one in kept:
        typer.echo(f"{one.size}\t{one.root.hex()}\t{one.stream_sequence or 'an earlier stream'}")
    for row in faults:
        typer.echo(f"{row.loan_id}/{row.sequence}\t{row.reason}\t{row.detail}")
    raise typer.Exit(1 if faults else 0)


@app.command("forget")
def forget_checkpoints(
    database_url: DatabaseUrl,
    subscriber: Name,
    size: Annotated[int, typer.Option(help="Only the checkpoint of this size; 0 for all.")] = 0,
    faults: Annotated[bool, typer.Option(help="Forget the faults that wait, too.")] = False,
) -> None:
    """
    Forget what a subscriber holds checkpoints against; while it runs, too.

    Do it when you know why a checkpoint does not hold, such as a ledger restored from a backup.
    Where none is left the next one is taken as it is.
    """

    async def drop() -> tuple[int, int]:
        engine, inbox, dropped = open_database(database_url), Inbox(subscriber), 0
        async with engine.begin() as connection:
            if faults:
                waiting = await inbox.parked(connection, [checkpoints.LANE])
                waiting = [row for row in waiting if size in (0, row.sequence)]
                await inbox.unpark(connection, [row.number for row in waiting])
                dropped = len(waiting)
            gone = await checkpoints.forget(connection, subscriber, size)
        await engine.dispose()
        return gone, dropped

    gone, dropped = asyncio.run(drop())
    typer.echo(f"{gone} checkpoints and {dropped} faults forgotten")


if __name__ == "__main__":
    app()
