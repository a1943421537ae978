"""Put an audit together: the log on one side, everything derived or kept of it on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from services.ledger.adapters.event_mapper import decode, encode
from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.replay_processes import processes_for, replay
from services.ledger.adapters.seals import Seals
from services.ledger.adapters.tables import MESSAGE_SEQUENCES, METADATA
from services.ledger.application.following import Follower
from services.ledger.application.inspecting import Written, inspect
from services.ledger.application.key_rotation import keys_of
from services.ledger.application.late_seals import explain_late
from services.ledger.application.projecting import Projection
from services.ledger.application.reconciling import CHECK, Statement, cash_moves, reconciled
from services.ledger.application.resealing import Resealing
from services.ledger.application.verifying import (
    Verdict,
    compare,
    expected_rows,
)
from services.ledger.config import LedgerSettings
from services.ledger.domain.book_events import LateSealExplained
from services.ledger.wire_events import outgoing_of
from shared.audit.checkpoints import load_signer
from shared.runtime.database import open_database
from shared.subscriber.chain import Place

WRITTEN = Written(decode, encode)


async def replay_book(
    settings: LedgerSettings,
    kept: Sequence[str] = (),
    statement: Statement | None = None,
    processes: int = 0,
    say: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> list[Verdict]:
    """
    Hold the whole book against its log, and the log against its seals.

    Args:
        settings: Where the log, the read models and the key are.
        kept: Signed checkpoints that were kept elsewhere.
        statement: What the bank says of the same account.
        processes: Among how many the loans are shared; 0 chooses by the length of the log.
        say: Hears what is being checked, how many events of it are done, of how many.
    Returns:
        One verdict per named check; a check that cannot be made says so as a difference.
    """
    store = open_event_store(settings.database_url)
    models = ReadModels(open_database(settings.read_url()))
    try:
        await models.create()
        last = store.last_position()
        replaying = partial(say, "replaying")
        verdicts = await _replayed(settings.database_url, store, models, processes, replaying)
        verdicts += inspect(store, WRITTEN, partial(say, "looking through the log", of=last))
        if statement is not None:
            done = partial(say, "comparing with the bank", of=last)
            verdicts.append(_banked(store, statement, done))
        say("sealing the log again", 0, last)
        signer = load_signer(settings.log_origin, settings.signing_key_path())
        keys = keys_of(store, signer.verifier)
        resealing = Resealing(Seals(models.engine), WRITTEN, keys)
        return verdicts + await resealing.run(store, kept)
    finally:
        store.close()
        await models.engine.dispose()


def explain_late_seal(
    settings: LedgerSettings, leaves: tuple[int, int], reason: str, *, by: str, approved_by: str
) -> None:
    """
    Write into the log why leaves, from one to before another, were sealed late.

    Raises:
        ExplanationInvalid: says what is missing.
    """
    store = open_event_store(settings.database_url)
    try:
        explain_late(
            store,
            LateSealExplained(
                recorded_at=datetime.now(UTC),
                first_leaf=leaves[0],
                end_leaf=leaves[1],
                reason=reason,
                explained_by=by,
                approved_by=approved_by,
            ),
        )
    finally:
        store.close()


async def _replayed(
    url: str,
    store: EventStore,
    models: ReadModels,
    processes: int,
    say: Callable[[int, int], None],
) -> list[Verdict]:
    """Replay the log, and compare what it says with the tables."""
    try:
        projection = Projection(store, Follower(store, decode), models)
        projection.position = await models.position("read-models")
        while await projection.step():
            pass
        length = store.last_position()
        count = processes or processes_for(length)
        replayed = await asyncio.to_thread(replay, url, count, lambda at: say(at, length))
    except Exception as failure:
        said = f"{type(failure).__name__}: {failure}"
        return [Verdict("the log can be replayed", 0, [said])]
    verdicts = [Verdict("the log can be replayed", replayed.events), *replayed.verdicts()]
    expected = expected_rows(replayed)
    for name, rows in expected.items():
        table = METADATA.tables[name]
        key = tuple(column.name for column in table.primary_key.columns)
        verdicts.append(compare(name, key, rows, await models.all_rows(table)))
    days = [str(day) for day in await models.unbalanced_days()]
    dates = len({row["effective_on"] for row in expected["journal_lines"]})
    verdicts.append(Verdict("trial balance is zero, by date", dates, days))
    return [*verdicts, await _messages(store, models)]


def _banked(store: EventStore, statement: Statement, done: Callable[[int], None]) -> Verdict:
    """Compare the log's cash with the bank's statement."""
    try:
        return reconciled(statement, list(cash_moves(store, WRITTEN, done)))
    except Exception as failure:
        return Verdict(CHECK, 0, [f"the log cannot be read: {type(failure).__name__}"])


async def _messages(store: EventStore, models: ReadModels) -> Verdict:
    """Compare the number and the hash of each loan's last message with what the log tells."""
    follower, reached = Follower(store, decode), await models.position("relay")
    places: dict[str, Place] = {}
    position = 0
    while position < reached:
        page = follower.page(position, min(1000, reached - position))
        if page.reached == position:
            break
        for row in page.followed:
            if row.logged.position <= reached:
                before = places.get(row.event.loan_id, Place())
                for message in outgoing_of(row, before):
                    places[row.event.loan_id] = message.place
        position = page.reached
    published = await models.all_rows(MESSAGE_SEQUENCES)
    return compare(
        "messages counted and chained as the log tells them",
        ("loan_id",),
        [{"loan_id": loan, "sequence": n, "hash": digest} for loan, (n, digest) in places.items()],
        [
            {name: row[name] for name in ("loan_id", "sequence", "hash")}
            for row in published
            if row["sequence"]
        ],
    )
