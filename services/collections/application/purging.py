"""Records of contact are kept for as long as the law wants, and then deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from services.collections.application import trail
from services.collections.application.desk import messages_of
from services.collections.application.ports import Policies
from services.collections.application.shredding import DebtorRecordsKept, DebtorStillOwes
from services.collections.application.tasks import tasks_of
from services.collections.application.trail import Entry, Where
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import RulesNotFound
from services.collections.domain.debtor import Attempt, Debtor, DebtorNotFound
from services.collections.domain.hardship import Circumstance
from services.collections.domain.message import Message
from services.collections.domain.task import Task
from shared.kernel.dates import add_months
from shared.runtime.purging import delete_records, forget_answers
from shared.runtime.records import PAGE, Records, Work
from shared.runtime.vault import VaultKeyMissing, wipe


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted about a borrower, when, by whom and why; kept for good."""

    borrower_ref: str
    at: datetime
    by: str
    reason: str
    kept_until: date
    attempts: int
    messages: int
    lines: int
    tasks: int


class Kept(NamedTuple):
    """
    What is kept of a borrower's contacts.

    `until` is the first day on which it may be deleted; None while a case is open.
    """

    debtor: Debtor
    cases: dict[str, Case]
    until: date | None
    records: dict[type[msgspec.Struct], list[str]]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to delete."""
        return not any(self.records.values())

    def count(self, kind: type[msgspec.Struct]) -> int:
        """Return how many records of a kind there are."""
        return len(self.records[kind])


async def kept_of(work: Work, policies: Policies, debtor: Debtor) -> Kept:
    """Say what is kept of a borrower, and until when: years from the last thing that happened."""
    ref = debtor.borrower_ref
    cases = await work.get_all(Case, debtor.loans)
    key = trail.key_of(ref)
    span = (f"{key}.", f"{key}/")
    attempts = await _all(work, Attempt, span)
    lines = await _all(work, Entry, span)
    messages = [one for loan_id in debtor.loans for one in await messages_of(work, loan_id)]
    tasks = [one for loan_id in debtor.loans for one in await tasks_of(work, loan_id)]
    days = [
        *(one.at.date() for _, one in (*attempts, *lines)),
        *(one.sent_at.date() if one.sent_at else one.because_on for one in messages),
        *(task.due_on for task in tasks),
        *(case.last.effective_on for case in cases.values()),
    ]
    records: dict[type[msgspec.Struct], list[str]] = {
        Attempt: [name for name, _ in attempts],
        Where: [one.attempt_id for _, one in attempts],
        Entry: [name for name, _ in lines],
        Message: [one.name for one in messages],
        Task: [one.task_id for one in tasks],
    }
    is_open = any(case.open for case in cases.values())
    years = _years(policies, debtor, max(days, default=date.min))
    until = None if is_open else _years_after(max(days, default=None), years)
    return Kept(debtor, cases, until, records)


async def due_for_purge(records: Records, policies: Policies, on: date) -> AsyncIterator[Kept]:
    """Give what may be deleted on a day, by borrower; each seen in a transaction of its own."""
    after, more = "", True
    while more:
        async with records.work() as work:
            page = await work.page(Debtor, "", (after, ""), PAGE)
            found = [await kept_of(work, policies, debtor) for _, debtor in page]
        for kept in found:
            if kept.until is not None and kept.until <= on and not kept.is_empty:
                yield kept
        after, more = (page[-1][0], True) if len(page) == PAGE else (after, False)


async def purge_debtor(
    records: Records, policies: Policies, borrower_ref: str, told: tuple[str, str], now: datetime
) -> Purged:
    """
    Delete attempts, messages, trail and tasks of a borrower, and every way to reach them.

    What stays: the case as the ledger told it, promises, wishes not to be contacted, and a record
    of what was deleted.

    Args:
        policies: Their contact rules say for how many years records are kept.
        told: Who deletes it, and why.
    Raises:
        VaultKeyMissing: nothing is sealed here, so kept answers cannot be told from others.
        DebtorNotFound: nobody knows the borrower.
        DebtorStillOwes: a case is open.
        DebtorRecordsKept: something is too young to be deleted.
    """
    if records.vault is None:
        raise VaultKeyMissing("COLLECTIONS_PERSONAL_KEY_FILE is not set: nothing is sealed")
    async with records.work() as work:
        await work.hold(borrower_ref)
        debtor = await work.get(Debtor, borrower_ref)
        if debtor is None:
            raise DebtorNotFound(f"nobody knows {borrower_ref[:64]!r}", field="borrower_ref")
        kept = await kept_of(work, policies, debtor)
        _require_over(kept, now.date())
        done = _written_down(kept, told, now)
        await delete_records(work, kept.records)
        await forget_answers(work, borrower_ref)
        await _bare(work, kept)
        await work.put(done, f"{borrower_ref}/{now.date()}")
    await wipe(records.engine)
    return done


def _require_over(kept: Kept, today: date) -> None:
    if kept.until is None:
        raise DebtorStillOwes("a case is open", field="borrower_ref")
    if today < kept.until:
        said = f"records of {kept.debtor.borrower_ref} are kept"
        raise DebtorRecordsKept(said, field="borrower_ref", expected=f"from {kept.until}")


def _written_down(kept: Kept, told: tuple[str, str], now: datetime) -> Purged:
    assert kept.until is not None
    return Purged(
        borrower_ref=kept.debtor.borrower_ref,
        at=now,
        by=told[0],
        reason=told[1],
        kept_until=kept.until,
        attempts=kept.count(Attempt),
        messages=kept.count(Message),
        lines=kept.count(Entry),
        tasks=kept.count(Task),
    )


async def _bare(work: Work, kept: Kept) -> None:
    """Store a borrower and the cases without what was sealed; a wish to be left alone stays."""
    wishes = tuple(msgspec.structs.replace(one, note="") for one in kept.debtor.protections)
    bare = msgspec.structs.replace(kept.debtor, email="", phone="", region="", protections=wishes)
    await work.put(bare, bare.borrower_ref)
    for loan_id, case in kept.cases.items():
        if case.plan is not None:
            nothing = {"reason": "", "circumstance": Circumstance.NOT_STATED, "budget": None}
            plan = msgspec.structs.replace(case.plan, **nothing)
            await work.put(msgspec.structs.replace(case, plan=plan), loan_id, "CLOSED")


async def _all(work: Work, kind: type[Any], span: tuple[str, str]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    more = True
    while more:
        after = found[-1][0] if found else span[0]
        page = await work.page(kind, "", (after, span[1]), PAGE)
        found += page
        more = len(page) == PAGE
    return found


def _years(policies: Policies, debtor: Debtor, on: date) -> int:
    try:
        return policies.rules_for(debtor, on).keep_years
    except RulesNotFound:
        return max(rules.keep_years for rules in policies.rules)


def _years_after(day: date | None, years: int) -> date:
    """Return the first day on which something of a day is kept no longer."""
    return date.min if day is None else add_months(day, 12 * years)


def counts(found: Iterable[Kept]) -> str:
    """Return in one line what would be deleted."""
    rows = list(found)
    kinds = {"attempts": Attempt, "messages": Message, "lines": Entry, "tasks": Task}
    said = ", ".join(f"{sum(row.count(k) for row in rows)} {name}" for name, k in kinds.items())
    return f"{len(rows)} borrowers: {said}"
