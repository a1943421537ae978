"""Two questions to the whole book: what if, and what changed between two looks, by cause."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from services.ledger.application.inspecting import pages
from services.ledger.application.ports import Log, Searched
from services.ledger.domain import counterfactual
from services.ledger.domain.counterfactual import Supposition, suppose
from services.ledger.domain.difference import Look, Step, difference, figures_at
from services.ledger.domain.events import Fact, LoanOpened
from services.ledger.domain.explain import figures
from services.ledger.domain.refusals import LoanNotActive, LoanNotFound, SchemeNotInPolicy

Told = Callable[[int, int], None]
"""Hears how many loans are done, of how many."""


LOANS, LOANS_AT_ONCE = "loan/", 25
"""How a loan's stream is called, and how many of them are in memory at a time."""


def no_one(done: int, of: int) -> None:
    """Hear nothing."""


def streams(log: Log, decode: Callable[[str, bytes], msgspec.Struct]) -> dict[str, list[Fact]]:
    """Return the facts of every loan, in recorded order, by loan id."""
    found: dict[str, list[Fact]] = {}
    for rows in pages(log):
        for row in rows:
            if row.originator_id.startswith("loan/"):
                event = decode(row.topic, row.state)
                assert isinstance(event, Fact)
                found.setdefault(event.loan_id, []).append(event)
    return found


class LoanSupposed(NamedTuple):
    """A loan that would differ: by how much, in which buckets, and what of it each thing does."""

    loan_id: str
    changes: dict[str, int]
    buckets: dict[str, tuple[str, str]]
    steps: list[counterfactual.Step]


@dataclass(slots=True)
class BookSupposed:
    """
    The book as it is and as it would be: sums of figures, who differs, and why.

    `buckets` counts loans by scheme, bucket and the bucket that would be. `untouched` of the
    loans have no scheme of a name whose edges are supposed: they are as they are.
    """

    loans: int = 0
    untouched: int = 0
    actual: Counter[str] = field(default_factory=Counter)
    supposed: Counter[str] = field(default_factory=Counter)
    buckets: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    changed: list[LoanSupposed] = field(default_factory=list)


def suppose_book(
    loans: dict[str, list[Fact]], look: Look, supposition: Supposition, told: Told = no_one
) -> BookSupposed:
    """
    Look at every loan that is paid out as it is and as it would be; nothing is stored.

    Amounts are summed over currencies as they stand: ask a book of one currency.

    Raises:
        TermsInvalid: a supposed term leaves its range.
        SuppositionInvalid: supposed edges are none.
    """
    found = BookSupposed()
    for done, (loan_id, events) in enumerate(loans.items(), start=1):
        told(done, len(loans))
        try:
            one = suppose(events, look, supposition)
        except (LoanNotActive, LoanNotFound):
            continue
        except SchemeNotInPolicy:
            one = suppose(events, look, Supposition())
            found.untouched += 1
        found.loans += 1
        found.actual.update(figures(one.actual))
        found.supposed.update(figures(one.supposed))
        found.buckets.update((scheme, *pair) for scheme, pair in one.buckets.items())
        if one.changes or one.bucket_changes:
            why = counterfactual.steps(events, look, supposition)
            found.changed.append(LoanSupposed(loan_id, one.changes, one.bucket_changes, why))
    return found


def drawn(loans: dict[str, list[Fact]], count: int, seed: str) -> dict[str, list[Fact]]:
    """Return loans drawn by a seed: those whose hash with it is least; anybody draws the same."""
    hashed = sorted(
        loans, key=lambda loan_id: hashlib.sha256(f"{seed}\n{loan_id}".encode()).digest()
    )
    return {loan_id: loans[loan_id] for loan_id in sorted(hashed[:count])}


def kept(found: BookSupposed, look: Look, supposition: Supposition) -> dict[str, Any]:
    """
    Return a counterfactual of the book as it is kept beside the record, never in it.

    It says what it is, what was supposed and the hash of that, the look, both sums, and loan by
    loan what differs and which supposed thing does it.
    """
    return {
        "label": supposition.label,
        "supposition": msgspec.to_builtins(supposition),
        "supposition_sha256": supposition.sha256,
        "effective_on": look.on.isoformat(),
        "known_at": look.known_at.isoformat(),
        "loans": found.loans,
        "untouched": found.untouched,
        "actual": dict(found.actual),
        "supposed": dict(found.supposed),
        "buckets": [[*names, count] for names, count in sorted(found.buckets.items())],
        "changed": [
            {**one._asdict(), "steps": [step._asdict() for step in one.steps]}
            for one in found.changed
        ],
    }


