"""A sealed book with history, and copies of it that can be tampered with."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from sqlalchemy import Engine, create_engine, make_url, text

from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Seals
from services.ledger.adapters.tables import METADATA
from services.ledger.application.approving import ApprovalRules, Approvals, Request
from services.ledger.application.ports import Logged
from services.ledger.application.reconciling import Move, Statement, cash_moves
from services.ledger.application.sealing import Sealer
from services.ledger.compose_replay import WRITTEN, replay_book
from services.ledger.config import LedgerSettings
from services.ledger.domain import commands as cmd
from services.ledger.domain.approvals import Change
from services.ledger.domain.terms import Overpayment
from shared.audit.checkpoints import load_signer
from shared.runtime.database import open_database
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS

ORIGIN = "duebook.test/ledger"
PAGE = 40
EARNING = msgspec.structs.replace(
    TERMS, posting_policy="accrual/1", overpayment=Overpayment.CREDIT, instalments=6
)


class Row(NamedTuple):
    """One stored event as its table has it."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes


@dataclass
class Vault:
    """One ledger's databases and key, and the checkpoint that an auditor took home."""

    folder: Path
    log_url: str
    read_url: str
    kept: str = ""
    witnessed: str = ""
    bank: tuple[Move, ...] = ()

    @property
    def settings(self) -> LedgerSettings:
        """What the ledger's own programs are told."""
        return LedgerSettings(
            database_url=self.log_url,
            read_database_url=self.read_url,
            log_origin=ORIGIN,
            signing_key_file=str(self.folder / "signing.key"),
        )

    def check(self, *, witness: bool = False) -> dict[str, list[str]]:
        """Return what each named check finds, an auditor's checkpoint, or a witness's, in hand."""
        notes = [note for note in (self.kept, self.witnessed if witness else "") if note]
        work = replay_book(self.settings, notes, Statement(self.bank))
        return {v.name: v.different for v in asyncio.run(work)}

    def log(self, sql: str, **given: Any) -> list[Any]:
        """Run a statement on the log's table as its keeper can; :position names the place."""
        position = "rowid" if self.log_url.startswith("sqlite") else "notification_id"
        return _run(self.log_url, sql.replace("POSITION", position), given)

    def read(self, sql: str, **given: Any) -> list[Any]:
        """Run a statement on read models and seals."""
        return _run(self.read_url, sql, given)

    def rows(self, stream: str = "%", topic: str = "%") -> list[Row]:
        """Return stored events by stream and topic, in log order."""
        found = self.log(
            "SELECT POSITION, originator_id, originator_version, topic, state FROM ledger_events"
            " WHERE originator_id LIKE :stream AND topic LIKE :topic ORDER BY 1",
            stream=stream,
            topic=f"%{topic}",
        )
        return [Row(p, s, v, t, bytes(state)) for p, s, v, t, state in found]

    def write(self, row: Row, state: bytes | dict[str, Any]) -> None:
        """Put other bytes in the place of an event."""
        self.log(
            "UPDATE ledger_events SET state = :state WHERE POSITION = :position",
            state=state if isinstance(state, bytes) else packed(state),
            position=row.position,
        )

    def add(self, stream: str, version: int, topic: str, event: dict[str, Any]) -> None:
        """Append an event without asking the ledger."""
        self.log(
            "INSERT INTO ledger_events (originator_id, originator_version, topic, state)"
            " VALUES (:stream, :version, :topic, :state)",
            stream=stream,
            version=version,
            topic=f"lending.ledger.{topic}",
            state=packed(event),
        )

    def rebuild(
        self, *, key: str = "signing.key", read_models: bool = True, page: int = PAGE
    ) -> None:
        """Throw away everything that was derived, and derive and seal it again."""
        gone = [t for t in METADATA.tables if read_models or t[:6] in ("sealed", "checkp")]
        for name in gone:
            self.read(f"DELETE FROM {name}")
        asyncio.run(sealed(self, key=key, page=page))
        if read_models:
            self.check()


def packed(event: dict[str, Any]) -> bytes:
    """Return an event as the ledger writes JSON."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _run(url: str, sql: str, given: dict[str, Any]) -> list[Any]:
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(sql), given)
            return list(result) if result.returns_rows else []
    finally:
        engine.dispose()


def sync_engine(url: str) -> Engine:
    """Open a database as somebody who is not the ledger."""
    plain = make_url(url)
    driver = "sqlite" if plain.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return create_engine(plain.set(drivername=driver))


async def sealed(vault: Vault, *, key: str = "signing.key", page: int = PAGE) -> str:
    """Seal everything there is, page by page; return the last checkpoint."""
    store, models = open_event_store(vault.log_url), ReadModels(open_database(vault.read_url))
    await models.create()
    signer = load_signer(ORIGIN, vault.folder / key)
    sealer = Sealer(store, Seals(models.engine), signer, lambda: datetime.now(UTC), page=page)
    await sealer.begin()
    while await sealer.step():
        pass
    last = await sealer.tree.checkpoint()
    store.close()
    await models.engine.dispose()
    return last.note


async def live(vault: Vault, do: Callable[[Book], Any], *, paid: bool = True) -> None:
    """Let the ledger itself do something, its read models following; the bank saw what is paid."""
    async with open_book(vault.folder, vault.log_url, vault.read_url) as book:
        book.count = 10_000 * (1 + book.writer.log.last_position())
        before = len(vault.rows())
        await do(book)
        await book.ageing.followers.caught_up()
    if paid:
        moves = list(cash_moves(_Rows(vault.rows()), WRITTEN))
        fresh = {said["request_id"] for said in _requests(vault.rows()[before:])}
        vault.bank += tuple(move for move in moves if move.reference in fresh)


class _Rows:
    """A log of rows that were read before."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def log(self, after: int, limit: int) -> list[Logged]:
        return [Logged(*row) for row in self.rows if row.position > after][:limit]


