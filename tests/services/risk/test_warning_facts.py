"""Early warning by banks, employers, other lenders and guarantors, and by when a loan is paid."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from services.risk.domain.early_warning import AlertOutcome, alerts_of, changed
from services.risk.domain.indicators import GUARANTOR, INCOME, REPORT, TAKEN_BACK, Heard
from services.risk.domain.signs import Behaviour, observe, restated
from services.risk.domain.thresholds import days_to_pay
from tests.services.risk.test_early_warning import RULES


def fact(number: int, on: str, type_: str, **more: object) -> Heard:
    given = {"loan_id": "L-1", "borrower_ref": "B-1", "sequence": number, "type": type_, **more}
    return msgspec.convert({**given, "effective_on": on}, Heard)


def income(on: str, amount_minor: int, currency: str = "CNY", known_on: str = "") -> Heard:
    known = {"known_on": known_on} if known_on else {}
    named = {"name": f"income/{currency}/{on}/{amount_minor}", "currency": currency, **known}
    return fact(0, on, INCOME, amount_minor=amount_minor, **named)


def report(number: int, on: str, **said: object) -> Heard:
    return fact(0, on, REPORT, name=f"report/pboc/{number}", currency="CNY", **said)


def raised(*events: Heard) -> list[list[str]]:
    """Return what each event raises, or takes back with a "-"."""
    borrower, said = Behaviour(borrower_ref="B-1"), []
    for one in events:
        before, borrower = borrower, observe(borrower, one, RULES)
        told = changed(before, borrower, RULES)
        said.append(
            [
                f"{alert.indicator} {alert.outcome}".removesuffix(" UNSPECIFIED")
                if alert
                else f"-{name.split('.')[-1]}"
                for name, alert in told.items()
            ]
        )
    return said


def test_a_returned_debit_warns_also_of_a_loan_never_late() -> None:
    """The bank took it back: a sign. We took it back, posted in error: none."""
    ours = fact(1, "2026-01-05", TAKEN_BACK, amount_minor=900, reason="posted twice")
    bank = fact(2, "2026-01-09", TAKEN_BACK, amount_minor=900, reason="Returned debit")
    again = fact(3, "2026-01-20", TAKEN_BACK, amount_minor=900, reason="余额不足退回")
    later = fact(4, "2026-03-25", TAKEN_BACK, amount_minor=900, reason="returned debit")

    assert raised(ours, bank, bank, again, later) == [
        [],
        ["DEBIT_RETURNED"],
        [],
        [],
        ["DEBIT_RETURNED"],
    ]


def test_a_returned_debit_was_no_repayment() -> None:
    """What falls is what was paid: the repayment goes, and its return is a sign of its own."""
    events = [
        fact(1, "2026-01-02", "GRACE_ENTERED"),
        fact(2, "2026-01-05", "REPAYMENT_POSTED", amount_minor=10_000),
        fact(3, "2026-01-15", "REPAYMENT_POSTED", amount_minor=8_000),
        fact(4, "2026-01-25", "REPAYMENT_POSTED", amount_minor=6_000),
        fact(5, "2026-01-28", TAKEN_BACK, amount_minor=6_000, reason="returned debit"),
    ]

    assert raised(*events)[3:] == [
        ["REPAYMENTS_FALLING"],
        ["-REPAYMENTS_FALLING", "DEBIT_RETURNED"],
    ]


def month(number: int, due_on: str, days_late: int) -> list[Heard]:
    """Return what a loan tells of an instalment that was paid so many days late."""
    due, sequence = date.fromisoformat(due_on), 10 * number
    told = [fact(sequence, due_on, "INSTALMENT_DUE")]
    if days_late:
        started, cured = due + timedelta(days=1), due + timedelta(days=days_late)
        told.append(fact(sequence + 1, str(started), "DELINQUENCY_STARTED"))
        told.append(fact(sequence + 2, str(cured), "CURED"))
    return told


def test_paying_later_and_later_warns() -> None:
    """2, 4 and 7 days late are an average of 4.75, the newest counting half; clear in 60 days."""
    dues = ["2026-01-05", "2026-02-05", "2026-03-05", "2026-04-05", "2026-05-05"]
    events = [
        one
        for number, (due_on, late) in enumerate(zip(dues, [2, 4, 7, 0, 9], strict=True), start=1)
        for one in month(number, due_on, late)
    ]
    found = [names for names in raised(*events) if names]
    borrower = Behaviour(borrower_ref="B-1")
    for one in events[:9]:
        borrower = observe(borrower, one, RULES)

    assert found == [["PAYS_LATER"], ["PAYS_LATER"]]
    assert days_to_pay(borrower.signs) == (3, 4.75)


def test_a_debit_returned_days_later_counts_from_the_due_date() -> None:
    """Late again ten days on, because the money was taken back: paid up 15 days after the due."""
    events = [
        *month(1, "2026-01-05", 1),
        fact(20, "2026-02-05", "INSTALMENT_DUE"),
        fact(21, "2026-02-15", "DELINQUENCY_STARTED"),
        fact(22, "2026-02-20", "CURED"),
    ]
    borrower = Behaviour(borrower_ref="B-1")
    for one in events:
        borrower = observe(borrower, one, RULES)

    assert days_to_pay(borrower.signs) == (2, 7.75)


def test_late_once_and_then_on_time_is_no_drift() -> None:
    """A week late, then paid when due: the average falls by half with each instalment."""
    dues = ["2026-01-05", "2026-02-05", "2026-03-05", "2026-04-05"]
    events = [
        one
        for number, (due_on, late) in enumerate(zip(dues, [7, 0, 0, 2], strict=True), start=1)
        for one in month(number, due_on, late)
    ]

    assert not any(raised(*events))


def test_a_fall_of_income_warns_until_it_is_back() -> None:
    """Raised at 80 % of the highest of the last 400 days, cleared at 95 %, each currency alone."""
    events = [
        income("2026-01-05", 100_000),
        income("2026-02-05", 90_000),
        income("2026-03-05", 8_000, "EUR"),
        income("2026-04-05", 80_000),
        income("2026-05-05", 70_000),
        income("2026-06-01", 96_000),
        income("2026-06-20", 60_000),
        income("2026-06-25", 100_000),
    ]
    found = raised(*events)

    assert found == [[], [], [], ["INCOME_FALLING"], [], [], ["INCOME_FALLING"], []]


def test_an_income_confirmed_long_ago_warns_nobody() -> None:
    """What was confirmed more than thirty days before we had it is kept as STALE."""
    found = raised(
        income("2026-01-05", 100_000), income("2026-02-05", 50_000, known_on="2026-03-20")
    )

    assert found == [[], ["INCOME_FALLING STALE"]]


def test_an_income_told_twice_was_known_when_first() -> None:
    """Two applications show one confirmation: in either order it was known at the earlier one."""
    first, second = (
        income("2026-02-05", 50_000, known_on="2026-02-10"),
        income("2026-02-05", 50_000, known_on="2026-03-20"),
    )
    for order in ([first, second], [second, first]):
        borrower = observe(Behaviour(borrower_ref="B-1"), income("2026-01-05", 100_000), RULES)
        for one in order:
            borrower = observe(borrower, one, RULES)
        (alert,) = alerts_of(borrower, RULES).values()
        assert (alert.known_on, alert.outcome) == (date(2026, 2, 10), AlertOutcome.UNSPECIFIED)


def test_debts_elsewhere_that_rise_warn() -> None:
    """Half as much again and 500.00 a month more, or two lenders more, than any report before."""
    events = [
        report(1, "2026-01-05", monthly_minor=200_000, lenders=1),
        report(2, "2026-02-05", monthly_minor=240_000, lenders=2),
        report(3, "2026-03-05", monthly_minor=300_000, lenders=2),
        report(4, "2026-03-25", monthly_minor=280_000, lenders=2),
        report(5, "2026-04-05", monthly_minor=240_000, lenders=1),
        report(6, "2026-04-25", monthly_minor=240_000, lenders=3),
    ]

    assert raised(*events) == [
        [],
        [],
        ["DEBT_RISING_ELSEWHERE"],
        [],
        [],
        ["DEBT_RISING_ELSEWHERE"],
    ]


def test_a_report_kept_before_debts_were_told_is_no_debt_of_nought() -> None:
    """Earlier versions kept reports without payments: nothing can be held against them."""
    before = fact(0, "2026-01-05", REPORT, name="report/pboc/0")

    assert not any(raised(before, report(1, "2026-02-05", monthly_minor=900_000, lenders=9)))


def test_enquiries_of_a_week_or_a_quarter_warn_as_those_of_a_month() -> None:
    """Any of the three counts raises it, and all three must be few again to clear it."""
    events = [
        report(1, "2026-01-05", count_7d=2, count=4, count_90d=8),
        report(2, "2026-02-10", count_7d=3, count=3, count_90d=3),
        report(3, "2026-03-01", count_7d=0, count=2, count_90d=5),
        report(4, "2026-03-20", count_7d=0, count=1, count_90d=4),
        report(5, "2026-04-20", count_7d=0, count=1, count_90d=9),
    ]

    assert raised(*events) == [[], ["ENQUIRIES_MANY"], [], [], ["ENQUIRIES_MANY"]]


def test_a_guarantor_in_default_warns_until_that_is_taken_back() -> None:
    """The borrower's loan is named; a restatement of the guarantor's loan takes the sign back."""
    told = fact(4, "2026-03-05", GUARANTOR, name="guarantor/L-9/4", log_version=12)
    own = fact(12, "2026-03-05", "GRACE_EXPIRED", log_version=12)
    borrower = observe(observe(Behaviour(borrower_ref="B-1"), told, RULES), own, RULES)
    alerts = alerts_of(borrower, RULES)
    after = restated(borrower, "L-9", frozenset({12}))

    assert list(alerts) == ["2026-03-05.L-1.GUARANTOR_IN_DEFAULT", "2026-03-05.L-1.GRACE_EXPIRED"]
    assert alerts["2026-03-05.L-1.GUARANTOR_IN_DEFAULT"].evidence == ("guarantor/L-9/4",)
    assert list(alerts_of(after, RULES)) == ["2026-03-05.L-1.GRACE_EXPIRED"]
    assert observe(after, told, RULES) == after
