"""The main story: three applications, three lives, told through the public APIs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.stories.conftest import UNTIL_SECONDS_MAX, Suite
from tests.system.processes import CallRefused

LOANS = ("L-paid", "L-plan", "L-lost")
REST_SECONDS = 3.0
GOOD_RISK = {
    "status_of_existing_checking_account": "no checking account",
    "duration_in_month": "12",
    "credit_history": "critical account/ other credits existing (not at this bank)",
    "purpose": "radio/television",
    "credit_amount": "1200",
}


def cny(amount_minor: int) -> dict[str, str]:
    return {"amountMinor": str(amount_minor), "currency": "CNY"}


class Story:
    """Tells the story; after each step `interrupt` may do its worst."""

    def __init__(self, suite: Suite, interrupt: Callable[[], None] = lambda: None) -> None:
        self.suite, self.interrupt, self.steps = suite, interrupt, 0

    def ask(self, service: str, method: str, /, **body: Any) -> dict[str, Any]:
        self.steps += 1
        answer = self.suite.call(service, method, requestId=f"story-{self.steps}", **body)
        self.interrupt()
        return answer

    def refused(self, text: str, service: str, method: str, /, **body: Any) -> None:
        self.steps += 1
        with pytest.raises(CallRefused, match=text):
            self.suite.call(service, method, requestId=f"story-{self.steps}", **body)

    def day(self, to: str) -> None:
        self.ask("ledger", "AdvanceBusinessDate", to=to)

    def repay(self, loan: str, on: str, amount_minor: int) -> str:
        answer = self.ask(
            "ledger", "PostRepayment", loanId=loan, valueOn=on, amount=cny(amount_minor)
        )
        return answer["repaymentId"]

    def loan(self, loan: str) -> dict[str, Any]:
        return self.suite.call("ledger", "GetLoan", loanId=loan)

    def case(self, loan: str) -> dict[str, Any]:
        return self.suite.call("collections", "GetCase", loanId=loan)

    def stage(self, loan: str, stage: str) -> None:
        self.suite.until(lambda: self.case(loan).get("stage") == stage, f"{loan} in {stage}")

    def promise(self, loan: str, made_on: str, due_on: str, amount_minor: int) -> None:
        at = f"{made_on}T10:00:00+08:00"
        self.refused(
            "08:00 to 22:00|it is 23:00",
            "collections",
            "RecordContact",
            loanId=loan,
            at=f"{made_on}T23:00:00+08:00",
            channel="call",
            outcome="reached",
        )
        call = {"loanId": loan, "at": at, "channel": "call", "outcome": "reached"}
        self.ask("collections", "RecordContact", **call)
        promise = {"loanId": loan, "madeOn": made_on, "dueOn": due_on}
        self.ask("collections", "RecordPromise", amount=cny(amount_minor), **promise)

    def promised(self, loan: str, status: str) -> None:
        self.suite.until(
            lambda: [p["status"] for p in self.case(loan)["promises"]] == [status],
            f"promise of {loan} is {status}",
        )

    def lend(self, name: str) -> None:
        """From an application to money paid out."""
        self.ask(
            "origination",
            "SubmitApplication",
            applicationId=name,
            borrowerRef=f"B-{name}",
            applicantName="Li Lei",
            identityNumber="11010119900307",
            product="consumer-2026",
            amount=cny(1_200_000),
            instalments=12,
            method="REPAYMENT_METHOD_LEVEL_INSTALMENT",
            monthlyIncome=cny(1_000_000),
            monthlyDebtPayments=cny(0),
            ageYears=34,
            purpose="radio/television",
            attributes=GOOD_RISK,
            appliedOn="2026-01-05",
        )
        decided = self.ask("origination", "DecideApplication", applicationId=name)
        assert decided["status"] == "APPLICATION_STATUS_OFFERED", decided
        assert decided["decision"]["reasons"]
        self.refused("cannot accept", "origination", "AcceptContract", applicationId=name)
        shown = self.ask("origination", "ShowDisclosure", applicationId=name)
        read = {"applicationId": name, "disclosureSha256": shown["disclosureSha256"]}
        time.sleep(1.1)
        self.ask("origination", "ConfirmDisclosure", **read)
        self.ask("origination", "AcceptContract", applicationId=name)
        self.ask("origination", "DisburseApplication", applicationId=name)
        self.ask("origination", "DisburseApplication", applicationId=name)

    def tell(self) -> dict[str, Any]:
        """Tell it all and return how it ended."""
        self.day("2026-01-05")
        for name in ("paid", "plan", "lost"):
            self.lend(name)
        self.february()
        self.spring()
        self.summer()
        return self.ending()

    def february(self) -> None:
        """One pays; two are late, inside grace and then beyond it; one promises and breaks it."""
        self.day("2026-02-05")
        self.repay("L-paid", "2026-02-05", 106_619)
        self.day("2026-02-06")
        self.stage("L-plan", "GRACE")
        self.day("2026-02-09")
        self.stage("L-plan", "M1")
        self.promise("L-plan", "2026-02-09", "2026-02-12", 106_619)
        english = {"loanId": "L-plan", "language": "en", "timeZone": "Asia/Shanghai"}
        self.ask("collections", "SetPreferences", **english)
        self.day("2026-02-13")
        self.promised("L-plan", "PROMISE_STATUS_BROKEN")

    def spring(self) -> None:
        """In advance, in part, a promise kept, a debit returned; the other gets a plan."""
        self.day("2026-03-10")
        self.repay("L-paid", "2026-03-01", 106_619)
        self.stage("L-plan", "M2")
        plan = {"loanId": "L-plan", "instalments": 24, "firstDueOn": "2026-04-10"}
        plan |= {"rateAnnual": "0.06", "reason": "income fell", "proposedBy": "officer-1"}
        self.ask("collections", "ProposeHardshipPlan", **plan)
        approve = {"loanId": "L-plan", "effectiveOn": "2026-03-10"}
        own = {**approve, "approvedBy": "officer-1"}
        self.refused("another person", "collections", "ApproveHardshipPlan", **own)
        self.ask("collections", "ApproveHardshipPlan", **approve, approvedBy="officer-2")
        self.day("2026-04-05")
        self.repay("L-paid", "2026-04-05", 50_000)
        self.day("2026-04-07")
        self.stage("L-paid", "GRACE")
        self.promise("L-paid", "2026-04-07", "2026-04-10", 56_619)
        self.day("2026-04-08")
        self.repay("L-paid", "2026-04-08", 56_619)
        self.promised("L-paid", "PROMISE_STATUS_KEPT")

    def summer(self) -> None:
        """A returned debit, a settlement, a charge-off and a recovery."""
        self.day("2026-05-05")
        debit = self.repay("L-paid", "2026-05-05", 106_619)
        self.day("2026-05-08")
        self.ask(
            "ledger", "ReverseRepayment", loanId="L-paid", repaymentId=debit, reason="returned"
        )
        self.repay("L-paid", "2026-05-08", 106_619)
        self.day("2026-05-20")
        self.repay("L-paid", "2026-05-20", int(self.loan("L-paid")["payoffMinor"]))
        closed = {"loanId": "L-paid", "valueOn": "2026-05-20", "amount": cny(1)}
        self.refused("is settled", "ledger", "PostRepayment", **closed)
        self.day("2026-06-05")
        off = {"loanId": "L-lost", "effectiveOn": "2026-06-05", "reason": "120 days"}
        self.ask("ledger", "ChargeOffLoan", **off)
        money = {"loanId": "L-lost", "valueOn": "2026-06-05", "amount": cny(50_000)}
        self.ask("ledger", "PostRecovery", **money)

    def ending(self) -> dict[str, Any]:
        """Return loans and cases once everything was heard."""
        wanted = {"L-paid": "CLOSED", "L-plan": "OPEN", "L-lost": "OPEN"}
        for loan, status in wanted.items():
            self.suite.until(
                lambda loan=loan, status=status: (
                    self.case(loan)["status"] == f"CASE_STATUS_{status}"
                ),
                f"case of {loan} is {status}",
            )
        return self.at_rest()

    def at_rest(self) -> dict[str, Any]:
        """Return loans and cases once nothing has changed for a while."""
        told, since = self.told(), time.monotonic()
        deadline = since + UNTIL_SECONDS_MAX
        while time.monotonic() < since + REST_SECONDS:
            assert time.monotonic() < deadline, "loans and cases do not come to rest"
            time.sleep(0.2)
            now = self.told()
            if now != told:
                told, since = now, time.monotonic()
        return told

    def told(self) -> dict[str, Any]:
        """
        Return loans and cases as they are now.

        What is to be done next is left out: of weeks that pass in one step, a stage's call is
        a task only where somebody looked while the case was in that stage.
        """
        return {
            "loans": {loan: self.loan(loan) for loan in LOANS},
            "cases": {loan: without(self.case(loan), "nextAction") for loan in LOANS},
        }


def without(shown: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return what is shown without the fields whose names begin so."""
    return {name: value for name, value in shown.items() if not name.startswith(prefix)}
