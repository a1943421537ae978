"""The lender declares everything due (加速到期): one sum, from a date, once; and takes it back."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from services.ledger.application.story import story
from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain import refusals as no
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.explain import figures
from services.ledger.domain.facts import AccelerationGround, LoanStatus
from services.ledger.domain.terms import Prepayment, RepaymentMethod, Terms
from shared.kernel.errors import LendingError
from shared.kernel.money import format_amount
from tests.services.ledger.domain.desk import TERMS, Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, act, examples
from tests.services.ledger.domain.lives import TERMS as ANY_TERMS

APPROVED = {"reason": "two instalments unpaid", "approved_by": "Li"}
ARREARS, MISUSE = AccelerationGround.ARREARS, AccelerationGround.MISUSE


def accelerate(desk: Desk, on: date | None = None, **asked: Any) -> list[ev.Fact]:
    """Declare everything due on a date, the desk's if none is given."""
    on = on or desk.on
    asked = {"effective_on": on, "notified_on": on, "ground": ARREARS, **APPROVED, **asked}
    return desk.ask(cmd.AccelerateLoan, **asked)


def late_twice() -> Desk:
    """Return a loan of 12,000.00 that paid one instalment, and missed those of March and April."""
    desk = Desk()
    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    desk.go_to(date(2026, 4, 20))
    return desk


LIFE = """
date       | what        | principal | late from  | overdue   | interest | penalty | DPD | payoff
2026-04-20 | -           | 11,000.00 | 2026-03-05 |  2,000.00 |   210.00 |   30.50 |  46 | 11,285.50
2026-04-20 | accelerate  | 11,000.00 | 2026-03-05 |  2,000.00 |   210.00 |   30.50 |  46 | 11,285.50
2026-04-21 | -           | 11,000.00 | 2026-03-05 | 11,000.00 |   255.00 |   31.50 |  47 | 11,286.50
2026-04-24 | -           | 11,000.00 | 2026-03-05 | 11,000.00 |   255.00 |   52.50 |  50 | 11,307.50
2026-05-20 | -           | 11,000.00 | 2026-03-05 | 11,000.00 |   255.00 |  195.50 |  76 | 11,450.50
2026-05-20 | pay 2270.50 |  9,000.00 | 2026-04-20 |  9,000.00 |    45.00 |  135.00 |  30 |  9,180.00
2026-06-19 | pay 9315.00 |      0.00 | -          |      0.00 |     0.00 |    0.00 |   0 |      0.00
"""


def test_a_loan_that_is_declared_due() -> None:
    """One table from two missed instalments to the last cent; 18 % on all of it from 20 April."""
    desk, wanted = late_twice(), []
    for row in LIFE.strip().splitlines()[1:]:
        on, what, *figures_ = (cell.strip() for cell in row.split("|"))
        wanted.append(figures_)
        if desk.on != date.fromisoformat(on):
            desk.go_to(date.fromisoformat(on))
        if what == "accelerate":
            accelerate(desk)
        elif what.startswith("pay"):
            desk.repay(what.split()[1])
        assert _said(desk) == figures_, row
    assert desk.account.status is LoanStatus.SETTLED


def _said(desk: Desk) -> list[str]:
    """Return a row of the table."""
    line = desk.account.timeline(desk.on)
    standing, now = desk.account.standing, figures(line)
    amounts = [
        format_amount(now[name], "CNY")
        for name in ("principal_overdue", "interest_overdue", "penalty_outstanding")
    ]
    return [
        format_amount(line.principal_outstanding, "CNY"),
        str(standing.oldest_due_on or "-"),
        *amounts,
        str(line.days_past_due),
        format_amount(line.payoff, "CNY"),
    ]


def test_who_was_not_late_is_late_from_the_day_after() -> None:
    """On another ground than arrears: due on 20 January, past due from the 21st, no fee for it."""
    terms = msgspec.structs.replace(TERMS, prepayment_fee_rate=Decimal("0.02"))
    desk = Desk(terms)
    desk.go_to(date(2026, 1, 20))

    accelerate(desk, ground=MISUSE, notified_on=date(2026, 1, 12))
    assert desk.account.standing.days_past_due == 0
    desk.go_to(date(2026, 1, 21))

    assert desk.account.standing.days_past_due == 1
    assert desk.account.standing.arrears_minor == 1_200_000 + 6_000
    assert desk.account.timeline(desk.on).payoff == 1_206_000


