"""Put the evidence about a period together: the log, its seals, its key, and the lock file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.adapters.parquet import write_parquet
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Sealed, Seals
from services.ledger.application.export_tables import EVENTS
from services.ledger.application.key_rotation import keys_of
from services.ledger.application.period import bounds_of, period_of
from services.ledger.application.period_pack import PeriodEvidence, sha256_of
from services.ledger.application.ports import Logged
from services.ledger.application.proving import Prover
from services.ledger.application.recorded_reads import PERIOD, read_of
from services.ledger.application.resealing import read_signed
from services.ledger.config import LedgerSettings
from shared.audit.checkpoints import load_signer
from shared.audit.packing import unpacked
from shared.runtime.database import open_database


class SaidBy(NamedTuple):
    """Who takes evidence home, and what for."""

    reader: str
    purpose: str


LOCK = Path(__file__).parents[2] / "requirements.lock"


async def pack_period(
    settings: LedgerSettings,
    since: date,
    until: date,
    *,
    sample: int,
    nonce: str = "",
    last: str = "",
    lock: Path = LOCK,
    parquet: bool = False,
    said_by: SaidBy | None = None,
) -> bytes:
    """
    Return the evidence about a period of business dates, both included.

    Args:
        settings: Where the log, its seals and the key are.
        since: The first business date.
        until: The last; the ledger has closed it.
        sample: How many entries to draw.
        nonce: Of an auditor: with the root of the last checkpoint it is the seed of the drawing.
        last: The signed checkpoint that the last pack ended with.
        lock: The file that pins what the program is made of.
        parquet: Also put the events in as Parquet.
        said_by: Who takes it home and what for; recorded in the log, with dates, checkpoint, seed,
            nonce and hash, before it is returned. None: it is not taken anywhere.
    Raises:
        PeriodNotClosed: there is no such period yet.
        PeriodNotSealed: it is not sealed, or not as it was sealed.
        CheckpointInvalid: the log did not sign the last pack's checkpoint.
        SizeUnknown: the log has not grown to the last pack's checkpoint.
        OSError: the lock file cannot be read.
        DuckDBMissing: Parquet needs it.
        LogUnavailable: it cannot be recorded.
    """
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    try:
        await models.create()
        seals = Seals(models.engine)
        signer = load_signer(settings.log_origin, settings.signing_key_path())
        evidence = PeriodEvidence(
            Prover(store, seals, lambda: None),
            signer,
            lock.read_text("utf-8"),
            _parquet if parquet else None,
        )
        kept = None
        if last:
            said = read_signed(last, keys_of(store, signer.verifier))
            kept = Sealed(said.size, last, 0)
        bounds = await bounds_of(store, decode, seals, since, until)
        period = await period_of(store, decode, seals, bounds)
        pack = await evidence.pack(period, sample=sample, nonce=nonce, last=kept)
        if said_by is not None:
            _record(store, pack, said_by)
        return pack
    finally:
        store.close()
        await models.engine.dispose()


def _record(store: EventStore, pack: bytes, said_by: SaidBy) -> None:
    said = json.loads(unpacked(pack)["period.json"])
    names = ("since", "until", "end_size", "seed", "nonce", "sample_size")
    asked = {name: said[name] for name in names}
    read = read_of(
        PERIOD,
        json.dumps(asked, sort_keys=True),
        sha256_of(pack),
        read_id=uuid4().hex,
        now=datetime.now(UTC),
        reader=said_by.reader,
        purpose=said_by.purpose,
    )
    store.append([(f"read/{read.read_id}", 0, [read])])


def _parquet(leaves: Sequence[Logged]) -> bytes:
    rows = ((*row[:4], row.state.decode()) for row in leaves)
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(Path(folder), {"events": (EVENTS, rows)})
        return (Path(folder) / "events.parquet").read_bytes()
