"""Walk a loan's facts in the order in which they count, and let each do its work once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from services.ledger.domain import changes, chart
from services.ledger.domain.allocate import Payment
from services.ledger.domain.books import (
    book,
    book_charge,
    book_out,
    book_payment,
    book_transfer,
    stop_income,
)
from services.ledger.domain.facts import FactKind, MoneyFact
from services.ledger.domain.head import head_of, rows_of
from services.ledger.domain.penalty import pass_time
from services.ledger.domain.periods import Draw
from services.ledger.domain.schedule import Plan
from services.ledger.domain.surplus import hand_back
from services.ledger.domain.terms import Overpayment, Prepayment, Terms
from services.ledger.domain.timeline import Charge, Timeline
from services.ledger.domain.waterfall import PaymentSource


def timeline(
    terms: Terms,
    disbursed_on: date,
    facts: Iterable[MoneyFact],
    effective_on: date,
    disbursed_minor: int | None = None,
) -> Timeline:
    """
    Derive a loan on one date from its terms and facts: the definition, one fact at a time.

    Args:
        terms: The contract as first agreed.
        disbursed_on: Interest runs from here.
        facts: In any order; those counting after `effective_on` are left out.
        effective_on: The date to look at, not before `disbursed_on`.
        disbursed_minor: What was first paid out; the whole principal when left out.
    Returns:
        The Timeline: rows oldest first, balances, allocations by fact id, books by account.
    """
    line = begin(terms, disbursed_on, disbursed_minor)
    for fact in in_order(facts):
        if fact.effective_on <= effective_on:
            step(line, fact)
    return at(line, max(effective_on, disbursed_on))


def in_order(facts: Iterable[MoneyFact]) -> list[MoneyFact]:
    """Return facts in the order in which they count."""
    return sorted(facts, key=lambda f: (f.effective_on, f.version))


def begin(
    terms: Terms, disbursed_on: date, disbursed_minor: int | None = None, upto: date | None = None
) -> Timeline:
    """Return the loan as paid out, no fact counted; only the head of it that is due `upto`."""
    amount = terms.principal_minor if disbursed_minor is None else disbursed_minor
    plan = Plan(terms, disbursed_on, (Draw(disbursed_on, amount),))
    rows = rows_of(plan) if upto is None else head_of(plan, upto)
    line = Timeline(terms=terms, on=disbursed_on, plan=plan, rows=rows)
    line.paid_out.append((disbursed_on, amount))
    book_out(line, amount)
    return line


def step(line: Timeline, fact: MoneyFact) -> None:
    """Let one fact do its work on a line, whatever it is."""
    line.own_rows()
    pass_time(line, fact.effective_on)
    _WORK[fact.kind](line, fact)


def at(line: Timeline, on: date) -> Timeline:
    """Let time pass on a line up to a date, and return it."""
    pass_time(line, on)
    return line


def _receive(line: Timeline, fact: MoneyFact) -> None:
    """Allocate money through the waterfall, and book it."""
    money = fact.amount_minor + line.unallocated
    if line.unallocated:
        book(line, chart.UNALLOCATED, line.unallocated, chart.CASH)
    credit = line.unallocated if line.terms.overpayment is Overpayment.CREDIT else 0
    fees = line.terms.prepayment_fee_rate and fact.source is PaymentSource.BORROWER
    free = not fees and line.terms.prepayment_fee_rate
    waived = line.prepayment_fee(line.principal_ahead) if free else 0
    pays_off = not line.owes(money + 1 - credit + waived)
    if pays_off:
        if fees:
            changes.charge_prepayment(line, fact.fact_id, line.principal_ahead)
        changes.forgive_unearned_interest(line)
    due_on = {row.number: row.due_on for row in line.rows} if fees else {}
    payment = Payment(line, money, fact.source)
    waterfall = line.terms.waterfall
    stages = waterfall.stages_at(line.days_past_due if waterfall.late_from_days else 0)
    line.unallocated = 0
    if line.terms.prepayment is Prepayment.HOLD or pays_off:
        payment.run(stages)
    else:
        changes.prepay(line, payment, stages)
    if fees and not pays_off:
        ahead = changes.principal_paid_ahead(line, payment.allocations(), due_on)
        changes.charge_prepayment(line, fact.fact_id, ahead)
        payment.run(stages)
    line.unallocated = payment.left
    slots = payment.allocations()
    line.allocations = line.allocations.grown((fact.fact_id, slots))
    book_payment(line, slots, payment.left, fact.source)
    line.received += fact.amount_minor
    if fact.kind is FactKind.RECOVERY:
        line.recovered += fact.amount_minor


def _charge(line: Timeline, fact: MoneyFact) -> None:
    charge = Charge(
        fact.fact_id, fact.component, fact.due_on or fact.effective_on, fact.amount_minor
    )
    if fact.due_on is None:
        line.loan_charges.append(charge)
    else:
        changes.attach(line, charge)
    book_charge(line, charge, charge.due)
    _use_credit(line, fact)


def _use_credit(line: Timeline, fact: MoneyFact) -> None:
    """Let a credit balance pay what has become owed."""
    if line.terms.overpayment is not Overpayment.CREDIT or not line.unallocated:
        return
    payment = Payment(line, line.unallocated, PaymentSource.BORROWER)
    payment.run(line.terms.waterfall.stages)
    used = line.unallocated - payment.left
    line.unallocated = payment.left
    if used:
        slots = payment.allocations()
        line.allocations = line.allocations.grown((f"credit@{fact.version}", slots))
        book(line, chart.UNALLOCATED, used, chart.CASH)
        book_payment(line, slots, 0, PaymentSource.BORROWER)


def _waive(line: Timeline, fact: MoneyFact) -> None:
    """Let go of what is unpaid of one charge."""
    for charge in line.charges:
        if charge.fact_id == fact.fact_id:
            book_charge(line, charge, charge.paid - charge.due)
            charge.due = charge.paid


def _refund(line: Timeline, fact: MoneyFact) -> None:
    line.unallocated -= fact.amount_minor
    book(line, chart.UNALLOCATED, fact.amount_minor, chart.CASH)


def _disburse_more(line: Timeline, fact: MoneyFact) -> None:
    if line.closed or line.accelerated_on is not None:
        changes.draw_again(line, fact.amount_minor)
    else:
        draws = (*line.plan.draws, Draw(fact.effective_on, fact.amount_minor))
        changes.replan(line, line.plan._replace(draws=draws))
    line.paid_out.append((fact.effective_on, fact.amount_minor))
    book_out(line, fact.amount_minor)


def _pause_interest(line: Timeline, fact: MoneyFact) -> None:
    assert fact.due_on is not None and fact.until_on is not None
    pauses = (*line.plan.pauses, (fact.due_on, fact.until_on))
    over = changes.replan(line, line.plan._replace(pauses=pauses))
    if over and fact.hands_back:
        hand_back(line, over)


def _pause_delinquency(line: Timeline, fact: MoneyFact) -> None:
    assert fact.due_on is not None and fact.until_on is not None
    line.pauses.append((fact.due_on, fact.until_on))


def _resume_delinquency(line: Timeline, fact: MoneyFact) -> None:
    """End the pause that is running: the day of resuming is its last."""
    on = fact.effective_on
    line.pauses = [(a, on) if a <= on <= b else (a, b) for a, b in line.pauses]


def _restructure(line: Timeline, fact: MoneyFact) -> None:
    assert fact.terms is not None
    over = changes.restructure(line, fact.terms)
    if over and fact.hands_back:
        hand_back(line, over)
    line.forborne_on.append(fact.effective_on)


def _accelerate(line: Timeline, fact: MoneyFact) -> None:
    changes.accelerate(line)


def _charge_off(line: Timeline, fact: MoneyFact) -> None:
    line.charged_off_principal = line.principal_outstanding
    stop_income(line, only_paid=True)
    if not line.creditor_ref:
        book(line, chart.CHARGE_OFFS, line.principal_outstanding, chart.PRINCIPAL)
        for charge in line.charges:
            book_charge(line, charge, charge.paid - charge.due)
    line.charged_off_on = fact.effective_on


def _write_off(line: Timeline, fact: MoneyFact) -> None:
    changes.let_go(line)


def _settle(line: Timeline, fact: MoneyFact) -> None:
    """Allocate the money, and let the rest go; principal let go is a cost of the lender."""
    _receive(line, fact)
    if line.charged_off_on is None and not line.creditor_ref:
        book(line, chart.SETTLEMENTS, line.principal_outstanding, chart.PRINCIPAL)
    changes.let_go(line)


def _take_back(line: Timeline, fact: MoneyFact) -> None:
    """The payout came back: the borrower never had it, so nothing was earned on it either."""
    book(line, chart.CASH, fact.amount_minor, chart.PRINCIPAL)
    changes.let_go(line)
    line.returned_on = fact.effective_on


def _guarantee(line: Timeline, fact: MoneyFact) -> None:
    """The guarantor becomes creditor of what it paid (Civil Code 700); the debt stays."""
    line.subrogated += fact.amount_minor
    book(line, chart.CASH, fact.amount_minor, chart.GUARANTORS)


def _transfer(line: Timeline, fact: MoneyFact) -> None:
    """The loan is sold: off the books against its price; what comes in belongs to the buyer."""
    stop_income(line, only_paid=False)
    book_transfer(line, fact.amount_minor)
    line.creditor_ref = fact.party_ref


_WORK: dict[FactKind, Callable[[Timeline, MoneyFact], None]] = {
    FactKind.DISBURSEMENT: _disburse_more,
    FactKind.DISBURSEMENT_RETURN: _take_back,
    FactKind.REPAYMENT: _receive,
    FactKind.RECOVERY: _receive,
    FactKind.CHARGE: _charge,
    FactKind.WAIVER: _waive,
    FactKind.REFUND: _refund,
    FactKind.RESTRUCTURE: _restructure,
    FactKind.ACCELERATION: _accelerate,
    FactKind.INTEREST_PAUSE: _pause_interest,
    FactKind.DELINQUENCY_PAUSE: _pause_delinquency,
    FactKind.DELINQUENCY_RESUME: _resume_delinquency,
    FactKind.DELINQUENCY_POLICY: changes.judge_by,
    FactKind.CHARGE_OFF: _charge_off,
    FactKind.WRITE_OFF: _write_off,
    FactKind.SETTLEMENT: _settle,
    FactKind.GUARANTEE: _guarantee,
    FactKind.TRANSFER: _transfer,
}
