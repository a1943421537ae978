"""
Where an item of a batch spends its CPU: every part of the work done alone, for all items.

    python -m tests.bench.deciding
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, TypeVar

import msgspec
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb
from rich.console import Console
from rich.table import Table

from services.ledger.adapters.event_mapper import encode
from services.ledger.application.asks import Ask
from services.ledger.domain import commands as cmd
from services.ledger.domain.decide import FACTS, decide
from services.ledger.domain.delinquency import next_transition_on, standing_of
from services.ledger.domain.loan_account import LoanAccount, evolve, fold
from services.ledger.entrypoints import batches
from shared.runtime.collector import collect_seldom
from tests.bench.books import STARTS_ON, load
from tests.bench.measures import machine
from tests.services.ledger.book import Book, open_book

ITEMS, RUNS = 3_000, 5
T = TypeVar("T")


class Parts:
    """Microseconds of CPU per item, by part, run by run."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}

    def each(self, name: str, work: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Do one part for all items, and return what it makes of each."""
        given, started = list(items), process_time()
        done = [work(item) for item in given]
        self.took(name, started)
        return done

    def took(self, name: str, started: float) -> None:
        """Take the time since a moment as that of a part."""
        self.found.setdefault(name, []).append((process_time() - started) / ITEMS * 1e6)


def repayments(group: int, word: str) -> pb.BatchPostRepaymentsRequest:
    """Return one repayment of today into each loan of a group: no part meets what another left."""
    batch = pb.BatchPostRepaymentsRequest()
    for k in range(group * ITEMS, (group + 1) * ITEMS):
        batch.requests.add(
            request_id=f"{word}-{k}",
            loan_id=f"L-{k:07}",
            amount=Money(amount_minor=100, currency="CNY"),
            value_on=STARTS_ON.isoformat(),
        )
    return batch


def asked_of(book: Book, asks: list[Ask]) -> list[tuple[cmd.Asked, LoanAccount]]:
    """Return commands as they are decided, each with its account."""
    on, account = book.writer.business_on, book.writer.account
    asked = [msgspec.structs.replace(ask.command, business_on=on) for ask in asks]
    return [(one, account(one.loan_id)) for one in asked]


def in_parts(parts: Parts, book: Book, asks: list[Ask]) -> None:
    """Time what a decision is made of, on accounts as they stand; nothing is stored."""
    both, on = asked_of(book, asks), book.writer.business_on
    facts = parts.each("  is it allowed, and the fact", lambda b: FACTS[type(b[0])](*b), both)
    made = [(before, fact) for (_, before), fact in zip(both, facts, strict=True)]
    afters = parts.each("  the account with it", lambda b: evolve(*b), made)
    parts.each("  the loan before it", lambda b: b[1].timeline(on), both)
    lines = parts.each("  the loan after it: allocated, booked", lambda a: a.timeline(on), afters)
    parts.each("  how late it is", standing_of, lines)
    parts.each("  when that changes", next_transition_on, lines)


def as_a_whole(parts: Parts, book: Book, asks: list[Ask]) -> None:
    """Time a decision and what is made of its events; nothing is stored."""
    both = asked_of(book, asks)
    events = parts.each("decide", lambda b: decide(b[1], b[0]), both)
    found = [(some, before) for (_, before), some in zip(both, events, strict=True)]
    parts.each("fold the events", lambda b: fold(*b), found)
    parts.each("write them as JSON", lambda b: [encode(event) for event in b[0]], found)


async def posted(parts: Parts, book: Book, batch: pb.BatchPostRepaymentsRequest) -> None:
    """Time a batch from its requests to its answers, without the server."""
    started = process_time()
    read = batches._read(batch, datetime.now(UTC))
    parts.took("read requests, and their hashes", started)
    started = process_time()
    await asyncio.to_thread(book.writer.commit, read)
    parts.took("commit: decide, fold, write, store", started)
    started = process_time()
    said = batches._said(book.writer, batch, read)
    parts.took("say what became of each", started)
    assert said.posted == ITEMS


async def once(folder: Path, parts: Parts) -> None:
    """Take a decision apart in a new book of which every loan has been paid into before."""
    async with open_book(folder) as book:
        collect_seldom()
        await book.go_to(STARTS_ON)
        await load(book, 3 * ITEMS, 3 * ITEMS)
        for group in range(3):
            await posted(Parts(), book, repayments(group, "first"))
        await book.ageing.followers.caught_up()
        in_parts(parts, book, batches._read(repayments(0, "parts"), datetime.now(UTC)))
        as_a_whole(parts, book, batches._read(repayments(1, "whole"), datetime.now(UTC)))
        await posted(parts, book, repayments(2, "posted"))


def main() -> None:
    """Print the parts: median, least and most of the runs."""
    console, parts = Console(width=120), Parts()
    folder = Path(tempfile.mkdtemp(prefix="duebook-deciding-"))
    try:
        for run in range(RUNS):
            (folder / str(run)).mkdir()
            asyncio.run(once(folder / str(run), parts))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table(f"part of a batch, one of {ITEMS:,} loans", "µs of CPU per item", "least", "most")
    for name, found in parts.found.items():
        table.add_row(name, *[f"{value:.1f}" for value in (median(found), min(found), max(found))])
    console.print(table)
    console.print(machine())


if __name__ == "__main__":
    main()
