"""Put an export together: the log and what is derived of it, into files that others read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.parquet import recomputed, write_parquet
from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.export_tables import tables
from services.ledger.application.exporting import beancount, entries, hledger
from services.ledger.application.following import Follower
from services.ledger.application.inspecting import UpTo
from services.ledger.application.verifying import Verdict, replay_log
from services.ledger.config import LedgerSettings
from shared.runtime.database import open_database

WRITERS = {"hledger": ("book.journal", hledger), "beancount": ("book.beancount", beancount)}


class Exported(NamedTuple):
    """The business date of what was written, and what the recomputation says of it."""

    on: date
    verdicts: list[Verdict]


async def export_book(
    settings: LedgerSettings, folder: Path, *, parquet: bool, say: Callable[[str], None]
) -> Exported:
    """
    Write the journals and, if asked, the Parquet files of a book.

    The ledger may be up: all is as of the place to which the read models have followed the log.

    Args:
        settings: Where log and read models are; the journals assert the balances of the latter.
        folder: Where to write; made if missing.
        parquet: Also write the flat tables, and recompute the book from them.
        say: Told of each file as it is written.
    Returns:
        Without Parquet no verdicts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    try:
        await models.create()
        position = await models.position("read-models")
        log: Any = UpTo(store, position)
        balances = await models.trial_balance(date.max, position)
        for name, write in WRITERS.values():
            with (folder / name).open("w", encoding="utf-8") as file:
                file.writelines(write(entries(Follower(log, decode)), balances))
            say(str(folder / name))
        closed = Follower(log, decode).last_closed(position)
        on = closed.event.on if closed else date.min
        if not parquet:
            return Exported(on, [])
        accounts = replay_log(Follower(log, decode)).accounts.values()
        write_parquet(folder, tables(log, accounts, balances, on))
        say(str(folder / "*.parquet"))
        return Exported(on, recomputed(folder))
    finally:
        store.close()
        await models.engine.dispose()
