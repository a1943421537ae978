"""What an auditor asks a running ledger from the command line."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub

from services.ledger.config import LedgerSettings
from services.ledger.entrypoints import supposing
from services.ledger.entrypoints.forms import As, AsElse, Form, write, write_message
from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import open_channel

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ask a running ledger for proofs and evidence. Exit code 1: refused, 2: bad usage."
    " What is read is recorded: DUEBOOK_READER says by whom, DUEBOOK_PURPOSE what for.",
)
SAID = ("reader", "purpose")

Loan = Annotated[str, typer.Argument(help="The loan's id, such as L-1.")]
Server = Annotated[str, typer.Option(help="host:port of the ledger; default: from LEDGER_….")]
On = Annotated[str, typer.Option(help="The date it is about, 2026-04-20; default: today's books.")]
KnownAt = Annotated[str, typer.Option(help="Leave out what was learned after this instant.")]
Size = Annotated[int, typer.Option(help="Size of the checkpoint; 0: the last one.")]


class Named:
    """Says with every call who reads and what for, as the environment has it."""

    def __init__(self, stub: Any) -> None:
        said = {f"duebook-{n}": os.environ.get(f"DUEBOOK_{n.upper()}", "") for n in SAID}
        self.stub, self.metadata = stub, tuple((k, v) for k, v in said.items() if v)

    def __getattr__(self, name: str) -> Callable[[Any], Awaitable[Any]]:
        """Return the rpc of a name."""
        return partial(getattr(self.stub, name), metadata=self.metadata)


def ask(server: str, call: Callable[[Any], Awaitable[Any]]) -> Any:
    """Return what the ledger answers; a refusal is one line and exit code 1."""

    async def answer() -> Any:
        settings = LedgerSettings()
        channel = open_channel(
            server or f"{settings.grpc_host}:{settings.grpc_port}", 60.0, settings.tls()
        )
        try:
            return await call(Named(LedgerAuditServiceStub(channel)))
        finally:
            await channel.close()

    try:
        return asyncio.run(answer())
    except LendingError as refusal:
        expected = f"; expected {refusal.expected}" if refusal.expected else ""
        print(f"{refusal.reason}: {refusal.message}{expected}", file=sys.stderr)
        raise typer.Exit(1) from None


@app.command()
def checkpoint(
    size: Size = 0,
    cosigned: Annotated[bool, typer.Option(help="The last that a witness cosigned.")] = False,
    form: AsElse = None,
    server: Server = "",
) -> None:
    """Print the signed checkpoint: keep it where the ledger's keeper cannot write."""
    asked = pb.GetCheckpointRequest(size=size, cosigned=cosigned)
    found = ask(server, lambda stub: stub.GetCheckpoint(asked))
    if form is None:
        print(found.note, end="")
    else:
        write_message(form, found)


@app.command()
def key(form: AsElse = None, server: Server = "") -> None:
    """Print the verifier key; compare it with the one you were given elsewhere."""
    found = ask(server, lambda stub: stub.GetCheckpoint(pb.GetCheckpointRequest())).verifier
    if form is None:
        print(found)
    else:
        write(form, ("verifier",), [(found,)])


@app.command()
def prove(
    loan: Loan,
    version: Annotated[int, typer.Argument(help="The event's number, from 1.")],
    size: Size = 0,
    form: As = Form.JSON,
    server: Server = "",
) -> None:
    """Print the proof of one event; as JSON for `python -m shared.audit.verify_proof`."""
    asked = pb.ProveEventRequest(loan_id=loan, version=version, checkpoint_size=size)
    write_message(form, ask(server, lambda stub: stub.ProveEvent(asked)))


@app.command()
def evidence(
    loan: Loan,
    output: Annotated[Path, typer.Option(help="The zip to write.")] = Path("evidence.zip"),
    on: On = "",
    known_at: KnownAt = "",
    size: Size = 0,
    form: AsElse = None,
    server: Server = "",
) -> None:
    """Write everything about one loan into a zip that checks itself anywhere."""
    pack = _pack(loan, on, known_at, size, server)
    output.write_bytes(pack.pack)
    if form is not None:
        pack.ClearField("pack")
        return write_message(form, pack)
    print(f"{output}: about {pack.effective_on}, under the checkpoint of {pack.checkpoint.size}")
    print(f"sha256 {pack.sha256}, recorded as read {pack.read_id}")
    print(f"check it with: python3 -I {output} '{pack.checkpoint.verifier}'")


