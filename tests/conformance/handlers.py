"""Handlers that the kit itself is tried on: a careful one, and some that must fail by name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from shared.runtime.records import Records, Work
from shared.subscriber.event import Event
from shared.subscriber.lanes import Hear


class Late(msgspec.Struct):
    """How late a loan is, as a subscriber keeps it."""

    loan_id: str
    days_past_due: int
    events: int


async def _careful(event: Event, work: Work) -> None:
    before = await work.get(Late, event.loan_id)
    count = before.events + 1 if before else 1
    days = event.body.delinquency.days_past_due
    await work.put(Late(event.loan_id, days, count), event.loan_id)


def careful(_: Records) -> Hear[Work]:
    """Return a handler that writes into the transaction that it is given."""
    return _careful


KNOWN = ("GRACE_ENTERED", "GRACE_EXPIRED", "CURED", "BUCKET_CHANGED", "REPAYMENT_POSTED")


async def _naive(event: Event, _: Work) -> None:
    with Path("naive.txt").open("a") as file:
        file.write(f"{event.id}\n")


def naive(_: Records) -> Hear[Work]:
    """Return a handler that writes past its transaction: a crash makes it write twice."""
    return _naive


async def _choosy(event: Event, work: Work) -> None:
    if event.type not in KNOWN:
        raise ValueError(f"{event.type} is not known")
    await _careful(event, work)


def choosy(_: Records) -> Hear[Work]:
    """Return a handler that refuses what it does not know: a newer version stops its loans."""
    return _choosy


async def _total(_: Event, __: Work) -> None:
    with suppress(OSError), Path("total.txt").open("a") as file:
        file.write("one more\n")


def total(_: Records) -> Hear[Work]:
    """Return a handler that counts events past its transaction: a crash makes it count twice."""
    return _total
