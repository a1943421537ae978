"""Put what tells the world together: events and checkpoints to NATS, in a process of their own."""

from __future__ import annotations

import asyncio

from services.ledger.adapters.checkpoint_relay import CheckpointRelay
from services.ledger.adapters.child_process import die_with_the_ledger, listen
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.relay import Relay, StreamSafety
from services.ledger.adapters.seals import Seals
from services.ledger.application.following import Follower
from services.ledger.config import LedgerSettings
from shared.runtime.collector import collect_seldom
from shared.runtime.database import open_database
from shared.runtime.telemetry import configure_logging, configure_tracing


async def relay_log(settings: LedgerSettings) -> None:
    """Publish until standard input closes: the ledger that started us is gone then."""
    configure_logging("ledger-relay", settings.log_level)
    configure_tracing("ledger-relay", settings.otlp_endpoint)
    die_with_the_ledger()
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    await models.create()
    safety = StreamSafety(
        production=settings.stream_profile == "production",
        replicas=settings.stream_replicas,
        monitor_url=settings.nats_monitor_url,
    )
    relay = Relay(Follower(store, decode), models, settings.nats_url, safety)
    relay.follower.accounts.bytes_max = settings.cache_bytes(4)
    telling = CheckpointRelay(Seals(models.engine), settings.nats_url)
    collect_seldom()
    stop = asyncio.Event()

    def wake(_: bool) -> None:
        relay.woken.set()

    try:
        await asyncio.gather(relay.run(stop), telling.run(stop), listen(wake, stop))
    finally:
        store.close()
        await models.engine.dispose()
