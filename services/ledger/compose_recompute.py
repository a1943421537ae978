"""Let other people's programs recompute the whole book, once or after each day that is closed."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import structlog
from prometheus_client import Gauge

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.parquet import DuckDBMissing
from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.following import Follower
from services.ledger.compose_export import export_book
from services.ledger.config import LedgerSettings
from shared.runtime.database import open_database

PROGRAMS = ("DuckDB", "beancount", "hledger")
ANSWERS = {True: "agrees", False: "differs", None: "missing"}
PROGRAM_SECONDS_MAX = 3600.0

FOUND = Gauge(
    "duebook_recompute",
    "1 for what a program said when it last recomputed the book: agrees, differs or missing.",
    ["program", "answer"],
)
RAN_AT = Gauge("duebook_recompute_ran_at_seconds", "When the book was last recomputed, Unix time.")
BOOK_OF = Gauge(
    "duebook_recompute_business_date_seconds",
    "The business date of the book that was last recomputed, Unix time of its midnight in UTC.",
)


class Answer(NamedTuple):
    """What a program says of the book: None when it is not here."""

    program: str
    agrees: bool | None
    said: str


class Recomputed(NamedTuple):
    """A book by its business date, and what each program says of it."""

    on: date
    answers: list[Answer]

    @property
    def code(self) -> int:
        """Return 1 when a program differs, else 2 when one is not here, else 0."""
        found = {answer.agrees for answer in self.answers}
        return 1 if False in found else 2 if None in found else 0


def recompute_book(settings: LedgerSettings, folder: Path) -> Recomputed:
    """Export a book into a folder, and let each program come to its balances by itself."""
    on, duckdb = _duckdb(settings, folder)
    beancount = [sys.executable, "-m", "beancount.scripts.check", str(folder / "book.beancount")]
    hledger = shlex.split(settings.hledger)
    strict = [*hledger, "-f", str(folder / "book.journal"), "check", "--strict"]
    answers = [
        duckdb,
        _asked("beancount", beancount if find_spec("beancount") else []),
        _asked("hledger", strict if hledger and shutil.which(hledger[0]) else []),
    ]
    return Recomputed(on, answers)


def _duckdb(settings: LedgerSettings, folder: Path) -> tuple[date, Answer]:
    """Export, with Parquet where DuckDB is here."""

    def export(*, parquet: bool) -> tuple[date, list[str], int]:
        work = export_book(settings, folder, parquet=parquet, say=lambda _: None)
        on, verdicts = asyncio.run(work)
        wrong = [f"{v.name}: {v.different[0]}" for v in verdicts if v.different]
        return on, wrong, sum(v.rows for v in verdicts)

    try:
        on, wrong, compared = export(parquet=True)
    except DuckDBMissing as missing:
        return export(parquet=False)[0], Answer("DuckDB", None, str(missing))
    return on, Answer("DuckDB", not wrong, "; ".join(wrong) or f"{compared} figures")


def _asked(program: str, command: list[str]) -> Answer:
    if not command:
        return Answer(program, None, "is not here")
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PROGRAM_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        return Answer(program, False, f"no answer within {PROGRAM_SECONDS_MAX:.0f} s")
    said = (done.stderr or done.stdout).strip()
    return Answer(program, done.returncode == 0, said[:500] or "every balance it asserts holds")


def recompute_once(settings: LedgerSettings) -> Recomputed:
    """Recompute a book in a folder that is gone afterwards, and tell the metrics."""
    with tempfile.TemporaryDirectory(prefix="duebook-recompute-") as folder:
        found = recompute_book(settings, Path(folder))
    for answer in found.answers:
        for agrees, word in ANSWERS.items():
            FOUND.labels(answer.program, word).set(answer.agrees is agrees)
    RAN_AT.set(datetime.now(UTC).timestamp())
    BOOK_OF.set(datetime.combine(found.on, time(), UTC).timestamp())
    return found


async def recompute_each_day(
    settings: LedgerSettings,
    stop: asyncio.Event,
    look_seconds: float,
    done: Callable[[Recomputed], None] = lambda found: None,
) -> None:
    """
    Recompute the book now, and again whenever the ledger has closed a day; until told to stop.

    A book that differs is an error in the log and in the metrics each time; so is a run that fails.
    """
    last: date | None = None
    while not stop.is_set():
        try:
            closed = await _last_closed(settings)
            if closed is not None and closed != last:
                found = await asyncio.to_thread(recompute_once, settings)
                last = closed
                _log(found)
                done(found)
        except Exception:
            # Tried again at the next look; an alert says when that has been too long.
            structlog.get_logger().exception("the book could not be recomputed")
        try:
            await asyncio.wait_for(stop.wait(), look_seconds)
        except TimeoutError:
            continue


async def _last_closed(settings: LedgerSettings) -> date | None:
    """Return the day that was closed last, as far as the read models have come."""
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    try:
        await models.create()
        position = await models.position("read-models")
        closed = await asyncio.to_thread(Follower(store, decode).last_closed, position)
        return closed.event.on if closed else None
    finally:
        store.close()
        await models.engine.dispose()


def _log(found: Recomputed) -> None:
    for answer in found.answers:
        log = structlog.get_logger().bind(program=answer.program, on=str(found.on))
        if answer.agrees:
            log.info("the book was recomputed", said=answer.said)
        elif answer.agrees is None:
            log.warning("a program that recomputes the book is not here", said=answer.said)
        else:
            log.error("THE BOOK DIFFERS when it is recomputed", said=answer.said)