@app.command()
def why(
    loan: Loan,
    on: On = "",
    known_at: KnownAt = "",
    tree: Annotated[bool, typer.Option(help="The same as JSON, with its parts as trees.")] = False,
    form: AsElse = None,
    server: Server = "",
) -> None:
    """Print on one page why a loan is as late as it is."""
    asked = pb.ExplainLatenessRequest(loan_id=loan, effective_on=on, known_at=known_at)
    found = ask(server, lambda stub: stub.ExplainLateness(asked))
    if tree or form is not None:
        write_message(form or Form.JSON, found)
    else:
        print(found.page, end="")


@app.command()
def repeat(
    read: Annotated[str, typer.Argument(help="The id that the answer carried.")],
    form: As = Form.JSON,
    server: Server = "",
) -> None:
    """Ask a recorded question again: who read it, and is the answer still the same."""
    found = ask(server, lambda stub: stub.RepeatRead(pb.RepeatReadRequest(read_id=read)))
    write_message(form, found)
    raise typer.Exit(0 if found.same else 1)


def _pack(loan: str, on: str, known_at: str, size: int, server: str) -> pb.EvidencePack:
    asked = pb.ExportEvidenceRequest(
        loan_id=loan, effective_on=on, known_at=known_at, checkpoint_size=size
    )
    return ask(server, lambda stub: stub.ExportEvidence(asked))


@app.command()
def suppose(
    loan: Loan,
    on: On = "",
    known_at: KnownAt = "",
    without: Annotated[list[int] | None, typer.Option(help="Had this event not happened.")] = None,
    moved: Annotated[
        list[str] | None, typer.Option(help="Had an event counted from another date: 7:2026-03-05.")
    ] = None,
    on_time: Annotated[
        list[int] | None, typer.Option(help="Had it been learned on the date it counts from.")
    ] = None,
    grace_days: supposing.GraceDays = None,
    penalty_rate: supposing.PenaltyRate = "",
    allocation: supposing.Allocation = "",
    delinquency: supposing.Delinquency = "",
    day_count: supposing.DayCounts = "",
    edges: supposing.Edges = None,
    form: As = Form.TABLE,
    server: Server = "",
) -> None:
    """Print what a loan would be, had something been otherwise; nothing is stored."""
    asked = supposing.supposed_terms(
        grace_days, penalty_rate, allocation, delinquency, day_count, edges
    )
    asked.loan_id, asked.effective_on, asked.known_at = loan, on, known_at
    asked.without.extend(without or [])
    asked.value_dates.extend(_moved(text) for text in moved or [])
    asked.recorded_on_time.extend(on_time or [])
    found = ask(server, lambda stub: stub.SupposeLoan(asked))
    write(form, ("what", "figure", "as it is", "as it would be", "difference"), _rows(found))


def _moved(text: str) -> pb.ValueDate:
    version, _, on = text.partition(":")
    if not version.isdigit():
        raise typer.BadParameter(f"{text!r} is not like 7:2026-03-05")
    return pb.ValueDate(version=int(version), effective_on=on)


def _rows(found: pb.SupposeLoanResponse) -> Iterator[tuple[Any, ...]]:
    """Yield the figures and buckets, what each supposed thing does to them, and what this is."""
    for name in sorted(found.actual.figures):
        before, after = found.actual.figures[name], found.supposed.figures[name]
        yield "all together", name, before, after, after - before
    was, would = found.actual.delinquency.buckets, found.supposed.delinquency.buckets
    for scheme in sorted({*was, *would}):
        ends = (was.get(scheme, "-"), would.get(scheme, "-"))
        said = "" if ends[0] == ends[1] else "changed"
        yield "all together", f"bucket {scheme}", *ends, said
    for step in found.steps:
        for name, change in sorted(step.changes.items()):
            yield step.what, name, "", "", change
        for one in step.buckets:
            ends = (one.before or "-", one.after or "-")
            yield step.what, f"bucket {one.scheme}", *ends, "changed"
        if not (step.changes or step.buckets):
            yield step.what, "changes nothing", "", "", 0
    yield found.label, found.effective_on, "", "", ""
