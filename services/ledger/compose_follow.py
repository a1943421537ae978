"""Put the log's followers together: read models and seals, in a process of their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial

from services.ledger.adapters.child_process import die_with_the_ledger, listen
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Seals
from services.ledger.adapters.witness_client import post, witnesses_of
from services.ledger.application.following import Follower
from services.ledger.application.projecting import Projection
from services.ledger.application.proving import Prover
from services.ledger.application.sealing import Sealer
from services.ledger.application.witnessing import Witnessing
from services.ledger.config import LedgerSettings
from services.ledger.domain.kept import KEEPER
from shared.audit.checkpoints import load_signer
from shared.runtime.collector import collect_seldom
from shared.runtime.database import open_database
from shared.runtime.telemetry import configure_logging, configure_tracing

NICE = 5


async def follow_log(settings: LedgerSettings) -> None:
    """Follow the log until standard input closes: the ledger that started us is gone then."""
    configure_logging("ledger-follower", settings.log_level)
    configure_tracing("ledger-follower", settings.otlp_endpoint)
    die_with_the_ledger(NICE)
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    await models.create()
    projection = Projection(store, Follower(store, decode), models)
    signer = partial(load_signer, settings.log_origin, settings.signing_key_path())
    seals = Seals(models.engine)
    sealer = Sealer(store, seals, signer(), lambda: datetime.now(UTC), reload=signer)
    prover = Prover(store, seals, lambda: None)
    witnessing = Witnessing(prover, seals, witnesses_of(settings.witnesses), post)
    collect_seldom()
    for bounded in (KEEPER.lines, models.written, projection.follower.accounts):
        bounded.bytes_max = settings.cache_bytes(4)
    stop = asyncio.Event()
    followers = (projection, sealer)

    def wake(hurry: bool) -> None:
        for follower in followers:
            if hurry:
                follower.hurried.set()
            follower.woken.set()

    work = [*(one.run(stop) for one in (*followers, witnessing)), listen(wake, stop)]
    try:
        await asyncio.gather(*work)
    finally:
        store.close()
        await models.engine.dispose()
