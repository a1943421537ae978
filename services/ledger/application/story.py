"""Why a loan is as late as it is, on one page that a stranger can follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from services.ledger.domain.delinquency import past_due_table, standing_of
from services.ledger.domain.events import (
    DisbursementReturned,
    Fact,
    LoanAccelerated,
    TransitionRecorded,
)
from services.ledger.domain.timeline import Allocation, Timeline
from shared.kernel.money import format_amount


class Placed(NamedTuple):
    """Money that came in: its id, the date it counts from, and what it paid."""

    fact_id: str
    on: date | None
    slots: tuple[Allocation, ...]


def story(loan_id: str, line: Timeline, events: Sequence[Fact]) -> str:
    """
    Tell why a loan is late, or that it is not.

    Args:
        loan_id: The loan.
        line: The loan on a date.
        events: All that was known of it, in recorded order.
    Returns:
        Text of at most 100 columns; amounts in major units.
    """
    days = line.days_past_due
    title = f"Why loan {loan_id} is {days} days past due on {line.on}"
    if not days:
        title = f"Loan {loan_id} is not past due on {line.on}"
    parts = [
        title,
        "=" * len(title),
        "",
        *_rule(line),
        "",
        *_table(line),
        "",
        *_count(line),
        "",
        *_money(line, events),
        *_accelerated(line, events),
        *_returned(line, events),
        "",
        *_recorded(events, line.terms.currency),
    ]
    return "\n".join(part.rstrip() for part in parts) + "\n"


def _rule(line: Timeline) -> list[str]:
    terms = line.terms
    return [
        "An instalment that is not paid in full on its due date is past due from the next day on.",
        "Days past due are calendar days from the oldest due date with anything unpaid.",
        f"Grace of {terms.grace_days} days lets lateness have no consequences;"
        " it does not move the due date.",
        f"Amounts are in {terms.currency}. Policy: {terms.delinquency.policy}.",
    ]


def _table(line: Timeline) -> Iterator[str]:
    """The picture: what fell due, what was paid of it, what is carried on."""
    yield f"{'fell due on':12}{'due':>15}{'paid':>15}{'unpaid so far':>18}{'days past due':>16}"
    for row in past_due_table(line):
        amounts = (row.due_minor, row.paid_minor, row.carried_minor)
        due, paid, carried = (format_amount(n, line.terms.currency) for n in amounts)
        late = str(row.days_past_due) if row.days_past_due else "paid"
        if row.due_on == line.on and late == "paid" and row.paid_minor < row.due_minor:
            late = "due today"
        yield f"{row.due_on!s:12}{due:>15}{paid:>15}{carried:>18}{late:>16}"


def _count(line: Timeline) -> Iterator[str]:
    """Count the days month by month, so that anybody can with a calendar."""
    if not line.overdue:
        yield "Nothing that fell due before this date is unpaid."
        return
    oldest = line.overdue[0].due_on
    yield f"The oldest due date with something unpaid is {oldest}. From it to {line.on}:"
    for month, count in days_by_month(line):
        yield f"  {month}  {count:4} days"
    yield f"  together {line.days_past_due:3} days"
    standing = standing_of(line)
    classes = ", ".join(f"{scheme} {bucket}" for scheme, bucket in standing.buckets.items())
    arrears = format_amount(standing.arrears_minor, line.terms.currency)
    yield f"Overdue: {arrears}; class: {classes}."
    if standing.days_paused:
        yield f"Of these days {standing.days_paused} fall into pauses and do not classify."


def days_by_month(line: Timeline) -> list[tuple[str, int]]:
    """Return the days past due of each month, oldest first: ("2026-03", 27)."""
    if not line.overdue:
        return []
    oldest = line.overdue[0].due_on
    days = [oldest + timedelta(days=k) for k in range(1, line.days_past_due + 1)]
    return [(month, len(list(inside))) for month, inside in groupby(days, key=_month)]


def _month(day: date) -> str:
    return f"{day.year}-{day.month:02}"


def money_placed(line: Timeline, events: Sequence[Fact]) -> list[Placed]:
    """Return what each payment paid, in the order in which they count."""
    counted = {str(getattr(e, "repayment_id", "")): e for e in events if hasattr(e, "amount_minor")}
    return [
        Placed(fact_id, event.effective_on if (event := counted.get(fact_id)) else None, slots)
        for fact_id, slots in line.allocations
    ]


def told_facts(events: Sequence[Fact]) -> list[tuple[int, Fact]]:
    """Return what was recorded, by version; how late the loan was is left out."""
    return [(v, e) for v, e in enumerate(events, 1) if not isinstance(e, TransitionRecorded)]


def _money(line: Timeline, events: Sequence[Fact]) -> Iterator[str]:
    """Where each payment went, slot by slot."""
    yield "Money that came in, and what it paid:"
    if not line.allocations:
        yield "  none"
    for fact_id, counts_on, slots in money_placed(line, events):
        on = counts_on or ""
        total = format_amount(sum(s.amount_minor for s in slots), line.terms.currency)
        yield f"  {on!s:11} {fact_id}: {total}"
        for number, paid in groupby(slots, key=lambda slot: slot.instalment):
            said = [
                f"{slot.component.lower()} {format_amount(slot.amount_minor, line.terms.currency)}"
                for slot in paid
            ]
            where = f"instalment {number}" if number else "the loan"
            yield f"      of {where}: {', '.join(said)}"


def _accelerated(line: Timeline, events: Sequence[Fact]) -> Iterator[str]:
    """Say that everything was declared due, where that holds on the date."""
    declared = [e for e in events if isinstance(e, LoanAccelerated)]
    for event in declared[-1:] if line.accelerated_on is not None else ():
        principal, interest = (
            format_amount(n, line.terms.currency)
            for n in (event.principal_minor, event.interest_minor)
        )
        ground = event.ground.lower().replace("_", " ")
        yield f"On {event.effective_on} the lender declared everything due; ground: {ground}."
        yield f"The borrower was told on {event.notified_on}. Instalment {event.instalment}:"
        yield f"  principal {principal} that was not due yet, interest {interest} earned by then."
        yield "Later interest is not owed."


def _returned(line: Timeline, events: Sequence[Fact]) -> Iterator[str]:
    """Say that the loan is cancelled, where the payout came back by the date."""
    for event in events:
        if isinstance(event, DisbursementReturned) and event.effective_on <= line.on:
            amount = format_amount(event.amount_minor, line.terms.currency)
            yield f"The bank sent the payout of {amount} back on {event.effective_on}."
            yield "It never reached the borrower: the loan is cancelled, and nothing is owed of it."


def _recorded(events: Sequence[Fact], currency: str) -> Iterator[str]:
    """Every fact in the order in which it was learned; how late the loan was is left out."""
    facts = told_facts(events)
    yield "What was recorded, in the order in which it was learned:"
    for version, event in facts:
        learned: date = event.recorded_at.date()
        amount = getattr(event, "amount_minor", None)
        money = format_amount(amount, currency) if amount is not None else ""
        counts = f"for {event.effective_on}, learned {learned}"
        yield f"  {version:4}  {type(event).__name__:20}{money:>14}  {counts}  {event.reason[:16]}"
    yield f"  and {len(events) - len(facts)} records of how late it was, day by day as it changed"
