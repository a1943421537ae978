"""The whole book in a period: every sealed event of its business days, and what they moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from services.ledger.application import entry_tests
from services.ledger.application.exporting import Entry
from services.ledger.application.inspecting import pages
from services.ledger.application.ports import Log, Logged
from services.ledger.application.proving import Sealed
from services.ledger.application.sealing import edge, leaf_of
from services.ledger.application.tables_text import jsonl_text
from services.ledger.domain.book_events import AccrualPosted, BusinessDateAdvanced
from services.ledger.domain.events import Fact, Financial
from services.ledger.domain.loan_account import LoanAccount
from shared.audit.approvals import METHODS
from shared.audit.merkle import Node, grown, leaf_hash, root
from shared.audit.notes import checkpoint_of, signatures
from shared.kernel.errors import InvalidArgument, Refused


class PeriodNotClosed(InvalidArgument):
    """The ledger's business date has not passed the period's last day, or never saw the period."""


class PeriodNotSealed(Refused):
    """The period's events are not all under a checkpoint yet, or are not as they were sealed."""


class Tree(Protocol):
    """The sealed log's tree, as it is kept."""

    async def all_checkpoints(self) -> Sequence[Sealed]:
        """Return every checkpoint, the smallest first."""

    async def nodes(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        """Return the hashes of subtrees."""


class Bounds(NamedTuple):
    """
    Where a period lies in the log, by the numbers of leaves.

    `first` is the leaf that begins its first business day; `end` is that which begins the day
    after its last. `start` is the last checkpoint before the business day before it, so that the
    pack shows that day too (None: it begins with the log); `upto` is the first that covers `end`.
    """

    since: date
    until: date
    first: int
    end: int
    start: Sealed | None
    upto: Sealed

    @property
    def start_size(self) -> int:
        """The size of the checkpoint before."""
        return self.start.size if self.start else 0


@dataclass(slots=True)
class Period:
    """
    What a pass over the log finds of a period; amounts in minor units.

    Its events themselves are written to `events` as they are read, a line of JSON each: `hashes`
    are those of their leaves, `changes` the requests of those that can need a second person.
    """

    bounds: Bounds
    edge: dict[Node, bytes]
    events: BinaryIO
    hashes: list[bytes] = field(default_factory=list)
    changes: set[str] = field(default_factory=set)
    beginning: Counter[tuple[str, str]] = field(default_factory=Counter)
    debits: Counter[tuple[str, str]] = field(default_factory=Counter)
    credits: Counter[tuple[str, str]] = field(default_factory=Counter)
    entries: list[Entry] = field(default_factory=list)
    facts: list[tuple[Entry, Fact | AccrualPosted]] = field(default_factory=list)
    lives: dict[str, list[entry_tests.Entry]] = field(default_factory=dict)
    before: dict[str, LoanAccount] = field(default_factory=dict)
    days: Counter[date] = field(default_factory=Counter)

    @property
    def since_versions(self) -> dict[str, int]:
        """The version of each loan at the beginning."""
        return {loan_id: account.version for loan_id, account in self.before.items()}

    @property
    def after(self) -> dict[str, LoanAccount]:
        """Each loan at the end."""
        return {loan_id: life[-1].account for loan_id, life in self.lives.items()}

    @property
    def ending(self) -> Counter[tuple[str, str]]:
        """The balances at the end, by currency and account."""
        total = Counter(self.beginning)
        total.update(self.debits)
        total.subtract(self.credits)
        return total

    def moved(self, entry: Entry) -> None:
        """Count an entry of the period."""
        self.entries.append(entry)
        for posting in entry.postings:
            side = self.debits if posting.amount_minor > 0 else self.credits
            side[entry.currency, posting.account] += abs(posting.amount_minor)


Decode = Callable[[str, bytes], msgspec.Struct]


async def bounds_of(log: Log, decode: Decode, tree: Tree, since: date, until: date) -> Bounds:
    """
    Find a period in the log.

    Raises:
        PeriodNotClosed: the business date has not passed `until`, or `since` is after it.
        PeriodNotSealed: no checkpoint covers it yet.
    """
    first = end = None
    number = day_before = 0
    for rows in pages(log):
        for row in rows:
            if row.topic.endswith(f".{BusinessDateAdvanced.__name__}"):
                event = decode(row.topic, row.state)
                assert isinstance(event, BusinessDateAdvanced)
                if first is None and event.on >= since:
                    first = number
                if end is None and event.on > until:
                    end = number
                if first is None:
                    day_before = number
            number += 1
    if since > until or first is None or end is None or first == end:
        raise PeriodNotClosed(
            f"{since} to {until} is no closed period of this ledger",
            field="until",
            expected="business dates that are closed",
        )
    checkpoints = await tree.all_checkpoints()
    start = max((c for c in checkpoints if c.size <= day_before), key=_size, default=None)
    upto = min((c for c in checkpoints if c.size > end), key=_size, default=None)
    if upto is None:
        raise PeriodNotSealed(f"event {end} is not under a checkpoint yet")
    return Bounds(since, until, first, end, start, upto)


def _size(sealed: Sealed) -> int:
    return sealed.size


async def period_of(
    log: Log, decode: Decode, tree: Tree, bounds: Bounds, events: BinaryIO
) -> Period:
    """
    Go through the log up to a period's end, and hold what is read against its seals.

    Args:
        log: The log.
        decode: Reads a stored event.
        tree: The log's seals.
        bounds: Where the period lies.
        events: Takes its events, a line each, as files of packs have them.
    Raises:
        PeriodNotSealed: the events are not those that were sealed.
    """
    found = Period(bounds, await tree.nodes(edge(bounds.start_size)), events)
    reading = _Reading(found, decode)
    for rows in pages(log):
        for row in rows:
            if reading.number < bounds.upto.size:
                reading.take(row)
        if reading.number == bounds.upto.size:
            break
    _hold(found)
    return found


@dataclass(slots=True)
class _Reading:
    """Takes the log event by event."""

    found: Period
    decode: Decode
    number: int = 0
    on: date = date.min

    def take(self, row: Logged) -> None:
        """Count one event, by where it stands."""
        bounds, number = self.found.bounds, self.number
        self.number += 1
        if number >= bounds.start_size:
            self._keep(row, number)
        if number == bounds.first:
            self.found.before = self.found.after
        if number >= bounds.end:
            return
        event = self.decode(row.topic, row.state)
        if isinstance(event, BusinessDateAdvanced):
            self.on = event.on
        if isinstance(event, Fact):
            entry_tests.add(self.found.lives.setdefault(event.loan_id, []), event, self.on)
        if number >= bounds.first:
            self.found.days[self.on] += 1
        self._post(row, event, inside=number >= bounds.first)

    def _keep(self, row: Logged, number: int) -> None:
        """Write an event where the pack takes it from, and keep its hash."""
        leaf = leaf_of(row)
        self.found.hashes.append(leaf_hash(leaf))
        self.found.events.write(jsonl_text([{"number": number, "leaf": leaf.decode()}]))
        if row.topic.rpartition(".")[2] in METHODS:
            self.found.changes.add(msgspec.json.decode(row.state)["request_id"])

    def _post(self, row: Logged, event: msgspec.Struct, *, inside: bool) -> None:
        entry = _entry(row, event, self.found.lives)
        if entry is None:
            return
        if inside:
            assert isinstance(event, Fact | AccrualPosted)
            self.found.facts.append((entry, event))
            self.found.moved(entry)
        else:
            for posting in entry.postings:
                self.found.beginning[entry.currency, posting.account] += posting.amount_minor


def _entry(
    row: Logged, event: msgspec.Struct, lives: Mapping[str, Sequence[entry_tests.Entry]]
) -> Entry | None:
    name = type(event).__name__
    if isinstance(event, AccrualPosted):
        return Entry(row.position, event.on, name, "", event.currency, event.postings)
    if isinstance(event, Financial) and event.postings:
        currency = lives[event.loan_id][-1].account.terms.currency
        head = (row.position, event.effective_on, name, event.loan_id)
        return Entry(*head, currency, event.postings)
    return None


def _hold(found: Period) -> None:
    """Grow the tree of the first checkpoint by what was read: it must be that of the second."""
    size, upto = found.bounds.start_size, found.bounds.upto
    hashes = found.hashes
    known = {**found.edge, **dict(grown(size, hashes, found.edge.__getitem__))}
    said = checkpoint_of(signatures(upto.note)[0])
    if size + len(hashes) != said.size or root(said.size, known.__getitem__) != said.root:
        raise PeriodNotSealed("the events are not as they were sealed: run replay")
