"""The trail: every attempt, refusal and decision about a borrower, kept and never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from services.collections.application.clock import Stamp
from services.collections.application.paging import Asked
from services.collections.domain.contact_rules import Outcome
from services.collections.domain.debtor import Attempt, AttemptHasEnded
from shared.kernel.errors import NotFound
from shared.runtime.records import Work

LOOK_BACK = timedelta(days=40)
"""No rule of contact looks further back."""


class AttemptNotFound(NotFound):
    """There is no such attempt."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """
    One line of the trail; `policy` is the version of the rules by which it was decided.

    `at` is when it took place; `on` is the date for which something was decided.
    """

    at: datetime
    borrower_ref: str
    loan_id: str
    what: str
    by: str = ""
    policy: str = ""
    said: str = ""
    name: str = ""
    on: date | None = None


def key_of(text: str, at: datetime | None = None, name: str = "") -> str:
    """Return an id that sorts by whose it is, then by time; 16 hex digits, time, 16 hex digits."""
    whose = hashlib.sha256(text.encode()).hexdigest()[:16]
    if at is None:
        return whose
    tail = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{whose}.{at.astimezone(UTC):%Y%m%dT%H%M%S%f}.{tail}"


async def write(work: Work, entry: Entry) -> None:
    """Add a line; the same line again is the same line."""
    await work.put(entry, _key(entry), "")


def _key(entry: Entry) -> str:
    name = f"{entry.loan_id}/{entry.what}/{entry.name}/{entry.said}"
    return key_of(entry.borrower_ref, entry.at, name)


async def read(work: Work, borrower_ref: str, loan_id: str = "") -> list[Entry]:
    """Return the trail of a borrower, or of one loan, oldest first."""
    key = key_of(borrower_ref)
    found = work.every(Entry, after=f"{key}.", before=f"{key}/")
    return [entry async for entry in found if not loan_id or entry.loan_id == loan_id]


async def read_page(
    work: Work, borrower_ref: str, loan_id: str, wanted: Asked
) -> tuple[list[Entry], str]:
    """Return one page of the trail of a borrower, or of one loan, and the token of the next."""
    key = key_of(borrower_ref)
    after, found, more = (wanted.place or ("", f"{key}."))[1], list[tuple[str, Entry]](), True
    while more and len(found) <= wanted.size:
        rows = await work.page(Entry, "", (after, f"{key}/"), wanted.size + 1)
        found += [row for row in rows if not loan_id or row[1].loan_id == loan_id]
        after, more = (rows[-1][0], True) if len(rows) > wanted.size else (after, False)
    shown = found[: wanted.size]
    token = wanted.token(("", shown[-1][0])) if len(found) > len(shown) else ""
    return [entry for _, entry in shown], token


async def add_attempt(work: Work, made: Attempt) -> None:
    """Remember an attempt, or how it ended."""
    key = key_of(made.borrower_ref, made.at, made.attempt_id)
    await work.put(made, key, made.outcome)
    await work.put(Where(key=key), made.attempt_id, "")


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where an attempt is kept."""

    key: str


async def finish_attempt(work: Work, attempt_id: str, outcome: Outcome) -> Attempt:
    """
    Say how an attempt ended.

    Raises:
        AttemptNotFound: nothing was begun under this id.
        AttemptHasEnded: it is not in progress.
    """
    begun = await attempt(work, attempt_id)
    if begun.outcome is not Outcome.IN_PROGRESS:
        said = f"it ended: {begun.outcome.lower().replace('_', ' ')}"
        raise AttemptHasEnded(said, field="attempt_id")
    ended = msgspec.structs.replace(begun, outcome=outcome)
    await add_attempt(work, ended)
    return ended


async def attempt(work: Work, attempt_id: str) -> Attempt:
    """Return an attempt; raise AttemptNotFound."""
    where = await work.get(Where, attempt_id)
    found = await work.get(Attempt, where.key) if where else None
    if found is None:
        raise AttemptNotFound(f"no attempt {attempt_id[:64]!r}", field="attempt_id")
    return found


async def attempts(work: Work, borrower_ref: str, around: datetime | None = None) -> list[Attempt]:
    """Return attempts with a borrower by time: all, or those that may count at an instant."""
    key = key_of(borrower_ref)
    after, before = f"{key}.", f"{key}/"
    if around is not None:
        after = f"{key}.{around.astimezone(UTC) - LOOK_BACK:%Y%m%dT%H%M%S%f}"
        before = f"{key}.{around.astimezone(UTC) + LOOK_BACK:%Y%m%dT%H%M%S%f}"
    return [one async for one in work.every(Attempt, after=after, before=before)]


def noon(day: date) -> datetime:
    """Return noon of a day, for what is known by its day only."""
    return datetime.combine(day, time(12), tzinfo=UTC)


async def decided(
    work: Work, loan: tuple[str, str], when: Stamp, what: str, by: str, said: str, policy: str = ""
) -> None:
    """Write a decision about a loan, given as borrower and loan, into the trail."""
    await write(work, _decision(loan, when, what, by, said, policy))


async def decided_all(
    work: Work, loans: Iterable[tuple[str, str]], when: Stamp, what: str, by: str, said: str
) -> None:
    """Write the same decision about many loans into the trail."""
    entries = [_decision(loan, when, what, by, said, "") for loan in loans]
    await work.put_all(Entry, {_key(one): (one, "") for one in entries})


def _decision(
    loan: tuple[str, str], when: Stamp, what: str, by: str, said: str, policy: str
) -> Entry:
    return Entry(
        at=when.at,
        on=when.on,
        borrower_ref=loan[0],
        loan_id=loan[1],
        what=what,
        by=by,
        policy=policy,
        said=said[:200],
        name=said[:200],
    )
