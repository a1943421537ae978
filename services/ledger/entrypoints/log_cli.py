"""The log and the whole book, read by an auditor at a running ledger, part by part."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import typer
from lending.ledger.v1 import audit_service_pb2 as pb
from rich.console import Console
from rich.progress import Progress, TaskID

from services.ledger.adapters.event_mapper import TOPICS
from services.ledger.application.log_events import kind_of
from services.ledger.application.ports import Logged
from services.ledger.application.sealing import edge, leaf_of
from services.ledger.entrypoints.audit_cli import On, Server, app, ask
from services.ledger.entrypoints.differences import LOAN_HEADER, book_rows, loan_rows
from services.ledger.entrypoints.forms import As, Form, Sheet, write
from services.ledger.entrypoints.growth_cli import Checkpoint, NotGrown, trusted
from shared.audit.checkpoints import CheckpointInvalid
from shared.audit.merkle import Node, grown, leaf_hash, root

COLUMNS = (
    "position",
    "stream",
    "version",
    "kind",
    "effective_on",
    "recorded_at",
    "request_id",
    "actor",
    "amount_minor",
    "sha256",
)


@app.command()
def events(
    loan: Annotated[str, typer.Option(help="Only events of this loan.")] = "",
    after: Annotated[int, typer.Option(help="Only events behind this position.")] = 0,
    until: Annotated[int, typer.Option(help="Only up to this position; 0: all.")] = 0,
    recorded_since: Annotated[str, typer.Option(help="Only recorded from this instant on.")] = "",
    recorded_until: Annotated[str, typer.Option(help="Only recorded before this instant.")] = "",
    since: Annotated[str, typer.Option(help="Only those that count from this date on.")] = "",
    upto: Annotated[
        str, typer.Option(help="Only those that count from this date or earlier.")
    ] = "",
    kind: Annotated[list[str] | None, typer.Option(help="Only these kinds; see kinds.")] = None,
    bodies: Annotated[bool, typer.Option(help="With each event as it is stored.")] = False,
    check: Annotated[
        str,
        typer.Option(
            help="The verifier key that you were given elsewhere: show that the events,"
            " all of them, are those under the last signed checkpoint. With nothing left out."
        ),
    ] = "",
    form: As = Form.TABLE,
    server: Server = "",
) -> None:
    """
    Print stored events in the order of the log; cut short, go on with --after.

    Exit code 1: refused, or not proven; 2: bad usage.
    """
    asked = pb.StreamEventsRequest(
        loan_id=loan,
        after_position=after,
        until_position=until,
        recorded_since=recorded_since,
        recorded_until=recorded_until,
        effective_since=since,
        effective_until=upto,
        kinds=kind or [],
    )
    if check and asked != pb.StreamEventsRequest():
        raise typer.BadParameter("--check needs every event of the log")
    header = (*COLUMNS, "body_json") if bodies else COLUMNS

    async def read(stub: Any) -> Checked | None:
        checked = Checked(await trusted(stub, check)) if check else None
        with _progress("reading") as show, Sheet(form, header) as sheet:
            async for part in _answer(stub.StreamEvents(asked), show):
                for one in part.events:
                    sheet.add([getattr(one, name) for name in header])
                if checked is not None:
                    checked.take(part.events)
        return checked

    try:
        found = ask(server, read)
        if found is not None:
            print(f"PROVEN: {found.proven()}", file=sys.stderr)
    except (CheckpointInvalid, NotGrown) as failure:
        print(f"NOT PROVEN: {failure}", file=sys.stderr)
        raise typer.Exit(1) from None


@dataclass(slots=True)
class Checked:
    """The tree over events as they were received, up to a signed checkpoint."""

    signed: Checkpoint
    size: int = 0
    more: int = 0
    edge: dict[Node, bytes] = field(default_factory=dict)

    def take(self, events: Any) -> None:
        """Add events that the checkpoint covers; count those that came later."""
        left = self.signed.size - self.size
        covered = events[: max(left, 0)]
        self.more += len(events) - len(covered)
        hashes = [leaf_hash(leaf_of(_logged(one))) for one in covered]
        known = {**self.edge, **dict(grown(self.size, hashes, self.edge.__getitem__))}
        self.size += len(covered)
        self.edge = {node: known[node] for node in edge(self.size)}

    def proven(self) -> str:
        """
        Say what is proven.

        Raises:
            NotGrown: they are not the events that were signed.
        """
        if self.size < self.signed.size:
            raise NotGrown(f"{self.size} events came, {self.signed.size} are signed")
        if root(self.size, self.edge.__getitem__) != self.signed.root:
            raise NotGrown(f"these {self.size} events are not those that are signed")
        return f"all {self.size} events under the checkpoint, {self.more} that came later"


def _logged(one: pb.LoggedEvent) -> Logged:
    return Logged(one.position, one.stream, one.version, one.topic, one.body_json.encode())


@app.command()
def compare(
    on: On = "",
    known_at: Annotated[str, typer.Option(help="As known at this instant; the first look.")] = "",
    then_on: Annotated[str, typer.Option(help="The date of the second look; the same.")] = "",
    then_known: Annotated[str, typer.Option(help="Its instant; now when not given.")] = "",
    loans: Annotated[bool, typer.Option(help="Each cause of each loan, not the book.")] = False,
    form: As = Form.TABLE,
    server: Server = "",
) -> None:
    """
    Print what changed between two looks at the whole book, by cause; the causes sum exactly.

    With one date and two instants: what was learned meanwhile, known then against known now.
    """
    asked = pb.CompareBookRequest(book_only=not loans)
    asked.before.effective_on, asked.before.known_at = on, known_at
    asked.after.effective_on, asked.after.known_at = then_on or on, then_known

    async def read(stub: Any) -> list[pb.BookDifference]:
        books: list[pb.BookDifference] = []
        with _progress("comparing") as show, ExitStack() as stack:
            sheet = stack.enter_context(Sheet(form, LOAN_HEADER)) if loans else None
            async for part in _answer(stub.CompareBook(asked), show):
                for row in loan_rows(part.loans):
                    assert sheet is not None, "loans were not asked for"
                    sheet.add(row)
                books += part.books
        return books

    books = ask(server, read)
    if not loans:
        write(form, *book_rows(books))
    raise typer.Exit(1 if any(book.unexplained for book in books) else 0)


@app.command()
def kinds(form: As = Form.TABLE) -> None:
    """Print the kinds of events, with the JSON Schema of each body; asks no ledger."""
    found, parts = msgspec.json.schema_components(TOPICS.values(), ref_template="#/$defs/{name}")
    rows = [
        (kind_of(topic), topic, json.dumps({**schema, "$defs": _used(schema, parts)}))
        for (topic, _), schema in zip(TOPICS.items(), found, strict=True)
    ]
    write(form, ("kind", "topic", "schema"), rows)


def _used(schema: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions that a schema refers to, and those that they refer to."""
    used: dict[str, Any] = {}
    waiting = [schema]
    while waiting:
        text = json.dumps(waiting.pop())
        for name, part in parts.items():
            if name not in used and f'"#/$defs/{name}"' in text:
                used[name] = part
                waiting.append(part)
    return used


@contextmanager
def _progress(what: str) -> Iterator[tuple[Progress, TaskID]]:
    """Show on standard error how far an answer has come."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield bar, bar.add_task(what, total=None)


async def _answer(parts: Any, show: tuple[Progress, TaskID]) -> AsyncIterator[Any]:
    """Yield the parts of an answer, and show its progress."""
    bar, task = show
    async for part in parts:
        if part.HasField("progress"):
            bar.update(task, completed=part.progress.done, total=part.progress.of)
        else:
            yield part