def test_learned_later_it_restates_the_days_since() -> None:
    """Declared on 20 April and recorded on 10 May: figures of who recorded it at once."""
    timely, later = late_twice(), late_twice()
    accelerate(timely)
    for desk in (timely, later):
        desk.go_to(date(2026, 5, 10))

    restated = accelerate(later, date(2026, 4, 20))

    names = [type(e).__name__ for e in restated]
    assert names == ["LoanAccelerated", "TimelineRestated", "TransitionRecorded"]
    assert later.account.standing == standing_of(timely.account.timeline(timely.on))
    for day in range(40):
        on = date(2026, 4, 10) + timedelta(days=day)
        assert later.account.timeline(on) == timely.account.timeline(on)


def test_money_found_later_that_was_in_time_is_paid_first() -> None:
    """All of 5 April: the acceleration stays, of what was left, until it is withdrawn."""
    desk = late_twice()
    accelerate(desk)
    desk.go_to(date(2026, 5, 10))

    desk.repay("2238.00", on=date(2026, 4, 5))
    line = desk.account.timeline(desk.on)
    desk.ask(cmd.WithdrawAcceleration, **APPROVED)
    after = desk.account.timeline(desk.on)

    assert (line.accelerated_on, line.days_past_due) == (date(2026, 4, 20), 20)
    assert line.principal_outstanding == after.principal_outstanding == 900_000
    assert (after.accelerated_on, after.days_past_due) == (None, 5)


def test_a_new_plan_ends_it() -> None:
    """An agreement on instalments: nothing is accelerated any more, and can be again."""
    desk = late_twice()
    accelerate(desk)
    plan = {"instalments": 10, "first_due_on": date(2026, 5, 25), **APPROVED}
    desk.go_to(date(2026, 4, 28))

    desk.ask(cmd.RestructureLoan, effective_on=desk.on, **plan)
    with pytest.raises(no.LoanNotAccelerated):
        desk.ask(cmd.WithdrawAcceleration, **APPROVED)
    desk.go_to(date(2026, 5, 30))
    again = accelerate(desk)

    assert isinstance(again[0], ev.LoanAccelerated)
    assert again[0].principal_minor == 990_000
    desk.ask(cmd.WithdrawAcceleration, **APPROVED)
    assert desk.account.timeline(desk.on).accelerated_on is None


REFUSED = [
    # declared on | asked otherwise | refused as
    (date(2026, 4, 21), {}, "ValueDateInFuture"),
    (date(2026, 2, 4), {}, "DateOutOfOrder"),
    (date(2026, 4, 20), {"notified_on": date(2026, 4, 21)}, "DateOutOfOrder"),
    (date(2026, 4, 20), {"notified_on": date(2026, 1, 4)}, "DateOutOfOrder"),
    (date(2026, 3, 8), {}, "NotInArrears"),
    (date(2026, 4, 20), {"approved_by": "internal"}, "ApproverIsMaker"),
]


@pytest.mark.parametrize(("on", "asked", "reason"), REFUSED)
def test_what_is_refused(on: date, asked: dict[str, Any], reason: str) -> None:
    """Nothing before money that counts, no notice after the fact, no arrears inside grace."""
    desk = late_twice()
    before = desk.account

    with pytest.raises(LendingError) as refused:
        accelerate(desk, on, **asked)

    assert type(refused.value).__name__ == reason
    assert refused.value.field
    assert desk.account == before


def test_refused_twice_and_where_nothing_is_to_come() -> None:
    """Once; not after the last due date, after a charge-off, or where it was not declared."""
    desk, last = late_twice(), Desk()
    with pytest.raises(no.LoanNotAccelerated):
        desk.ask(cmd.WithdrawAcceleration, **APPROVED)
    accelerate(desk)
    with pytest.raises(no.LoanIsAccelerated):
        accelerate(desk)
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="lost")
    for kind in (accelerate, lambda one: one.ask(cmd.WithdrawAcceleration, **APPROVED)):
        with pytest.raises(no.LoanNotActive):
            kind(desk)
    last.go_to(date(2027, 2, 1))
    with pytest.raises(no.NothingToAccelerate):
        accelerate(last)


