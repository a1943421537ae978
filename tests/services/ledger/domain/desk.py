"""A loan without a store: carries commands out the way the ledger does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.decide import decide
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.dates import DayCount
from shared.kernel.money import parse_amount

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
TERMS = Terms(
    currency="CNY",
    principal_minor=1_200_000,
    rate_annual=Decimal("0.12"),
    method=RepaymentMethod.EQUAL_PRINCIPAL,
    day_count=DayCount.THIRTY_360,
    instalments=12,
    months_per_instalment=1,
    first_due_on=date(2026, 2, 5),
    grace_days=3,
    penalty_rate_annual=Decimal("0.18"),
)


class Desk:
    """Carries commands out on one loan, the way the ledger does, without a store."""

    def __init__(
        self,
        terms: Terms = TERMS,
        disbursed_on: date = date(2026, 1, 5),
        part: str = "",
        parts: int = 1,
    ) -> None:
        self.events: list[ev.Fact] = []
        self.account: LoanAccount | None = None
        self.on = disbursed_on
        self.count = 0
        terms = msgspec.structs.replace(terms, disbursements_max=parts)
        amount = parse_amount(part, "CNY") if part else terms.principal_minor
        self.ask(cmd.OpenLoan, borrower_ref="B", product="p", terms=terms)
        self.ask(cmd.DisburseLoan, value_on=disbursed_on, amount_minor=amount, currency="CNY")

    def ask(self, kind: type[cmd.Asked], /, **asked: object) -> list[ev.Fact]:
        self.count += 1
        command = kind(
            loan_id="L-1",
            request_id=f"r-{self.count}",
            recorded_at=NOW + timedelta(seconds=self.count),
            business_on=self.on,
            **asked,
        )
        events = decide(self.account, command)
        self.account = fold(events, self.account)
        self.events += events
        return events

    def go_to(self, on: date) -> list[ev.Fact]:
        self.on = on
        return self.ask(cmd.AgeLoan, to_on=on)

    def repay(self, amount: str, on: date | None = None) -> list[ev.Fact]:
        minor = parse_amount(amount, "CNY")
        return self.ask(
            cmd.PostRepayment, value_on=on or self.on, amount_minor=minor, currency="CNY"
        )
