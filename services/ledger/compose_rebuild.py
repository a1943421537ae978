"""Put a rebuild of the read models together."""

from __future__ import annotations

from collections.abc import Callable

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.rebuild import BesideModels
from services.ledger.application.following import Follower
from services.ledger.application.rebuilding import Rebuilding, Rebuilt
from services.ledger.config import LedgerSettings
from shared.runtime.database import open_database


async def rebuild_models(
    settings: LedgerSettings, *, replace: bool, say: Callable[[int, int], None]
) -> Rebuilt:
    """
    Build the read models again beside the live ones, compare and switch.

    Args:
        settings: Where the log and the read models are.
        replace: Switch even where rows differ.
        say: Hears the position that was reached, and the one to reach.
    """
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    try:
        await models.create()
        work = Rebuilding(store, Follower(store, decode), BesideModels(models), say)
        return await work.run(replace=replace)
    finally:
        store.close()
        await models.engine.dispose()
