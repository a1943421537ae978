"""Put the evidence about a period together: the log, its seals, its key, and the lock file."""

from __future__ import annotations

import hashlib
import json
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.adapters.parquet import write_parquet
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Sealed, Seals
from services.ledger.application.export_tables import EVENTS
from services.ledger.application.key_rotation import keys_of
from services.ledger.application.period import bounds_of, period_of
from services.ledger.application.period_pack import PeriodEvidence
from services.ledger.application.proving import Prover
from services.ledger.application.recorded_reads import PERIOD, read_of
from services.ledger.application.resealing import read_signed
from services.ledger.config import LedgerSettings
from shared.audit.checkpoints import load_signer
from shared.runtime.database import open_database


class SaidBy(NamedTuple):
    """Who takes evidence home, and what for."""

    reader: str
    purpose: str


LOCK = Path(__file__).parents[2] / "requirements.lock"


class Taken(NamedTuple):
    """A pack that was written: its hash, hex, and the verifier key of its log."""

    sha256: str
    verifier: str


async def pack_period(
    settings: LedgerSettings,
    since: date,
    until: date,
    output: Path,
    *,
    sample: int,
    nonce: str = "",
    last: str = "",
    lock: Path = LOCK,
    parquet: bool = False,
    said_by: SaidBy | None = None,
) -> Taken:
    """
    Write the evidence about a period of business dates, both included, into a file.

    It is written a part at a time into a folder beside the file, and stands there whole or not at
    all. Memory grows with loans and entries, not with the events' bytes.

    Args:
        settings: Where the log, its seals and the key are.
        since: The first business date.
        until: The last; the ledger has closed it.
        output: The zip to write.
        sample: How many entries to draw.
        nonce: Of an auditor: with the root of the last checkpoint it is the seed of the drawing.
        last: The signed checkpoint that the last pack ended with.
        lock: The file that pins what the program is made of.
        parquet: Also put the events in as Parquet.
        said_by: Who takes it home and what for; recorded in the log, with dates, checkpoint, seed,
            nonce and hash, before it stands there. None: it is not taken anywhere.
    Raises:
        PeriodNotClosed: there is no such period yet.
        PeriodNotSealed: it is not sealed, or not as it was sealed.
        CheckpointInvalid: the log did not sign the last pack's checkpoint.
        SizeUnknown: the log has not grown to the last pack's checkpoint.
        OSError: the lock file cannot be read, or the file not written.
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
        with tempfile.TemporaryDirectory(prefix=".duebook-", dir=output.parent) as folder:
            pack, events = Path(folder) / "pack.zip", Path(folder) / "events.jsonl"
            with events.open("wb") as file:
                period = await period_of(store, decode, seals, bounds, file)
            with pack.open("w+b") as target:
                said_of = await evidence.write(
                    target, period, events, sample=sample, nonce=nonce, last=kept
                )
                target.seek(0)
                sha256 = hashlib.file_digest(target, "sha256").hexdigest()
            if said_by is not None:
                _record(store, said_of, sha256, said_by)
            pack.replace(output)
        return Taken(sha256, signer.verifier)
    finally:
        store.close()
        await models.engine.dispose()


def _record(store: EventStore, said: dict[str, Any], sha256: str, said_by: SaidBy) -> None:
    names = ("since", "until", "end_size", "seed", "nonce", "sample_size")
    asked = {name: said[name] for name in names}
    read = read_of(
        PERIOD,
        json.dumps(asked, sort_keys=True),
        sha256,
        read_id=uuid4().hex,
        now=datetime.now(UTC),
        reader=said_by.reader,
        purpose=said_by.purpose,
    )
    store.append([(f"read/{read.read_id}", 0, [read])])


def _parquet(events: Path) -> Path:
    """Write a pack's events beside their lines as Parquet."""
    with events.open("rb") as lines:
        write_parquet(events.parent, {"events": (EVENTS, map(_row, lines))})
    return events.with_suffix(".parquet")


def _row(line: bytes) -> tuple[Any, ...]:
    head, _, state = json.loads(line)["leaf"].partition("\n")
    return (*json.loads(head), state)
