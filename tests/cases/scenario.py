"""A published scenario step by step: do what it does, and compare where it says what it expects."""

from __future__ import annotations

from datetime import date, timedelta

from services.ledger.domain import commands as cmd
from services.ledger.domain.cure import days_counted, days_paused
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.timeline import Row, Timeline
from services.ledger.domain.waterfall import Component
from tests.cases.clipped import clipped_figures, clipped_ranges
from tests.cases.printed import as_printed
from tests.cases.servicing import Case, Servicer, diff, minor, money


def check_scenario(case: Case) -> list[str]:
    """Carry a payment or delinquency case out; returns what differs at its checkpoints."""
    steps = Steps(case)
    for step in case["timeline"]:
        if "do" in step:
            steps.do(step["do"])
        else:
            steps.differs += [f"line {step['line']}: {d}" for d in steps.expect(step["expect"])]
    return steps.differs


class Steps:
    """One scenario on its way."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.servicer = Servicer(case)
        self.differs: list[str] = []
        self.created = False
        self.shown_class = "NO_DELINQUENCY"
        self.shown_ranges: dict[str, int] = {}

    def do(self, given: Case) -> None:
        """Carry one step out."""
        getattr(self, f"_do_{given['action']}")(given)

    def _do_set_business_date(self, given: Case) -> None:
        self.servicer.today = date.fromisoformat(given["date"])

    def _do_set_future_installment_rule(self, given: Case) -> None:
        if not self.created:
            self.servicer.rules[given["transaction_type"]] = given["rule"]

    def _do_create_loan(self, given: Case) -> None:
        self.created = True

    def _do_approve(self, given: Case) -> None:
        pass

    def _do_disburse(self, given: Case) -> None:
        on = date.fromisoformat(given["date"])
        if self.servicer.account is None:
            steps = [step["do"] for step in self.case["timeline"] if "do" in step]
            out = [s for s in steps if s["action"] == "disburse"]
            self.servicer.open([(date.fromisoformat(s["date"]), s["amount"]) for s in out])
        self.servicer.disburse(on, given["amount"])

    def _do_repayment(self, given: Case) -> None:
        on = date.fromisoformat(given["date"])
        self.servicer.pay(on, given["amount"], given["type"])
        self._show()

    def _do_reverse(self, given: Case) -> None:
        self.servicer.reverse(date.fromisoformat(given["date"]), given["nth"], given["type"])
        self._show()

    def _do_add_charge(self, given: Case) -> None:
        due = date.fromisoformat(given["due"])
        self.servicer.charge(given["charge"], due, given["amount"])

    def _do_run_cob(self, given: Case) -> None:
        if self.servicer.account is None:
            return
        self.servicer.ask(cmd.AgeLoan, to_on=self.servicer.today)
        paused = any(a <= self.servicer.today <= b for a, b in self._line().pauses)
        if not paused:
            self._show()

    def _do_delinquency_pause(self, given: Case) -> None:
        self.servicer.ask(
            cmd.PauseDelinquency,
            from_on=date.fromisoformat(given["start"]),
            until_on=date.fromisoformat(given["end"]),
            reason="pause",
        )

    def _do_delinquency_resume(self, given: Case) -> None:
        on = date.fromisoformat(given["start"])
        self.servicer.ask(cmd.ResumeDelinquency, on=on, reason="resume")

    def _rows(self) -> list[Row]:
        """Return the loan's table, or the one it would have if it were paid out as agreed."""
        if self.servicer.account is not None:
            return self._line().rows
        planned, loan = Servicer(self.case), self.case["loan"]
        on = planned.today = date.fromisoformat(loan["submitted_on"])
        planned.open([(on, loan["principal"])])
        planned.ask(cmd.DisburseLoan, value_on=on, **money(loan["principal"]))
        return planned.line(on).rows

    def _line(self) -> Timeline:
        account = self.servicer.account
        assert account is not None and account.disbursed_on is not None
        return self.servicer.line(max(self.servicer.today, account.disbursed_on))

    def _show(self) -> None:
        """Keep what the other system's last day-end or repayment would show."""
        line = self._line()
        self.shown_class = standing_of(line).buckets["range"]
        self.shown_ranges = {}
        scheme = line.terms.delinquency.schemes[0]
        if self.shown_class == scheme.edges[0][1]:
            return
        for row in line.overdue:
            days = days_counted(line, row.due_on) + _uncounted(line, row)
            name = scheme.bucket(days)
            if days > 0:
                self.shown_ranges[name] = self.shown_ranges.get(name, 0) + row.unpaid

    def expect(self, given: Case) -> list[str]:
        """Compare one expectation; kinds that are another system's own are passed over."""
        check = getattr(self, f"_expect_{given['kind']}", None)
        return check(given) if check else []

    def _expect_schedule(self, given: Case) -> list[str]:
        """Compare the loan's own table; by the convention, its payments on the printed dues."""
        periods = given["periods"]
        wanted = [_printed(period) for period in periods]
        rows = self._rows()
        if self.servicer.account is not None and wanted != [_found(row) for row in rows]:
            rows = as_printed(self.servicer, periods).rows
        if len(rows) != len(periods):
            return [f"{len(periods)} periods expected, {len(rows)} found"]
        differs, compared = [], _PAID if self.servicer.account else (*_DUES, *_PAID)
        for period, row in zip(periods, rows, strict=True):
            expected = {name: minor(period[name]) for name in compared}
            differs += diff(f"period {period['nr']}", expected, _found(row))
        return differs

    def _expect_outstanding_amount(self, given: Case) -> list[str]:
        line = self._line()
        found = sum(row.unpaid for row in line.rows)
        return diff("outstanding", {"amount": minor(given["amount"])}, {"amount": found})

    def _expect_overpaid_amount(self, given: Case) -> list[str]:
        found = {"amount": self._line().unallocated}
        return diff("overpaid", {"amount": minor(given["amount"])}, found)

    def _expect_delinquency_range(self, given: Case) -> list[str]:
        since = self._since()
        wanted = {"range": given["range"], "delinquent_date": given["delinquent_date"] or None}
        found = {"range": self.shown_class, "delinquent_date": since}
        return self._diff_of_loan(given, wanted, found)

    def _expect_delinquency_loan(self, given: Case) -> list[str]:
        found: Case = {
            "classification": self.shown_class,
            "delinquentAmount": 0,
            "delinquentDate": "null",
            "delinquentDays": 0,
            "pastDueDays": 0,
        }
        if self.servicer.account is not None and (overdue := self._line().overdue):
            line = self._line()
            found["delinquentAmount"] = sum(row.unpaid for row in overdue)
            found["delinquentDate"] = self._since()
            found["delinquentDays"] = days_counted(line, overdue[0].due_on)
            found["pastDueDays"] = standing_of(line).days_past_due
        wanted = {
            **{name: given[name] for name in ("classification", "delinquentDate")},
            "delinquentAmount": minor(given["delinquentAmount"]),
            "delinquentDays": int(given["delinquentDays"]),
            "pastDueDays": int(given["pastDueDays"]),
        }
        return self._diff_of_loan(given, wanted, found)

    def _diff_of_loan(self, given: Case, wanted: Case, found: Case) -> list[str]:
        """Compare figures of the whole loan, but those that the case names as a known defect."""
        told = clipped_figures(self.case, given)
        kept = {name: wanted[name] for name in wanted if str(found[name]) not in told}
        return diff("loan", kept, found)

    def _expect_delinquency_installments(self, given: Case) -> list[str]:
        wanted: dict[str, int] = {}
        for row in given["rows"]:
            wanted[row["Range"]] = wanted.get(row["Range"], 0) + minor(row["Amount"])
        found = dict(sorted(self.shown_ranges.items()))
        clipped = clipped_ranges(self.case, given)
        ranges = dict(sorted(wanted.items())) if clipped is None else clipped
        return diff("instalments", {"ranges": ranges}, {"ranges": found})

    def _since(self) -> str | None:
        """Return the day from which the other system calls the loan delinquent."""
        if self.servicer.account is None or not self._line().overdue:
            return None
        line = self._line()
        grace = timedelta(days=line.terms.delinquency.uncounted_days)
        return (line.overdue[0].due_on + grace).isoformat()


_PAID = ("paid", "paid_in_advance", "paid_late")
_DUES = ("principal_due", "interest_due", "fees", "penalties")


def _printed(period: Case) -> Case:
    amounts = {name: minor(period[name]) for name in (*_DUES, *_PAID)}
    return {"due_date": date.fromisoformat(period["due_date"]), **amounts}


def _found(row: Row) -> Case:
    return {
        "due_date": row.due_on,
        "principal_due": row.principal_due,
        "interest_due": row.interest_due,
        "fees": row.charged(Component.FEE),
        "penalties": row.charged(Component.PENALTY),
        "paid": row.paid,
        "paid_in_advance": row.paid_in_advance,
        "paid_late": row.paid_late,
    }


def _uncounted(line: Timeline, row: Row) -> int:
    """Give instalments back the days that the convention takes off at loan level only."""
    elapsed = (line.on - row.due_on).days - days_paused(line.pauses, row.due_on, line.on)
    return min(elapsed, line.terms.delinquency.uncounted_days)
