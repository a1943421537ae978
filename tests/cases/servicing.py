"""Published servicing scenarios, carried out with the commands that the API uses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.ledger.domain import commands as cmd
from services.ledger.domain.decide import decide
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.waterfall import Component, PaymentSource
from shared.kernel.money import parse_amount
from tests.cases.contract import CURRENCY, SOURCES, terms_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Case = dict[str, Any]


class Servicer:
    """One loan of a case: asks the ledger's commands, keeps what the other system would show."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rules: dict[str, str] = {}
        self.today = date(1900, 1, 1)
        self.account: LoanAccount | None = None
        self.count = 0
        self.repayments: list[tuple[date, str, str, str]] = []

    def ask(self, kind: type[cmd.Asked], **asked: Any) -> str:
        """Carry one command out; returns its request id."""
        self.count += 1
        command = kind(
            loan_id=self.case["id"],
            request_id=f"r{self.count}",
            recorded_at=NOW + timedelta(seconds=self.count),
            business_on=self.today,
            **asked,
        )
        self.account = fold(decide(self.account, command), self.account)
        return command.request_id

    def open(self, disbursed: list[tuple[date, str]], dates: list[date] | None = None) -> None:
        """Open the contract; its first due date follows from the first disbursement."""
        terms = terms_of(self.case, disbursed, self.rules, dates)
        self.ask(cmd.OpenLoan, borrower_ref="b", product="case", terms=terms)

    def disburse(self, on: date, amount: str) -> None:
        """Pay money out, and take the down payment where it is automatic."""
        self.ask(cmd.DisburseLoan, value_on=on, **money(amount))
        if self.case["product"].get("auto_down_payment"):
            rows = self.line(on).rows
            down = sum(r.principal_unpaid for r in rows if r.start_on == r.due_on == on)
            self.pay(on, str(Decimal(down) / 100), "DOWN_PAYMENT")

    def pay(self, on: date, amount: str, kind: str) -> None:
        """Take money in."""
        source = SOURCES.get(kind.upper(), PaymentSource.BORROWER)
        done = self.ask(cmd.PostRepayment, value_on=on, source=source, **money(amount))
        self.repayments.append((on, kind.upper(), done, amount))

    def reverse(self, on: date, nth: int, kind: str | None) -> None:
        """Take the nth repayment of a date back; without a kind, money paid out counts too."""
        wanted = (kind or "").upper().replace(" ", "_")
        alike = [r for r in self.live() if not wanted or r[1] == wanted] or self.live()
        same = [r for r in alike if r[0] == on] or alike
        before = 0 if wanted else sum(day == on for day, _ in self.line(on).paid_out)
        repayment = same[max(0, nth - 1 - before)]
        self.ask(cmd.ReverseRepayment, repayment_id=repayment[2], reason="returned")

    def charge(self, name: str, due: date, amount: str, known_on: date | None = None) -> None:
        """Charge an amount: it counts from its due date, or from when it is known if earlier."""
        assert self.account is not None and self.account.disbursed_on is not None
        counts_on = min(due, known_on or self.today)
        penalty = "NSF" in name or "PENALTY" in name
        self.ask(
            cmd.ApplyCharge,
            value_on=max(self.account.disbursed_on, counts_on),
            due_on=due,
            component=Component.PENALTY if penalty else Component.FEE,
            reason=name,
            **money(amount),
        )

    def live(self) -> list[tuple[date, str, str, str]]:
        """Return the repayments that were not taken back, in the order in which they came."""
        assert self.account is not None
        return [r for r in self.repayments if r[2] not in self.account.reversed_ids]

    def line(self, on: date | None = None) -> Timeline:
        """Return the loan on a date."""
        assert self.account is not None
        line = self.account.timeline(on or self.today)
        assert line is not None
        return line


def money(amount: str) -> dict[str, Any]:
    """Read an amount as the commands take it."""
    return {"amount_minor": parse_amount(str(amount), CURRENCY), "currency": CURRENCY}


def check_schedule(case: Case) -> list[str]:
    """Open, pay out and compare the plan; returns what differs."""
    servicer = Servicer(case)
    draws = [(date.fromisoformat(d["date"]), d["amount"]) for d in case["disbursements"]]
    wanted = [date.fromisoformat(p["due_date"]) for p in case["expected_schedule"]]
    unit_test = "period_from" in case["loan"]
    servicer.today = max([draws[-1][0], wanted[-1]])
    servicer.open(draws, wanted if unit_test else None)
    for on, amount in draws:
        servicer.disburse(on, amount)
    for transaction in case["transactions"]:
        _transact(servicer, transaction)
    return _compare_plan(case["expected_schedule"], servicer.line(wanted[-1]))


def _transact(servicer: Servicer, given: Case) -> None:
    """Carry one listed transaction out."""
    action = given["action"]
    if action == "repayment":
        servicer.pay(date.fromisoformat(given["date"]), given["amount"], "REPAYMENT")
    elif action == "interest_pause":
        servicer.ask(
            cmd.PauseInterest,
            from_on=date.fromisoformat(given["start"]),
            until_on=date.fromisoformat(given["end"]),
            reason="pause",
            approved_by="case",
        )
    else:
        raise NotImplementedError(f"transaction {action}")


def _compare_plan(wanted: list[Case], line: Timeline) -> list[str]:
    """Compare due date, days, principal, interest and balance per period."""
    differs, rows = [], line.rows
    if len(wanted) != len(rows):
        differs.append(f"{len(wanted)} periods expected, {len(rows)} found")
    repaid = 0
    for given, row in zip(wanted, rows, strict=False):
        repaid += row.principal_due
        out = sum(draw.amount_minor for draw in line.plan.draws if draw.on <= row.due_on)
        expected: dict[str, Any] = {
            "balance": minor(given["balance"]),
            "due_date": date.fromisoformat(given["due_date"]),
            "principal_due": minor(given["principal_due"]),
            "interest_due": minor(given["interest_due"]),
        }
        found: dict[str, Any] = {
            "balance": out - repaid,
            "due_date": row.due_on,
            "principal_due": row.principal_due,
            "interest_due": row.interest_due,
        }
        if given.get("days") is not None and row.period is not None:
            expected["days"] = int(given["days"])
            found["days"] = (row.period.due_on - row.period.start_on).days
        differs += diff(f"period {given.get('nr')}", expected, found)
    return differs


def minor(text: Any) -> int:
    """Read a printed figure as minor units."""
    return parse_amount(str(text or "0"), CURRENCY)


def diff(place: str, wanted: Case, found: Case) -> list[str]:
    """Name every figure that differs."""
    return [
        f"{place}: {name} {wanted[name]} expected, {found[name]} found"
        for name in wanted
        if wanted[name] != found[name]
    ]
