"""Put an export together: the log and what is derived of it, into files that others read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.parquet import recomputed, write_parquet
from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.export_tables import tables
from services.ledger.application.exporting import beancount, entries, hledger
from services.ledger.application.following import BUSINESS_DAY, Follower
from services.ledger.application.verifying import Verdict, replay_log
from services.ledger.config import LedgerSettings
from services.ledger.domain.book_events import BusinessDateAdvanced
from shared.runtime.database import open_database

WRITERS = {"hledger": ("book.journal", hledger), "beancount": ("book.beancount", beancount)}


async def export_book(
    settings: LedgerSettings, folder: Path, *, parquet: bool, say: Callable[[str], None]
) -> list[Verdict]:
    """
    Write the journals and, if asked, the Parquet files of a book.

    Args:
        settings: Where log and read models are; the journals assert the balances of the latter.
        folder: Where to write; made if missing.
        parquet: Also write the flat tables, and recompute the book from them.
        say: Told of each file as it is written.
    Returns:
        What the recomputation says; empty without Parquet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    try:
        await models.create()
        balances = await models.trial_balance(date.max)
        for name, write in WRITERS.values():
            with (folder / name).open("w", encoding="utf-8") as file:
                file.writelines(write(entries(Follower(store, decode)), balances))
            say(str(folder / name))
        if not parquet:
            return []
        days = store.stream(BUSINESS_DAY)
        on = days[-1].on if days and isinstance(days[-1], BusinessDateAdvanced) else date.min
        accounts = replay_log(Follower(store, decode)).accounts.values()
        write_parquet(folder, tables(store, accounts, balances, on))
        say(str(folder / "*.parquet"))
        return recomputed(folder)
    finally:
        store.close()
        await models.engine.dispose()
