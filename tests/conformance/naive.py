"""Subscribers as they are often written, each with a mistake: `-m tests.conformance.naive NAME`.

They keep what the kit reads (NATS_URL, FOLDER and KILL_AFTER are as for any program);
tests/conformance/README.md says which case names which mistake.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError
from lending.ledger.v1.events_pb2 import DelinquencyEvent, DelinquencyEventType

from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader
from shared.runtime.streams import DELINQUENCY, STREAM
from shared.subscriber.tail import PASSING

KNOWN = ("GRACE_ENTERED", "GRACE_EXPIRED", "CURED", "BUCKET_CHANGED", "REPAYMENT_POSTED")
HEADERS = ("ce-id", "ce-type", "ce-source", "ce-specversion")
BATCH, WAIT_SECONDS = 50, 0.2


@dataclass
class Believing:
    """Takes in everything that comes, and goes on behind the last batch."""

    folder: Path
    left: int

    async def first(self, _: Bus) -> int:
        """Return the stream sequence to begin with."""
        file = self.folder / "position"
        return int(file.read_text()) + 1 if file.exists() else 1

    def take(self, messages: Sequence[Message]) -> None:
        """Take in a batch."""
        for one in messages:
            with suppress(OSError):
                self.keep(one)
        if messages:
            with suppress(OSError):
                (self.folder / "position").write_text(str(messages[-1].sequence))

    def keep(self, message: Message) -> None:
        """Write an effect; die where the kit wants it."""
        loan_id, number = id_of(message)
        days = 0
        with suppress(DecodeError):
            days = DelinquencyEvent.FromString(message.body).delinquency.days_past_due
        self.write("effects", {"loan": loan_id, "sequence": number, "daysPastDue": days})
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, name: str, row: dict[str, object]) -> None:
        """Append a line to what the kit reads."""
        with (self.folder / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def read(self, name: str) -> list[dict]:
        """Return the lines of a file that the kit reads too."""
        file = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@dataclass
class OneLoan(Believing):
    """Thinks that a loan is told from its beginning to its end before the next one."""

    last: tuple[str, int] = ("", 0)

    def take(self, messages: Sequence[Message]) -> None:
        for one in messages:
            loan_id, number = id_of(one)
            if number == 1 or (loan_id, number - 1) == self.last:
                self.last = (loan_id, number)
                self.keep(one)
        if messages:
            (self.folder / "position").write_text(str(messages[-1].sequence))


@dataclass
class Counting(Believing):
    """Keeps the order by the numbers, names gaps, reads all again at each start; no hash."""

    heard: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, dict[int, Message]] = field(default_factory=lambda: defaultdict(dict))
    gaps: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.heard = {row["loan"]: row["sequence"] for row in self.read("effects")}
        for row in self.read("faults"):
            (self.gaps.discard if row["fault"] == "HEALED" else self.gaps.add)(row["id"])

    async def first(self, _: Bus) -> int:
        return 1

    def take(self, messages: Sequence[Message]) -> None:
        for one in messages:
            loan_id, number = id_of(one)
            behind = self.waiting[loan_id]
            if number > self.heard.get(loan_id, 0) + 1:
                self.name_gap(f"{loan_id}/{number}", first=not behind)
            behind.setdefault(number, one)
            while (following := self.heard.get(loan_id, 0) + 1) in behind:
                self.keep(behind.pop(following))
                self.heard[loan_id] = following
                self.heal(f"{loan_id}/{following}")

    def name_gap(self, event_id: str, *, first: bool) -> None:
        """Name the first event behind a hole."""
        if first and event_id not in self.gaps:
            self.write("faults", {"fault": "GAP", "id": event_id})
            self.gaps.add(event_id)

    def heal(self, event_id: str) -> None:
        """Take it back."""
        if event_id in self.gaps:
            self.write("faults", {"fault": "HEALED", "id": event_id})
            self.gaps.discard(event_id)


@dataclass
class Todays(Counting):
    """Knows the types and headers that its author saw on one day, and drops all others."""

    def take(self, messages: Sequence[Message]) -> None:
        super().take([one for one in messages if self.knows(one)])

    def knows(self, message: Message) -> bool:
        """Say whether a message is as those that the author saw."""
        try:
            event = DelinquencyEvent.FromString(message.body)
        except DecodeError:
            return False
        named = event.type in DelinquencyEventType.values()
        name = DelinquencyEventType.Name(event.type) if named else ""
        known = name.removeprefix("DELINQUENCY_EVENT_TYPE_") in KNOWN
        return known and all(header in message.headers for header in HEADERS)


@dataclass
class AtTheEnd(Counting):
    """Begins with what comes after it has started."""

    async def first(self, bus: Bus) -> int:
        return await bus.last_sequence() + 1


MISTAKES: dict[str, type[Believing]] = {
    "believes-everything": Believing,
    "thinks-loan-by-loan": OneLoan,
    "ignores-hashes": Counting,
    "knows-todays-events": Todays,
    "starts-at-the-end": AtTheEnd,
    "dies-on-disconnect": Counting,
}


def id_of(message: Message) -> tuple[str, int]:
    """Return loan and number, as the headers say."""
    return message.headers["ce-subject"], int(message.headers["ce-sequence"])


async def main(mistake: str) -> None:
    """Follow the stream until killed, or until the mistake ends it."""
    bus = await Bus.connect(os.environ["NATS_URL"], "naive")
    made = MISTAKES[mistake](Path(os.environ["FOLDER"]), int(os.environ.get("KILL_AFTER", "0")))
    reader = Reader(bus.client, STREAM, [f"{DELINQUENCY}.>"], next=await made.first(bus))
    while mistake != "dies-on-disconnect" or (bus.client.is_connected and not bus.reconnects):
        messages: list[Message] = []
        with suppress(*PASSING):
            messages = await reader.batch(BATCH, WAIT_SECONDS)
            if await bus.last_sequence() < reader.next - 1:
                reader = Reader(bus.client, STREAM, [f"{DELINQUENCY}.>"])
        made.take(messages)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