def _requests(rows: list[Row]) -> list[dict[str, Any]]:
    return [json.loads(row.state) for row in rows if row.stream.startswith("loan/")]


async def history(vault: Vault) -> None:
    """Live a small book: an auditor leaves with a checkpoint in the middle of it."""
    await live(vault, _first_months)
    vault.kept = await sealed(vault)
    await live(vault, _later_months)
    vault.witnessed = await sealed(vault)


async def _first_months(book: Book) -> None:
    await book.go_to(date(2026, 1, 5))
    for k in range(3):
        await book.lend(f"L-{k}")
    await book.lend("L-3", EARNING)
    for on in (date(2026, 2, 5), date(2026, 2, 20), date(2026, 3, 5)):
        await book.go_to(on)
        for k in range(2):
            await book.repay(f"L-{k}", 112_000)
    await book.ask(cmd.ReverseRepayment, "L-1", repayment_id=_repaid(book, "L-1"), reason="bounced")
    charge = {"value_on": book.writer.business_on, "amount_minor": 500, "currency": "CNY"}
    await book.ask(cmd.ApplyCharge, "L-0", reason="letter", **charge)


def _repaid(book: Book, loan_id: str) -> str:
    stored = book.writer.log.stream(f"loan/{loan_id}")
    return next(e.repayment_id for e in reversed(stored) if hasattr(e, "repayment_id"))


HELD = ("ChargeOffLoan", "ReverseRepayment", "WaiveCharge")


def rule(book: Book, *methods: str) -> None:
    """Let the ledger say what needs a second person, as when it starts with roles."""
    ApprovalRules(book.writer, book.now).tell(methods, [("service/collections", "x")]).result()


async def approve(book: Book, method: str, loan_id: str, by: str = "Li", **other: str) -> None:
    """Let a person approve what will be asked next."""
    named = {"request_id": f"r-{book.count + 1}", "body_sha256": f"hash-{book.count + 1}", **other}
    change = Change(loan_id=loan_id, method=method, **named)
    own = Request(f"a-{book.writer.log.last_position()}", "hash")
    await Approvals(book.writer).approve(change, by, own, book.now())


async def _later_months(book: Book) -> None:
    rule(book, *HELD)
    await book.go_to(date(2026, 4, 20))
    for k in range(4):
        await book.repay(f"L-{k}", 50_000)
    await book.go_to(date(2026, 7, 10))
    await approve(book, "ChargeOffLoan", "L-2")
    await book.ask(cmd.ChargeOffLoan, "L-2", effective_on=date(2026, 7, 10), reason="gone")
    charge = {"value_on": date(2026, 7, 10), "amount_minor": 900, "currency": "CNY"}
    await book.ask(cmd.ApplyCharge, "L-0", reason="visit", **charge)
    charged = [e for e in book.writer.log.stream("loan/L-0") if hasattr(e, "component")]
    waived = {"value_on": date(2026, 7, 10), "reason": "goodwill", "approved_by": "Li"}
    await approve(book, "WaiveCharge", "L-0")
    await book.ask(cmd.WaiveCharge, "L-0", charge_id=charged[-1].request_id, **waived)


def copied(vault: Vault, folder: Path) -> Vault:
    """Copy a vault; a PostgreSQL database under a new name on the same server."""
    shutil.copytree(vault.folder, folder)
    if vault.log_url.startswith("sqlite"):
        return Vault(folder, *_files(folder), vault.kept, vault.witnessed, vault.bank)
    url = make_url(vault.log_url)
    fresh = url.set(database=f"{url.database}_{abs(hash(folder)) % 10**9}")
    plain = url.set(drivername="postgresql", database="postgres")
    with psycopg.connect(plain.render_as_string(False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {fresh.database} TEMPLATE {url.database}")
    address = fresh.render_as_string(False)
    return Vault(folder, address, address, vault.kept, vault.witnessed, vault.bank)


def new_vault(folder: Path, url: str = "") -> Vault:
    """Live the book on SQLite files of a folder, or on a PostgreSQL database."""
    folder.mkdir(parents=True)
    vault = Vault(folder, url, url) if url else Vault(folder, *_files(folder))
    asyncio.run(history(vault))
    return vault


def _files(folder: Path) -> tuple[str, str]:
    names = ("ledger.db", "ledger-read.db")
    log_url, read_url = (f"sqlite+aiosqlite:///{folder}/{name}" for name in names)
    return log_url, read_url
