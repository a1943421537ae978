"""From the log to a subscriber's book, over a real NATS: late joiners, restatements, crashes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lending.ledger.v1.events_pb2 import DelinquencyEvent, DelinquencyState

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.adapters.retelling import Retelling
from services.ledger.adapters.telling import ExperimentInvalid
from services.ledger.application.following import Follower as EventLog
from services.ledger.application.reading import facts_of
from services.ledger.domain.loan_account import fold
from services.ledger.wire_events import Outgoing
from shared.runtime.database import open_database
from shared.runtime.reading import Message
from shared.runtime.records import Records, Work
from shared.runtime.streams import PREVIEW_STREAM, STATE_STREAM, STREAM
from shared.subscriber.event import Event
from shared.subscriber.inbox import Inbox, Read, create_inbox
from shared.subscriber.lanes import Lanes
from shared.subscriber.snapshot import behind, states
from shared.subscriber.subscriber import Subscriber
from tests.conformance.books import make_book, more_loans, told_by_the_log
from tests.conformance.relay_kills import complete
from tests.conformance.test_relay import Post, post, stop
from tests.waiting import until

__all__ = ["post"]
JOINERS = 20
LateBook = dict[str, tuple[int, int, str]]


@dataclass
class Follower:
    """A subscriber that keeps, by loan, its last number, days past due and bucket."""

    records: Records
    book: LateBook = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    replays: int = 0

    async def hear(self, event: Event, _: Work) -> None:
        late = event.body.delinquency
        self.book[event.loan_id] = (event.sequence, late.days_past_due, late.buckets["m"])
        self.heard.append(event.id)
        self.replays += event.replay

    async def on_snapshot(self, found: Sequence[DelinquencyState], _: Work) -> None:
        self.book = {one.loan_id: row_of(one) for one in found}


def row_of(state: DelinquencyState) -> tuple[int, int, str]:
    return state.sequence, state.delinquency.days_past_due, state.delinquency.buckets["m"]


def replayed(database: Path) -> LateBook:
    """Return the book as a fresh replay of the log has it."""
    _, last = told_by_the_log(database)
    return {name: row_of(DelinquencyState.FromString(body)) for name, body in last.items()}


async def follower(folder: Path, name: str) -> Follower:
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/{name}.db"))
    await create_inbox(records.engine)
    return Follower(records)


async def until_equal(one: Follower, database: Path) -> None:
    wanted = replayed(database)

    async def is_equal() -> bool:
        return one.book == wanted

    assert await until(is_equal), (one.book, wanted)


async def test_a_late_joiner_takes_states_and_goes_on(post: Post) -> None:
    """It hears nothing of the past, has the whole book, and follows from there, also restarted."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    late = await follower(post.folder, "late")
    made = Subscriber(post.bus, "late", late.records.work, late.hear, on_snapshot=late.on_snapshot)
    following = asyncio.create_task(made.run(asyncio.Event()))
    await until_equal(late, post.database)
    past = list(late.heard)

    await more_loans(post.folder)
    await until_equal(late, post.database)
    await stop(following)
    again = Subscriber(post.bus, "late", late.records.work, late.hear, on_snapshot=late.on_snapshot)
    following = asyncio.create_task(again.run(asyncio.Event()))
    await more_loans(post.folder)
    await until_equal(late, post.database)

    assert past == []
    assert late.heard and len(late.heard) == len(set(late.heard))
    async with late.records.work() as unit:
        places = await Inbox("late").all_places(unit.connection)
    assert behind(places, await states(post.bus)) == []
    await stop(relaying, following)


async def test_states_that_somebody_purged_are_told_again(post: Post) -> None:
    """Who joins meanwhile takes neither none nor old ones for all, it waits; none is doubled."""
    _, relaying = await post.relay("one", look_seconds=0.5, page=1)
    await complete(post.bus, post.database)
    events = await post.bus.last_sequence(STREAM)
    await post.bus.client.jsm().purge_stream(STATE_STREAM)

    joined: list[Follower] = []
    tasks = [relaying]
    for number in range(JOINERS):
        one = await follower(post.folder, f"late-{number}")
        joined.append(one)
        made = Subscriber(
            post.bus, f"late-{number}", one.records.work, one.hear, on_snapshot=one.on_snapshot
        )
        tasks.append(asyncio.create_task(made.run(asyncio.Event())))
        await asyncio.sleep(0.05)

    for one in joined:
        await until_equal(one, post.database)
    assert [one.heard for one in joined] == [[]] * JOINERS
    assert await post.bus.last_sequence(STREAM) == events
    await stop(*tasks)


