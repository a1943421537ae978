"""Changes of what is due: a new plan, a charge's place, money that changes the rest."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import msgspec

from services.ledger.domain.allocate import Payment
from services.ledger.domain.books import book_charge
from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.frames import dates_of
from services.ledger.domain.head import rows_of
from services.ledger.domain.periods import Draw
from services.ledger.domain.policies import CN_CONSUMER
from services.ledger.domain.schedule import Plan, schedule_of
from services.ledger.domain.terms import PLANNED_AGAIN, Prepayment, RepaymentMethod, Terms
from services.ledger.domain.timeline import (
    Allocation,
    Charge,
    Row,
    Timeline,
    interest_earned,
)
from services.ledger.domain.waterfall import Component, DueBucket, Stage
from shared.kernel.dates import DayCount


def replan(line: Timeline, plan: Plan) -> dict[int, int]:
    """
    Give the rows the dues of a changed plan; what was paid stays where it is.

    Returns:
        The interest that was paid and that no row owes any more, by instalment, minor units.
    """
    if line.closed:
        return {}
    line.plan = plan
    if line.accelerated_on is not None:
        return {}
    paid = {row.number: row for row in line.rows}
    for fresh in rows_of(plan):
        row = paid.get(fresh.number)
        if row is None:
            line.rows.append(fresh)
            continue
        row.principal_due = fresh.principal_due
        row.interest_due = fresh.interest_due + row.shifted
        row.carried, row.period = max(0, row.shifted), fresh.period
    line.rows.sort(key=lambda row: (row.due_on, row.number))
    over = _set_off(line.rows, plan.first_number)
    for row in line.rows:
        row.reopen()
    return over


def _set_off(rows: list[Row], first_number: int) -> dict[int, int]:
    """Let interest that was paid and is not due any more pay later rows'; return the rest."""
    over, not_due = 0, list[tuple[int, int]]()
    for row in rows:
        used = min(over, row.interest_due - row.interest_paid)
        if used < 0:
            not_due.append((row.number, min(-used, row.interest_paid)))
        row.interest_due -= used
        row.carried = min(row.carried, row.interest_due)
        over -= used
    # What a plan was credited of an earlier one lies on the instalments of that.
    earlier = [(row.number, row.interest_paid) for row in rows if row.number < first_number]
    return _latest([*earlier, *not_due], over)


def _latest(paid: list[tuple[int, int]], over_minor: int) -> dict[int, int]:
    """Return as much of what instalments were paid, the latest first, by instalment."""
    found: dict[int, int] = {}
    for number, amount in reversed(paid):
        if over_minor > 0 and amount > 0:
            found[number] = min(over_minor, amount)
            over_minor -= found[number]
    return found


def attach(line: Timeline, charge: Charge) -> None:
    """Put a charge into the instalment of its due date; before a new plan or after it, its own."""
    line.dated_charges = True
    regular = [row for row in line.rows if row.start_on < row.due_on and row.period is not None]
    for k, row in enumerate(regular):
        if charge.due_on <= row.due_on and (k == 0 or charge.due_on > row.start_on):
            row.charges += (charge,)
            row.reopen()
            return
    last = max(line.rows, key=lambda row: row.due_on)
    after_last = charge.due_on > max((row.due_on for row in regular), default=line.on)
    if after_last and last.principal_due == last.interest_due == 0 and last.charges:
        last.charges += (charge,)
        last.due_on, last.paid_on = max(last.due_on, charge.due_on), None
        return
    number = max(row.number for row in line.rows) + 1
    start_on = last.due_on if after_last else charge.due_on
    line.rows.append(Row(number, start_on, charge.due_on, 0, 0, charges=(charge,)))
    line.rows.sort(key=lambda row: (row.due_on, row.number))


def draw_again(line: Timeline, amount_minor: int) -> None:
    """Plan a part paid out after everything before it was paid off, on the dates that are left."""
    dates = dates_of(line.plan.terms, line.plan.start_on)
    left = tuple(day for day in dates if day > line.on) or (line.on,)
    terms = msgspec.structs.replace(
        line.terms,
        instalments=len(left),
        first_due_on=left[0],
        due_dates=left,
        **PLANNED_AGAIN,
    )
    line.closed = False
    restructure(line, terms, amount_minor)


def restructure(line: Timeline, agreed: Terms, drawn_minor: int = 0) -> dict[int, int]:
    """
    Close old rows at what was paid; carry what is owed, or drawn, into a new schedule.

    Returns:
        Interest that was paid, not earned, and that no new row owes, by instalment, minor units.
    """
    earned = sum(interest_earned(row, line.on, line.terms) for row in line.rows)
    carried = earned - sum(row.interest_paid for row in line.rows)
    principal = line.principal_outstanding + drawn_minor
    plan = _plan_now(line, agreed, principal)
    for row in line.rows:
        row.principal_due, row.interest_due = row.principal_paid, row.interest_paid
        if row.paid_on is None and row.due_on <= line.on and row.unpaid <= 0:
            row.paid_on = line.on
    kept = [row for row in line.rows if row.due_on <= line.on or row.paid]
    loose = [c for row in line.rows if row not in kept for c in row.charges]
    number = max((row.number for row in kept), default=0) + 1
    plan = plan._replace(first_number=number)
    fresh = rows_of(plan)
    for row in fresh:
        shift = max(-row.interest_due, carried)
        row.interest_due += shift
        row.shifted, row.carried = shift, max(0, shift)
        carried -= shift
    line.rows = sorted([*kept, *fresh], key=lambda row: (row.due_on, row.number))
    line.terms, line.plan, line.accelerated_on = plan.terms, plan, None
    for charge in loose:
        attach(line, charge)
    return _latest([(row.number, row.interest_paid) for row in kept], -carried)


