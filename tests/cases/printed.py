"""A checkpoint's printed dues as a contract of agreed instalments, paid by the live repayments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain.terms import PLANNED_AGAIN, RepaymentMethod
from services.ledger.domain.timeline import Timeline
from tests.cases.contract import CURRENCY, terms_of
from tests.cases.servicing import Case, Servicer, minor


def as_printed(servicer: Servicer, periods: list[Case]) -> Timeline:
    """
    Replay the live repayments on the dues of a printed table.

    Used where steps that the case does not carry (a moved due date, a waiver) changed the dues.
    """
    assert servicer.account is not None and servicer.account.disbursed_on is not None
    start = servicer.account.disbursed_on
    again = Servicer(servicer.case)
    again.today = max(servicer.today, date.fromisoformat(periods[-1]["due_date"]))
    owed = [p for p in periods if minor(p["principal_due"]) or minor(p["interest_due"])]
    total = sum(minor(p["principal_due"]) for p in owed)
    dates = tuple(date.fromisoformat(p["due_date"]) for p in owed)
    terms = msgspec.structs.replace(
        terms_of(servicer.case, [(start, str(Decimal(total) / 100))], servicer.rules, None),
        method=RepaymentMethod.AGREED,
        instalments=len(owed),
        first_due_on=dates[0],
        due_dates=dates,
        agreed=tuple((minor(p["principal_due"]), minor(p["interest_due"])) for p in owed),
        **PLANNED_AGAIN,
        due_day=0,
        disbursements_max=1,
    )
    again.ask(cmd.OpenLoan, borrower_ref="b", product="case", terms=terms)
    again.ask(
        cmd.DisburseLoan,
        value_on=start,
        amount_minor=terms.principal_minor,
        currency=CURRENCY,
    )
    for period in periods:
        for name, kind in (("LOAN_FEE", "fees"), ("LOAN_NSF_FEE", "penalties")):
            if minor(period[kind]):
                due = date.fromisoformat(period["due_date"])
                again.charge(name, due, period[kind], known_on=start)
    for on, kind, _, amount in servicer.live():
        again.pay(on, amount, kind)
    return again.line(servicer.today)