async def test_a_rebuilt_subscriber_is_told_that_it_is_history(post: Post) -> None:
    """What is older than a new subscriber is marked: it changes its state and tells nobody."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    rebuilt = await follower(post.folder, "rebuilt")
    made = Subscriber(post.bus, "rebuilt", rebuilt.records.work, rebuilt.hear, mute_history=True)
    following = asyncio.create_task(made.run(asyncio.Event()))
    await until_equal(rebuilt, post.database)
    history = len(rebuilt.heard)
    await more_loans(post.folder)
    await until_equal(rebuilt, post.database)

    assert rebuilt.replays == history > 0
    assert len(rebuilt.heard) > history
    await stop(relaying, following)


async def test_a_consumer_is_rebuilt_beside_the_live_one(post: Post) -> None:
    """The log is told again under a name of its own: once, as on the live stream."""
    store = open_event_store(f"sqlite+aiosqlite:///{post.database}")
    log = [one for lane in told_by_the_log(post.database)[0].values() for one in lane]

    told = [
        await Retelling(EventLog(store, decode), post.bus, "rebuild-1", loan).tell()
        for loan in ("L-1", "", "")
    ]
    rebuilt = await follower(post.folder, "beside")
    made = Subscriber(
        post.bus,
        "beside",
        rebuilt.records.work,
        rebuilt.hear,
        mute_history=True,
        stream=PREVIEW_STREAM,
        subject="lending.preview.rebuild-1",
    )
    following = asyncio.create_task(made.run(asyncio.Event()))
    await until_equal(rebuilt, post.database)
    store.close()

    assert (sum(told), told[2]) == (len(log), 0)
    assert 0 < told[0] < told[1]
    assert rebuilt.replays == len(log)
    assert await post.bus.last_sequence(STREAM) == 0
    with pytest.raises(ExperimentInvalid):
        await Retelling(EventLog(store, decode), post.bus, "a.b").tell()
    await stop(following)


class Crash(Exception):
    """The process dies before the commit."""


async def apply_or_crash(
    one: Follower, messages: list[Message], read: Read, chance: random.Random
) -> bool:
    """Apply some messages in a transaction that may die; return whether it was committed."""
    before = dict(one.book)
    try:
        async with one.records.work() as unit:
            await Lanes(Inbox("model"), one.hear).apply(unit, messages)
            await Inbox("model").set_read(unit.connection, read)
            if chance.random() < 0.3:
                raise Crash
    except Crash:
        # What the handler keeps in memory dies with the process.
        one.book = before
        return False
    return True


@pytest.mark.parametrize("seed", range(3))
async def test_at_every_prefix_a_subscriber_equals_a_replay(tmp_path: Path, seed: int) -> None:
    """Whatever dies when, after each commit the book is what a replay up to there gives."""
    chance = random.Random(seed)
    await make_book(tmp_path, 3 + seed)
    lanes = list(told_by_the_log(tmp_path / "ledger.db")[0].values())
    store = open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    one = await follower(tmp_path, "model")
    log: list[Outgoing] = []
    while lanes := [lane for lane in lanes if lane]:
        log.append(chance.choice(lanes).pop(0))
    messages = [
        Message(sent.subject, sent.body, sent.headers, number, datetime.now(UTC))
        for number, sent in enumerate(log, start=1)
    ]
    done, commits = 0, 0
    while done < len(messages):
        # After a crash some of what was committed is delivered again.
        start = max(0, done - chance.randint(0, 5))
        end = min(len(messages), done + chance.randint(1, 9))
        if await apply_or_crash(one, messages[start:end], Read(end), chance):
            done, commits = end, commits + 1
            assert one.book == fresh(store, messages[:done])
    await one.records.engine.dispose()
    store.close()

    assert commits > 10
    assert one.book == replayed(tmp_path / "ledger.db")


def fresh(log: EventStore, messages: list[Message]) -> LateBook:
    """Return the book as the ledger's facts give it, replayed up to the end of a prefix."""
    events = [DelinquencyEvent.FromString(message.body) for message in messages]
    book: LateBook = {}
    for loan_id, last in {one.loan_id: one for one in events}.items():
        account = fold(facts_of(log, loan_id, last.log_version))
        assert account is not None
        late = account.standing
        book[loan_id] = (last.sequence, late.days_past_due, late.buckets["m"])
    return book


async def test_what_the_end_lacks_is_found_by_the_states(post: Post) -> None:
    """A loan's last event never came, or came changed: no later one shows it, its state does."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    found = await states(post.bus)
    places = {name: lane[-1].place for name, lane in told_by_the_log(post.database)[0].items()}

    right = behind(places, found)
    lane = told_by_the_log(post.database)[0]["L-0"]
    lacking = behind({**places, "L-0": lane[-2].place}, found)
    other = behind({**places, "L-0": lane[-1].place._replace(hash="0" * 64)}, found)

    assert (right, len(found)) == ([], len(places))
    assert lacking == [f"L-0: knows {len(lane) - 1} of {len(lane)} events"]
    assert other == [f"L-0: event {len(lane)} is another one"]
    await stop(relaying)