def test_nothing_more_is_paid_out_on_it() -> None:
    """Of a loan in parts."""
    desk = Desk(part="4000.00", parts=3)
    desk.go_to(date(2026, 1, 20))
    accelerate(desk, ground=MISUSE)

    with pytest.raises(no.LoanIsAccelerated):
        desk.ask(cmd.DisburseLoan, value_on=desk.on, amount_minor=100, currency="CNY")


def test_a_dated_charge_keeps_its_date_and_paid_interest_stays_paid() -> None:
    """A fee of 5 June falls due in June; interest of June that was paid in January is not lent."""
    desk = Desk()
    fee = {"amount_minor": 5_000, "currency": "CNY", "reason": "insurance"}
    desk.ask(cmd.ApplyCharge, value_on=desk.on, due_on=date(2026, 6, 5), **fee)
    desk.repay("1175.00")
    desk.go_to(date(2026, 1, 20))

    accelerate(desk, ground=MISUSE)

    line = desk.account.timeline(desk.on)
    due = {row.due_on: (row.principal_unpaid, row.interest_due) for row in line.rows}
    assert due[desk.on] == (1_100_000, 0)
    assert [c.due_on for c in line.charges] == [date(2026, 6, 5)]
    desk.go_to(date(2026, 1, 25))
    assert desk.account.standing.charges_overdue_minor == 0


def test_the_page_says_it() -> None:
    """Whom the page is for learns of ground, notice, date and sum; once withdrawn, no more."""
    desk = late_twice()
    accelerate(desk, notified_on=date(2026, 4, 10))
    desk.go_to(date(2026, 4, 30))

    page = story("L-1", desk.account.timeline(desk.on), desk.events)
    desk.ask(cmd.WithdrawAcceleration, **APPROVED)
    after = story("L-1", desk.account.timeline(desk.on), desk.events)

    assert "On 2026-04-20 the lender declared everything due; ground: arrears." in page
    assert "The borrower was told on 2026-04-10. Instalment 13:" in page
    assert "principal 9,000.00 that was not due yet, interest 45.00 earned by then." in page
    assert "the lender declared everything due" not in after
    assert "AccelerationWithdrawn" in after


@settings(max_examples=examples(120), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS)
def test_it_changes_when_and_not_how_much(terms: Terms, acts: list[tuple[str, int, int]]) -> None:
    """On its date the payoff is what it was; lower by a fee and by interest that was unearned."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    payoff = (before := desk.account.timeline(desk.on)).payoff
    try:
        accelerate(desk, ground=MISUSE)
    except LendingError:
        return

    after = desk.account.timeline(desk.on)
    assert after.principal_outstanding == before.principal_outstanding
    exact = before.terms.rebate_unearned and not before.terms.prepayment_fee_rate
    assert after.payoff == payoff if exact else after.payoff <= payoff
    assert after.books == before.books
    assert all(row.principal_unpaid == 0 for row in after.rows if row.due_on > desk.on)


@settings(max_examples=examples(120), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS)
def test_taken_back_it_never_was(terms: Terms, acts: list[tuple[str, int, int]]) -> None:
    """Whatever went before, and after a month of being late: rows, figures and standing."""
    desk, never = Desk(terms, STARTS_ON), Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
        act(never, what, days, share)
    try:
        accelerate(desk, ground=MISUSE)
    except LendingError:
        return
    for one in (desk, never):
        one.go_to(one.on + timedelta(days=33))

    desk.ask(cmd.WithdrawAcceleration, reason="agreed", approved_by="Li")

    assert desk.account.timeline(desk.on) == never.account.timeline(never.on)
    assert desk.account.standing.buckets == never.account.standing.buckets
    assert desk.account.next_transition_on == never.account.next_transition_on


@pytest.mark.parametrize("prepayment", Prepayment)
@pytest.mark.parametrize("method", [m for m in RepaymentMethod if m is not RepaymentMethod.AGREED])
def test_of_every_kind_of_contract(method: RepaymentMethod, prepayment: Prepayment) -> None:
    """Bullet or level, paid ahead or not: paid in full the same day it is settled."""
    terms = msgspec.structs.replace(TERMS, method=method, prepayment=prepayment)
    desk = Desk(terms)
    desk.go_to(date(2026, 2, 20))
    accelerate(desk, ground=MISUSE)

    desk.repay(format_amount(desk.account.timeline(desk.on).payoff, "CNY").replace(",", ""))

    assert desk.account.status is LoanStatus.SETTLED
