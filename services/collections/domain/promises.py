"""Promises to pay: kept, partly kept or broken by the ledger's money alone, in any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from shared.kernel.errors import InvalidArgument


class PromisePartsInvalid(InvalidArgument):
    """The parts of a promise are not in order of their dates."""


class PromiseTooFar(InvalidArgument):
    """A part of a promise is due too long after the one before: till then nobody would remind."""


class PromiseStatus(StrEnum):
    """Whether a promise was kept; VOID when nothing was owed any more before it was missed."""

    OPEN = "OPEN"
    KEPT = "KEPT"
    BROKEN = "BROKEN"
    PART_KEPT = "PART_KEPT"
    VOID = "VOID"


class Part(msgspec.Struct, frozen=True):
    """One date and amount of a promise; minor units, above zero."""

    due_on: date
    amount_minor: int


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """
    A promise to pay in one part or several, oldest first.

    `tolerance_minor` may be missing at each date without harm, and money counts until
    `tolerance_days` after it.
    """

    promise_id: str
    made_on: date
    parts: tuple[Part, ...]
    tolerance_minor: int = 0
    tolerance_days: int = 0
    taken_by: str = ""

    @property
    def amount_minor(self) -> int:
        """What is promised in all."""
        return sum(part.amount_minor for part in self.parts)

    @property
    def due_on(self) -> date:
        """The last day for it."""
        return self.parts[-1].due_on

    @property
    def last_on(self) -> date:
        """The last day on which money counts."""
        return self.due_on + timedelta(days=self.tolerance_days)


class Money(NamedTuple):
    """Money by its value date; below zero when it was taken back."""

    value_on: date
    amount_minor: int


class Standing(NamedTuple):
    """How one promise stands; `paid_minor` is what counts towards it."""

    promise_id: str
    status: PromiseStatus
    paid_minor: int


def standings(
    promises: Sequence[Promise],
    money: Sequence[Money],
    seen_on: date | None,
    free_on: Sequence[date] = (),
) -> tuple[Standing, ...]:
    """
    Judge promises by money; a function of sets, so order and repetition of news do not matter.

    Args:
        promises: In the order in which they were made.
        money: All that came and was taken back, by value date.
        seen_on: How far the book has come; None before anything was seen.
        free_on: Days on which nothing was owed any more, oldest first.
    Returns:
        One per promise, in the same order. Money counts once: for the part that is due first.
    """
    left: dict[date, int] = defaultdict(int)
    for one in money:
        left[one.value_on] += one.amount_minor
    judged: dict[str, Standing] = {}
    wanted = [
        (part.due_on, promise.made_on, promise.promise_id, part.amount_minor, promise)
        for promise in promises
        for part in promise.parts
    ]
    counted: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    late = []
    for due_on, made_on, name, amount, promise in sorted(wanted, key=lambda row: row[:3]):
        last = due_on + timedelta(days=promise.tolerance_days)
        missing = amount - _take(left, made_on, last, amount, counted[name])
        late.append((promise, missing))
    for promise, missing in late:
        # Too late for its part, but paid before the promise ends: it counts as paid.
        _take(left, promise.made_on, promise.last_on, missing, counted[promise.promise_id])
    for promise in promises:
        taken = counted[promise.promise_id]
        free = next((day for day in free_on if day >= promise.made_on), None)
        status = _status(promise, taken, seen_on, free)
        judged[promise.promise_id] = Standing(promise.promise_id, status, sum(taken.values()))
    return tuple(judged[promise.promise_id] for promise in promises)


def _take(
    left: dict[date, int], from_on: date, last_on: date, missing: int, counted: dict[date, int]
) -> int:
    """Take what is missing from the money between two days; return how much there was."""
    found = 0
    for day in sorted(left):
        if from_on <= day <= last_on and left[day] > 0 and found < missing:
            part = min(left[day], missing - found)
            counted[day] += part
            left[day] -= part
            found += part
    return found


def _status(
    promise: Promise, counted: dict[date, int], seen_on: date | None, free_on: date | None
) -> PromiseStatus:
    paid, wanted, short = sum(counted.values()), 0, False
    for part in promise.parts:
        wanted += part.amount_minor
        last = part.due_on + timedelta(days=promise.tolerance_days)
        by_then = sum(amount for day, amount in counted.items() if day <= last)
        met = by_then >= wanted - promise.tolerance_minor
        owed = free_on is None or last < free_on
        short = short or (owed and not met and seen_on is not None and seen_on > last)
    if not short:
        if paid >= promise.amount_minor - promise.tolerance_minor:
            return PromiseStatus.KEPT
        return PromiseStatus.OPEN if free_on is None else PromiseStatus.VOID
    return PromiseStatus.PART_KEPT if paid > 0 else PromiseStatus.BROKEN


def a_promise(promise: Promise, days_most: int) -> Promise:
    """
    Return a promise whose parts follow one another, none too long after the one before.

    Raises:
        PromisePartsInvalid, PromiseTooFar
    """
    days = [part.due_on for part in promise.parts]
    if days != sorted(set(days)) or days[0] < promise.made_on:
        raise PromisePartsInvalid(
            "parts out of order", field="parts", expected=f"dates that rise, from {promise.made_on}"
        )
    for before, day in zip([promise.made_on, *days], days, strict=False):
        if (day - before).days > days_most:
            last = before + timedelta(days=days_most)
            raise PromiseTooFar(f"{day}", field="due_on", expected=f"until {last}")
    return promise
