"""Questions to the whole book from the command line, as a table, JSON or CSV."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

from services.ledger import wire_audit
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application import entry_tests
from services.ledger.application.book_questions import (
    LOANS,
    BookDifference,
    BookSupposed,
    difference_of_book,
    drawn,
    kept,
    loans_of,
    streams,
    suppose_book,
    worst,
)
from services.ledger.application.tables_text import json_text
from services.ledger.config import LedgerSettings
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.difference import Look
from services.ledger.domain.events import Fact
from services.ledger.entrypoints import supposing
from services.ledger.entrypoints.differences import book_rows
from services.ledger.entrypoints.forms import As, Form, write
from shared.kernel.dates import parse_date
from shared.kernel.errors import LendingError
from shared.runtime.requests import an_instant

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ask the whole book, from its log; nothing is stored. Exit code 2: bad usage.",
)


On = Annotated[str, typer.Argument(help="The date that the figures are for, 2026-04-20.")]


@app.command()
def suppose(
    on: On,
    grace_days: supposing.GraceDays = None,
    penalty_rate: supposing.PenaltyRate = "",
    allocation: supposing.Allocation = "",
    delinquency: supposing.Delinquency = "",
    day_count: supposing.DayCounts = "",
    edges: supposing.Edges = None,
    sample: Annotated[int, typer.Option(min=0, help="Only so many loans, drawn; 0: all.")] = 0,
    seed: Annotated[str, typer.Option(help="The word that draws them.")] = "",
    keep: Annotated[Path | None, typer.Option(help="Write it here, loan by loan, as JSON.")] = None,
    form: As = Form.TABLE,
) -> None:
    """Print the book's figures as they are and as they would be under other terms."""
    asked = supposing.supposed_terms(
        grace_days, penalty_rate, allocation, delinquency, day_count, edges
    )
    try:
        supposition = wire_audit.supposition(asked)
        look = Look(parse_date(on, field="on"), datetime.now(UTC))
        loans = _loans()
        if sample:
            loans = drawn(loans, sample, seed)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("supposing")
            found = suppose_book(
                loans, look, supposition, lambda k, of: bar.update(task, completed=k, total=of)
            )
    except LendingError as refusal:
        _refuse(refusal)
    if keep is not None:
        draw = {"sample": sample, "seed": seed} if sample else {}
        keep.write_bytes(json_text(kept(found, look, supposition) | draw))
    rows = [
        (name, found.actual[name], found.supposed[name], found.supposed[name] - found.actual[name])
        for name in sorted(found.actual)
    ]
    rows += [
        (f"{scheme}: loans {was or '-'} that would be {would or '-'}", count, count, 0)
        for (scheme, was, would), count in sorted(found.buckets.items())
    ]
    rows.append((supposition.label, found.loans, found.loans, 0))
    write(form, ("figure", "as it is", "as it would be", "difference"), rows)
    _say(found, supposition)


def _say(found: BookSupposed, supposition: Supposition) -> None:
    """Say what it is, and who would differ most."""
    print(supposition.label, file=sys.stderr)
    print(f"{len(found.changed)} of {found.loans} loans would differ", file=sys.stderr)
    if found.untouched:
        print(f"{found.untouched} have no such scheme, and are as they are", file=sys.stderr)
    for one in worst(found.changed, 5):
        said = ", ".join(f"{name} {change:+}" for name, change in one.changes.items())
        print(f"  {one.loan_id}: {said or 'buckets only'}", file=sys.stderr)


@app.command()
def compare(
    on: On,
    known: Annotated[str, typer.Option(help="As known at this instant; the first look.")],
    then_on: Annotated[str, typer.Option(help="The date of the second look; the same.")] = "",
    then_known: Annotated[str, typer.Option(help="Its instant; now when not given.")] = "",
    form: As = Form.TABLE,
) -> None:
    """Print what changed between two looks at the book, by cause; the causes sum exactly."""
    try:
        first = Look(parse_date(on, field="on"), an_instant(known, "known"))
        at = an_instant(then_known, "then_known") if then_known else datetime.now(UTC)
        second = Look(_date(then_on, first.on), at)
        books = _compared(first, second)
    except LendingError as refusal:
        _refuse(refusal)
    found = [wire_audit.book_difference(name, one) for name, one in sorted(books.items())]
    write(form, *book_rows(found))
    raise typer.Exit(1 if any(one.unexplained for one in found) else 0)


def _compared(first: Look, second: Look) -> dict[str, BookDifference]:
    """Compare loan by loan from the log, a few in memory at a time."""
    store = open_event_store(LedgerSettings().database_url)
    try:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("comparing", total=store.count(LOANS))
            told = lambda done: bar.update(task, completed=done)  # noqa: E731
            return difference_of_book(loans_of(store), first, second, told)
    finally:
        store.close()


@app.command()
def test(
    sample: Annotated[int, typer.Option(help="Entries to hold against vouchers.")] = 25,
    seed: Annotated[
        str, typer.Option(help="A kept checkpoint's root and the auditor's own word.")
    ] = "",
    form: As = Form.TABLE,
) -> None:
    """Run the tests of entries on the whole book, and draw a sample that anybody can draw again."""
    store = open_event_store(LedgerSettings().database_url)
    try:
        found = entry_tests.lives(store, decode)
    finally:
        store.close()
    said = entry_tests.population(found)
    print(
        f"tested: all {said.entries} entries of {said.loans} loans, {said.first_on} to"
        f" {said.last_on}, debits of {said.debits_minor} minor units",
        file=sys.stderr,
    )
    if not seed:
        print("the sample's seed is known to the keeper: give --seed", file=sys.stderr)
    flagged = entry_tests.flags(found)
    rows = [(flag.test, flag.loan_id, flag.version, flag.why) for flag in flagged]
    drawn = entry_tests.sample(found, sample, seed)
    rows += [("sample", loan_id, version, "by the seed") for loan_id, version in drawn]
    write(form, ("test", "loan", "event", "why"), rows)
    raise typer.Exit(1 if flagged else 0)


def _date(text: str, other: date) -> date:
    return parse_date(text, field="then_on") if text else other


def _loans() -> dict[str, list[Fact]]:
    store = open_event_store(LedgerSettings().database_url)
    try:
        return streams(store, decode)
    finally:
        store.close()


def _refuse(refusal: LendingError) -> NoReturn:
    expected = f"; expected {refusal.expected}" if refusal.expected else ""
    print(f"{refusal.reason}: {refusal.message}{expected}", file=sys.stderr)
    raise typer.Exit(2)