def _plan_now(line: Timeline, terms: Terms, principal_minor: int) -> Plan:
    """Return the plan of a principal from now on; a running period counts what it counted."""
    terms = msgspec.structs.replace(terms, principal_minor=principal_minor)
    running = (
        row.period.odd_months
        for row in line.rows
        if row.period is not None and row.start_on == terms.interest_from and row.due_on > line.on
    )
    draws = (Draw(line.on, principal_minor),)
    return Plan(terms, line.on, draws, line.plan.pauses, odd_months=next(running, None))


def accelerate(line: Timeline) -> Row | None:
    """
    Let the principal that is not due yet fall due, with the interest earned on it by now.

    What is overdue keeps its due dates, and a dated charge its own. Interest that was paid ahead
    stays paid, as on full prepayment.
    Returns:
        The instalment that it is; None where no principal was to come.
    """
    line.accelerated_on = line.on
    coming = [row for row in line.rows if row.due_on > line.on]
    principal, interest = sum(row.principal_unpaid for row in coming), 0
    if line.closed or principal <= 0:
        return None
    number = max(row.number for row in line.rows) + 1
    for row in coming:
        earned = interest_earned(row, line.on, line.terms)
        interest += max(0, earned - row.interest_paid)
        row.principal_due, row.interest_due = row.principal_paid, row.interest_paid
        row.carried, row.period = min(earned, row.interest_paid), None
    due = Row(number, line.on, line.on, principal, interest)
    kept = [row for row in line.rows if row.due_on <= line.on or row.paid or row.charges]
    line.rows = sorted([*kept, due], key=lambda row: (row.due_on, row.number))
    return due


def judge_by(line: Timeline, fact: MoneyFact) -> None:
    """Classify lateness under another policy from here on; plan and money stay."""
    # A default is left out of what is stored by being that very object.
    policy = CN_CONSUMER if fact.policy == CN_CONSUMER else fact.policy
    line.terms = msgspec.structs.replace(line.terms, delinquency=policy)


def forgive_unearned_interest(line: Timeline) -> None:
    """On full prepayment interest is owed for the days that money was out (Civil Code 677)."""
    if line.terms.rebate_unearned:
        for row in line.rows:
            row.interest_due = max(row.interest_paid, interest_earned(row, line.on, line.terms))
            row.carried = row.interest_due
    line.closed = True


def let_go(line: Timeline) -> None:
    """Let nothing that is unpaid be owed any more."""
    line.closed = True
    for row in line.rows:
        row.principal_due, row.interest_due = row.principal_paid, row.interest_paid
        row.carried = min(row.carried, row.interest_paid)
        row.penalty_exact, row.penalty_runs = Fraction(row.penalty_paid), ()
    for charge in line.charges:
        book_charge(line, charge, charge.paid - charge.due)
        charge.due = charge.paid


def charge_prepayment(line: Timeline, fact_id: str, ahead_minor: int) -> None:
    """Charge the contract's fee for principal that a repayment pays before it is due."""
    fee = line.prepayment_fee(ahead_minor)
    if fee:
        charge = Charge(f"prepayment:{fact_id}", Component.FEE, line.on, fee)
        line.loan_charges.append(charge)
        book_charge(line, charge, fee)


def principal_paid_ahead(
    line: Timeline, slots: tuple[Allocation, ...], due_on: dict[int, date]
) -> int:
    """Return the principal that a repayment paid before it was due; minor units."""
    return sum(
        slot.amount_minor
        for slot in slots
        if slot.component is Component.PRINCIPAL and due_on.get(slot.instalment, line.on) > line.on
    )


def prepay(line: Timeline, payment: Payment, stages: tuple[Stage, ...]) -> None:
    """Pay what is due; what is left lowers the principal, and the rest is planned again."""
    now = tuple(
        Stage(buckets, stage.components)
        for stage in stages
        if (buckets := tuple(b for b in stage.buckets if b is not DueBucket.IN_ADVANCE))
    )
    ahead = tuple(s for s in stages if DueBucket.IN_ADVANCE in s.buckets)
    payment.run(now)
    coming = [row for row in line.rows if row.due_on > line.on and row.principal_unpaid > 0]
    if payment.left <= 0:
        return
    if not coming:
        payment.run(ahead)
        return
    level = coming[0].principal_due + coming[0].interest_due
    dates = tuple(row.due_on for row in coming)
    payment.to_principal(coming, ahead)
    left = line.principal_outstanding
    if left == 0:
        forgive_unearned_interest(line)
        payment.run(ahead)
        return
    terms = msgspec.structs.replace(
        line.terms,
        principal_minor=left,
        **{**PLANNED_AGAIN, "interest_from": counted_since(line, coming[0])},
    )
    if terms.method is not RepaymentMethod.BULLET:
        terms = msgspec.structs.replace(
            terms, instalments=len(dates), first_due_on=dates[0], due_dates=dates
        )
    if line.terms.prepayment is Prepayment.SHORTEN and len(dates) > 1:
        terms = _shortened(terms, line, level)
    restructure(line, terms)


def counted_since(line: Timeline, running: Row) -> date | None:
    """Say where the first period of a new plan begins: whole months are shared out by its days."""
    whole = line.terms.day_count is DayCount.PERIOD_360
    return running.start_on if whole and running.start_on < line.on else None


def _shortened(terms: Terms, line: Timeline, level: int) -> Terms:
    """Return the terms with the fewest instalments that are no higher than before."""
    for count in range(1, terms.instalments):
        fewer = msgspec.structs.replace(terms, instalments=count, due_dates=terms.due_dates[:count])
        first = schedule_of(_plan_now(line, fewer, terms.principal_minor))[0]
        if first.principal_due_minor + first.interest_due_minor <= level:
            return fewer
    return terms