class LoanCompared(NamedTuple):
    """Two looks at one loan, and what made the difference; none of it before it was paid out."""

    loan_id: str
    currency: str
    before: dict[str, int]
    after: dict[str, int]
    steps: list[Step]

    @property
    def changes(self) -> dict[str, int]:
        """Return what the steps come to, by figure; those that stay are left out."""
        total: Counter[str] = Counter()
        for step in self.steps:
            total.update(step.changes)
        return {name: change for name, change in sorted(total.items()) if change}


@dataclass(slots=True)
class BookDifference:
    """Two looks at the loans of one currency, and what each cause did; it sums exactly."""

    compared: int = 0
    changed: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    causes: dict[str, Counter[str]] = field(default_factory=dict)
    loans: Counter[str] = field(default_factory=Counter)

    def add(self, one: LoanCompared) -> None:
        """Count a loan."""
        self.compared += 1
        self.changed += bool(one.steps)
        self.before.update(one.before)
        self.after.update(one.after)
        for step in one.steps:
            self.causes.setdefault(step.cause, Counter()).update(step.changes)
        self.loans.update({step.cause for step in one.steps})

    def unexplained(self) -> dict[str, int]:
        """Return what the causes do not come to, by figure; empty, or this code is wrong."""
        left = {name: self.after[name] - self.before[name] for name in {*self.before, *self.after}}
        for changes in self.causes.values():
            for name, change in changes.items():
                left[name] = left.get(name, 0) - change
        return {name: value for name, value in left.items() if value}


def compared(
    loans: Iterable[tuple[str, Sequence[Fact]]], before: Look, after: Look
) -> Iterator[LoanCompared | None]:
    """
    Attribute the difference between two looks, loan by loan, to kinds of events and to time.

    Args:
        loans: The facts of every loan.
        before: The first look; with the same date as the second, what was learned meanwhile.
        after: The second.
    Yields:
        One for each loan; None for one that neither look knows.
    """
    latest = max(before.known_at, after.known_at)
    for loan_id, events in loans:
        opened = events[0]
        assert isinstance(opened, LoanOpened)
        if opened.recorded_at > latest:
            yield None
            continue
        first, second = figures_at(events, before), figures_at(events, after)
        steps = difference(events, before, after)
        yield LoanCompared(loan_id, opened.terms.currency, first, second, steps)


def difference_of_book(
    loans: Iterable[tuple[str, Sequence[Fact]]],
    before: Look,
    after: Look,
    told: Callable[[int], None] = lambda done: None,
) -> dict[str, BookDifference]:
    """Return the difference between two looks at the book by currency; hear how many are done."""
    found: dict[str, BookDifference] = {}
    for done, one in enumerate(compared(loans, before, after), start=1):
        if one is not None:
            found.setdefault(one.currency, BookDifference()).add(one)
        told(done)
    return found


def loans_of(log: Searched) -> Iterator[tuple[str, list[Fact]]]:
    """Yield the facts of every loan in recorded order, a few loans in memory at a time."""
    after = ""
    while names := log.names(LOANS, after, LOANS_AT_ONCE):
        found = dict(log.streams(names))
        for name in names:
            # A stream that is too long for many at once is read alone.
            events = found.get(name) or log.stream(name)
            yield name.removeprefix(LOANS), [one for one in events if isinstance(one, Fact)]
        after = names[-1]


def worst(changed: Iterable[LoanSupposed], count: int) -> list[LoanSupposed]:
    """Return the loans that change most, by days past due and then by payoff."""

    def size(one: LoanSupposed) -> tuple[int, int]:
        return abs(one.changes.get("days_past_due", 0)), abs(one.changes.get("payoff", 0))

    return sorted(changed, key=size, reverse=True)[:count]
