"""Put a replay together: the log on one side, the read models on the other."""

from __future__ import annotations

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Seals
from services.ledger.adapters.tables import METADATA
from services.ledger.application.following import Follower
from services.ledger.application.projecting import Projection
from services.ledger.application.verifying import (
    Verdict,
    compare,
    expected_rows,
    replay_log,
    unsealed,
)
from services.ledger.config import LedgerSettings
from shared.audit.checkpoints import load_signer
from shared.runtime.database import open_database


async def replay_book(settings: LedgerSettings) -> list[Verdict]:
    """Replay the whole book and compare it with its read models and its trial balances."""
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    await models.create()
    projection = Projection(store, Follower(store, decode), models)
    projection.position = await models.position("read-models")
    while await projection.step():
        pass
    replayed = replay_log(Follower(store, decode))
    verdicts = replayed.verdicts()
    for name, rows in expected_rows(replayed).items():
        table = METADATA.tables[name]
        key = tuple(column.name for column in table.primary_key.columns)
        verdicts.append(compare(name, key, rows, await models.all_rows(table)))
    days = [str(day) for day in await models.unbalanced_days()]
    dates = len({row["effective_on"] for row in replayed.journal})
    verdicts.append(Verdict("trial balance is zero, by date", dates, days))
    sealed = await Seals(models.engine).checkpoint()
    if sealed is not None:
        signer = load_signer(settings.log_origin, settings.signing_key_path())
        verdicts.append(unsealed(store, sealed.note, signer.verifier))
    store.close()
    await models.engine.dispose()
    return verdicts
