"""Put the log's followers together: read models and the event stream, in a process of their own."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from services.ledger.adapters.checkpoint_relay import CheckpointRelay
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.follower_process import HURRY
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.relay import Relay, StreamSafety
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
PR_SET_PDEATHSIG = 1


async def follow_log(settings: LedgerSettings) -> None:
    """Follow the log until standard input closes: the ledger that started us is gone then."""
    configure_logging("ledger-follower", settings.log_level)
    configure_tracing("ledger-follower", settings.otlp_endpoint)
    _die_with_the_ledger()
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    await models.create()
    projection = Projection(store, Follower(store, decode), models)
    safety = StreamSafety(
        production=settings.stream_profile == "production",
        replicas=settings.stream_replicas,
        monitor_url=settings.nats_monitor_url,
    )
    relay = Relay(Follower(store, decode), models, settings.nats_url, safety)
    signer = partial(load_signer, settings.log_origin, settings.signing_key_path())
    seals = Seals(models.engine)
    sealer = Sealer(store, seals, signer(), lambda: datetime.now(UTC), reload=signer)
    telling = CheckpointRelay(seals, settings.nats_url)
    prover = Prover(store, seals, lambda: None)
    witnessing = Witnessing(prover, seals, witnesses_of(settings.witnesses), post)
    collect_seldom()
    accounts = (projection.follower.accounts, relay.follower.accounts)
    for bounded in (KEEPER.lines, models.written, *accounts):
        bounded.bytes_max = settings.cache_bytes(4)
    stop = asyncio.Event()
    followers = (projection, relay, sealer)
    work = [*(one.run(stop) for one in (*followers, telling, witnessing)), _listen(followers, stop)]
    try:
        await asyncio.gather(*work)
    finally:
        store.close()
        await models.engine.dispose()


async def _listen(followers: tuple[Projection, Relay, Sealer], stop: asyncio.Event) -> None:
    """Wake the followers at each word of the ledger; stop when it says no more."""
    loop, words = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    stopping = asyncio.ensure_future(stop.wait())
    while not stop.is_set():
        reading = asyncio.ensure_future(words.read(4096))
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done() or not reading.result():
            reading.cancel()
            stop.set()
            break
        _wake(followers, hurry=HURRY in reading.result())
    _wake(followers, hurry=True)


def _wake(followers: tuple[Projection, Relay, Sealer], *, hurry: bool) -> None:
    for follower in followers:
        if hurry and not isinstance(follower, Relay):
            follower.hurried.set()
        follower.woken.set()


def _die_with_the_ledger() -> None:
    """Leave Ctrl-C and priority to the ledger, and be killed with it where Linux can do that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
