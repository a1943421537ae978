"""A man in the middle: what he drops, doubles, reorders, changes or slips in must be noticed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lending.ledger.v1.events_pb2 import DelinquencyState

from shared.runtime.database import open_database
from shared.runtime.reading import Message
from shared.runtime.records import Records, Work
from shared.subscriber.chain import Place, event_hash
from shared.subscriber.event import Event
from shared.subscriber.inbox import Inbox, create_inbox
from shared.subscriber.lanes import Lanes
from shared.subscriber.snapshot import behind
from tests.conformance.loans import life
from tests.conformance.messages import Sent, event, sent

BATCH = 500
LIFE_LEAST, LIFE_MOST = 3, 12
NOTICED, MENDED = ("dropped", "changed", "forged", "header changed"), ("doubled", "reordered")


@dataclass
class Watched:
    """What a subscriber said: faults by loan, events heard by loan."""

    faults: dict[str, set[str]] = field(default_factory=dict)
    heard: dict[str, list[int]] = field(default_factory=dict)
    told: int = 0

    async def hear(self, one: Event, _: Work) -> None:
        self.heard.setdefault(one.loan_id, []).append(one.sequence)


def meddled(lane: list[Sent], kind: str, chance: random.Random) -> list[Sent]:
    """Return a loan's messages after one meddling at a random place."""
    at = chance.randrange(len(lane))
    one = lane[at]
    if kind == "dropped":
        return lane[:at] + lane[at + 1 :]
    if kind == "changed":
        body = one.body.replace(b"T09:00", b"T08:00")
        return [*lane[:at], one._replace(body=body), *lane[at + 1 :]]
    if kind == "header changed":
        headers = {**one.headers, "ce-previoushash": event_hash("1" * 64, b"")}
        return [*lane[:at], one._replace(headers=headers), *lane[at + 1 :]]
    if kind == "forged":
        other = event(one.headers["ce-subject"], "PAUSED", sequence=at + 1)
        return [*lane[:at], sent(other, one.headers["ce-previoushash"]), *lane[at:]]
    if kind == "doubled":
        return [*lane[: at + 1], *lane[chance.randrange(at + 1) : at + 1], *lane[at + 1 :]]
    mixed = list(lane)
    other = chance.randrange(len(lane))
    mixed[at], mixed[other] = mixed[other], mixed[at]
    return mixed


async def deliver(folder: Path, lanes: list[list[Sent]], chance: random.Random) -> Watched:
    """Deliver loans in random disorder among each other to a subscriber on the SDK's lanes."""
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/middle.db"))
    await create_inbox(records.engine)
    watched, queues = Watched(), [queue for lane in lanes for queue in [iter(lane)] * len(lane)]
    chance.shuffle(queues)
    applying = Lanes(Inbox("middle"), watched.hear)
    now, batch = datetime.now(UTC), []
    for number, queue in enumerate(queues, start=1):
        one = next(queue)
        batch.append(Message(one.subject, one.body, one.headers, number, now))
        if len(batch) == BATCH or number == len(queues):
            async with records.work() as unit:
                applied = await applying.apply(unit, batch)
            watched.told += applied.outcomes["told"]
            for why, name in applied.faults:
                watched.faults.setdefault(name.partition("/")[0], set()).add(str(why))
            batch = []
    await records.engine.dispose()
    return watched


def unnoticed(watched: Watched, lanes: dict[str, list[Sent]], kinds: dict[str, str]) -> list[str]:
    """Name the loans whose meddling neither a fault nor the end of the loan shows."""
    found = []
    for loan_id, lane in lanes.items():
        heard = watched.heard.get(loan_id, [])
        whole = heard == list(range(1, len(lane) + 1))
        if kinds[loan_id] in MENDED and not whole:
            found.append(f"{loan_id} {kinds[loan_id]}: heard {heard}")
        if kinds[loan_id] in NOTICED and whole and not watched.faults.get(loan_id):
            found.append(f"{loan_id} {kinds[loan_id]}")
    return found


async def clean(folder: Path, events: int, seed: int) -> tuple[int, int]:
    """Return how many clean events were told, and how many false alarms there were."""
    chance, lanes, count = random.Random(seed), [], 0
    while count < events:
        lanes.append(life(f"C-{len(lanes)}", chance.randint(LIFE_LEAST, LIFE_MOST)))
        count += len(lanes[-1])
    watched = await deliver(folder, lanes, chance)
    return watched.told, sum(len(faults) for faults in watched.faults.values())


async def meddle(
    folder: Path, loans: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> tuple[Counter[str], list[str]]:
    """
    Meddle once with each of many loans.

    Returns:
        How many loans by kind of meddling, and those where nothing showed it: neither a fault nor
        the loan's last state.
    """
    chance = random.Random(seed)
    lanes = {f"M-{k}": life(f"M-{k}", chance.randint(LIFE_LEAST, LIFE_MOST)) for k in range(loans)}
    kinds = {name: chance.choice(NOTICED + MENDED) for name in lanes}
    bad = [meddled(lane, kinds[name], chance) for name, lane in lanes.items()]
    watched = await deliver(folder, bad, chance)
    await ends_compared(folder, watched, lanes)
    say(f"{loans} loans meddled with, faults in {len(watched.faults)}")
    return Counter(kinds.values()), unnoticed(watched, lanes, kinds)


async def ends_compared(folder: Path, watched: Watched, lanes: dict[str, list[Sent]]) -> None:
    """Hold what is known against the last states, which the man in the middle did not touch."""
    right: dict[str, Place] = {name: lane[-1].place for name, lane in lanes.items()}
    found = [
        DelinquencyState(loan_id=name, sequence=place.sequence, hash=place.hash)
        for name, place in right.items()
    ]
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/middle.db"))
    async with records.work() as unit:
        places = await Inbox("middle").all_places(unit.connection)
    await records.engine.dispose()
    for line in behind(places, found):
        watched.faults.setdefault(line.partition(":")[0], set()).add("BEHIND")
