"""A lane per loan: whatever arrives, the handler hears each event once, in order, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.runtime.database import open_database
from shared.runtime.reading import Message
from shared.runtime.records import Records, Work
from shared.subscriber.chain import GENESIS, Place, Verdict, event_hash, judge
from shared.subscriber.event import Event, Restatement
from shared.subscriber.inbox import Inbox, create_inbox
from shared.subscriber.lanes import History, Lanes
from shared.subscriber.parking import Applied
from tests.conformance.messages import Sent, chained, event, sent

LOAN = chained(event("L-1", "GRACE_ENTERED", f"2026-02-0{day}") for day in range(1, 6))
OTHER = chained(event("L-2", "CURED", f"2026-02-0{day}") for day in range(1, 4))


@dataclass
class Desk:
    """One subscriber on a SQLite file; it remembers what its handler heard."""

    records: Records
    heard: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    history: list[str] = field(default_factory=list)

    async def hear(self, one: Event, _: Work) -> None:
        if one.id in self.refuses:
            raise ValueError("cannot be")
        self.heard.append(one.id)
        if one.replay:
            self.history.append(one.id)

    @property
    def lanes(self) -> Lanes[Work]:
        return Lanes(Inbox("desk"), self.hear)

    async def take(self, *messages: Sent) -> Applied:
        """Apply messages in one transaction."""
        async with self.records.work() as unit:
            return await self.lanes.apply(unit, [received(one) for one in messages])

    async def waiting(self) -> list[tuple[str, str]]:
        async with self.records.work() as unit:
            rows = await Inbox("desk").parked(unit.connection)
        return [(f"{row.loan_id}/{row.sequence}", row.reason) for row in rows]


def received(one: Sent, number: int = 1) -> Message:
    return Message(one.subject, one.body, one.headers, number, datetime.now(UTC))


def tampered(one: Sent) -> Sent:
    """Return a message whose body says something else; its headers fit."""
    return one._replace(body=one.body.replace(b"09:00", b"08:00"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/desk.db"))
    await create_inbox(records.engine)
    yield Desk(records)
    await records.engine.dispose()


A, B, C, D, E = LOAN
STORIES = [
    # what arrives                 | what is heard            | what waits, and why
    ("in order", [A, B, C], ["1", "2", "3"], []),
    ("each twice", [A, A, B, B], ["1", "2"], []),
    ("all again", [A, B, A, B], ["1", "2"], []),
    ("one late", [A, C, B], ["1", "2", "3"], []),
    ("one late, more behind", [A, C, D, B, E], ["1", "2", "3", "4", "5"], []),
    ("backwards", [E, D, C, B, A], ["1", "2", "3", "4", "5"], []),
    ("one missing", [A, C, D], ["1"], [("3", "GAP"), ("4", "BEHIND")]),
    ("the first missing", [B], [], [("2", "GAP")]),
    ("rewritten, then the next", [A, tampered(B), C], ["1", "2"], [("3", "FORKED")]),
    ("rewritten afterwards", [A, B, tampered(B), C], ["1", "2", "3"], [("2", "REWRITTEN")]),
    (
        "slipped in",
        [A, sent(event("L-1", "CURED", sequence=2), GENESIS), B],
        ["1", "2"],
        [("2", "FORKED")],
    ),
]
FORGED_C = sent(event("L-1", "CURED", sequence=3), "f" * 64)
CHANGED_C = C._replace(headers={**C.headers, "ce-previoushash": "f" * 64})
UNREADABLE_C = C._replace(headers={**C.headers, "ce-type": "lending.ledger.v1.CURED"})
STORIES += [
    # what waited turns out to be of another history
    ("forged, and early", [A, FORGED_C, B], ["1", "2"], [("3", "FORKED")]),
    (
        "forged, early, then the real",
        [A, FORGED_C, B, C, D],
        ["1", "2", "3", "4"],
        [("3", "FORKED")],
    ),
    # the body is right, and what it is said to follow is not
    ("other headers, early", [A, CHANGED_C, C, B], ["1", "2", "3"], [("3", "FORKED")]),
    ("unreadable, then readable", [A, UNREADABLE_C, C, B], ["1", "2", "3"], [("3", "UNREADABLE")]),
    # a hole behind a hole is looked for when the first is filled
    ("two holes", [A, C, E, B], ["1", "2", "3"], [("5", "GAP")]),
    ("two holes, filled", [A, C, E, B, D], ["1", "2", "3", "4", "5"], []),
    # evidence of an old fault is no reason to wait quietly
    (
        "a gap behind evidence",
        [A, B, tampered(B), D],
        ["1", "2"],
        [("2", "REWRITTEN"), ("4", "GAP")],
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=[name for name, *_ in STORIES])
async def test_what_arrives_is_heard_in_order_or_waits(desk: Desk, story: tuple) -> None:
    """In one transaction or in one each, the same is heard and the same waits."""
    _, arriving, heard, waiting = story

    await desk.take(*arriving)

    assert desk.heard == [f"L-1/{number}" for number in heard]
    assert await desk.waiting() == [(f"L-1/{number}", reason) for number, reason in waiting]


@pytest.mark.parametrize("story", STORIES, ids=[name for name, *_ in STORIES])
async def test_one_by_one_is_the_same(desk: Desk, story: tuple) -> None:
    """A transaction per message ends as one for all."""
    _, arriving, heard, waiting = story

    for one in arriving:
        await desk.take(one)

    assert desk.heard == [f"L-1/{number}" for number in heard]
    assert await desk.waiting() == [(f"L-1/{number}", reason) for number, reason in waiting]


async def test_loans_do_not_wait_for_each_other(desk: Desk) -> None:
    """A gap holds its own loan only."""
    await desk.take(A, C, OTHER[0], D, OTHER[1])

    assert desk.heard == ["L-1/1", "L-2/1", "L-2/2"]


async def test_history_that_waited_is_still_history(desk: Desk) -> None:
    """What comes out of waiting says whether it is older than the subscriber."""
    old, late, new = received(A, 1), received(B, 2), received(C, 3)
    async with desk.records.work() as unit:
        await desk.lanes.apply(unit, [old, new], History(2))
    async with desk.records.work() as unit:
        await desk.lanes.apply(unit, [late], History(2))

    assert desk.heard == ["L-1/1", "L-1/2", "L-1/3"]
    assert desk.history == ["L-1/1", "L-1/2"]

    await desk.take(E)
    async with desk.records.work() as unit:
        await desk.lanes.apply(unit, [received(D, 4)], History(4))
    assert desk.history == ["L-1/1", "L-1/2", "L-1/4", "L-1/5"]


UNREADABLE = [
    # what is wrong                       | header           | value | why the next one waits
    ("no hash", "ce-previoushash", "", "BEHIND"),
    ("a number that is none", "ce-sequence", "two", "GAP"),
    ("a number that the body does not give", "ce-sequence", "2", "GAP"),
    ("another loan", "ce-subject", "L-2", "BEHIND"),
    ("another type", "ce-type", "lending.ledger.v1.CURED", "BEHIND"),
]
INSTANTS = ["", "yesterday", "2026-02-01T09:00:00"]


@pytest.mark.parametrize("instant", INSTANTS)
async def test_an_event_recorded_at_no_instant_waits(desk: Desk, instant: str) -> None:
    """Nobody can say whether it is history; the other loans go on."""
    one = event("L-1", "CURED", sequence=1)
    one.recorded_at = instant
    async with desk.records.work() as unit:
        messages = [received(sent(one, GENESIS)), received(OTHER[0])]
        await desk.lanes.apply(unit, messages, History(0, datetime.now(UTC)))

    assert desk.heard == ["L-2/1"]
    assert await desk.waiting() == [("L-1/1", "UNREADABLE")]


async def test_a_loan_whose_name_is_too_long_waits(desk: Desk) -> None:
    """No table has room for it; it ends neither the subscriber nor another loan."""
    long = chained([event("L" * 41, "CURED")])[0]
    await desk.take(long, OTHER[0])

    assert desk.heard == ["L-2/1"]
    assert await desk.waiting() == [("L" * 40 + "/1", "UNREADABLE")]


@pytest.mark.parametrize(("what", "header", "value", "behind"), UNREADABLE)
async def test_what_contradicts_itself_waits(
    desk: Desk, what: str, header: str, value: str, behind: str
) -> None:
    """A message that cannot be read is put aside with the reason; nothing behind it is heard."""
    await desk.take(A._replace(headers={**A.headers, header: value}), B)

    assert desk.heard == []
    assert [reason for _, reason in await desk.waiting()] == ["UNREADABLE", behind], what


async def test_a_type_and_a_field_of_a_newer_version_are_heard(desk: Desk) -> None:
    """An old subscriber hears new events by name, and keeps fields that it does not know."""
    newer = event("L-1", "CURED", sequence=1)
    newer.type = 4711
    body = newer.SerializeToString() + b"\xfa\x3f\x03new"
    headers = {**A.headers, "ce-type": "lending.ledger.v1.LOAN_FORGIVEN"}
    found: list[Event] = []

    async def hear(one: Event, _: Work) -> None:
        found.append(one)

    async with desk.records.work() as unit:
        message = received(A._replace(body=body, headers=headers))
        await Lanes(Inbox("desk"), hear).apply(unit, [message])

    assert [one.type for one in found] == ["LOAN_FORGIVEN"]
    assert found[0].body.SerializeToString().endswith(b"\xfa\x3f\x03new")


async def test_a_restatement_says_what_no_longer_holds(desk: Desk) -> None:
    """It goes to `on_restated`, with the log versions of the superseded facts."""
    one = event("L-1", "TIMELINE_RESTATED", "2026-03-05")
    one.restated.superseded_log_versions.extend([4, 6])
    one.restated.to_on = "2026-04-20"
    told: list[Restatement] = []

    async def on_restated(_: Event, restated: Restatement, __: Work) -> None:
        told.append(restated)

    async with desk.records.work() as unit:
        lanes = replace(desk.lanes, on_restated=on_restated)
        await lanes.apply(unit, [received(chained([one])[0])])

    assert told == [Restatement((4, 6), "2026-03-05", "2026-04-20", 0, 0)]
    assert desk.heard == []


def test_the_hash_is_what_the_contract_says() -> None:
    """SHA-256 over 32 bytes of the previous hash and the body, recomputed by hand."""
    assert (
        event_hash(GENESIS, b"body")
        == "818aaa5975b4a596522fed86d4fdf5da2edcb24507f3c07bee5849765a8a21d7"
    )
    assert judge(Place(), 1, GENESIS, b"") is Verdict.NEXT
