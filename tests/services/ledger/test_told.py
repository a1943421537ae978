"""What the stream tells of a loan: nobody has to call back to know why it is that late."""

from __future__ import annotations

from datetime import date

import msgspec
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.events_pb2 import (
    DIRECTION_BETTER,
    DIRECTION_WORSE,
)

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.policies import EU_RETAIL_2
from services.ledger.domain.waterfall import Component
from tests.services.ledger.domain.desk import TERMS, Desk
from tests.services.ledger.telling import of_type, total


def test_a_bucket_change_says_which_debts_made_it() -> None:
    """Due dates, unpaid amounts by component, the policy's version, the edge that was crossed."""
    desk = Desk()

    desk.go_to(date(2026, 3, 8))

    last = of_type(desk, "BUCKET_CHANGED")[-1]
    chain = last.reason_chain
    assert (last.scheme, last.bucket_from, last.bucket_to) == ("m", "M1", "M2")
    assert (last.direction, chain.bucket_from_days) == (DIRECTION_WORSE, 31)
    assert chain.delinquency_policy == "cn-consumer/1"
    assert (chain.cause, chain.cause_log_version) == ("", 0)
    # 1000.00 a month and 1 % of what is outstanding; 31 days of 18 % on 1000.00, by 30/360.
    rows = [(one.number, one.due_on, one.days_past_due) for one in chain.instalments]
    assert rows == [(1, "2026-02-05", 31), (2, "2026-03-05", 3)]
    first = chain.instalments[0].unpaid
    assert (first.principal_minor, first.interest_minor) == (100_000, 12_000)
    assert first.penalty_minor > 0
    late = last.delinquency
    assert last.arrears.principal_minor == late.principal_overdue_minor
    assert last.arrears.interest_minor == late.interest_overdue_minor
    assert total(last.arrears) == sum(total(one.unpaid) for one in chain.instalments)


def test_a_change_by_money_names_the_fact_that_brought_it() -> None:
    """The repayment's id, and its version in the log, which its own message carries too."""
    desk = Desk()
    desk.go_to(date(2026, 3, 10))

    desk.repay("1140.00")

    better = of_type(desk, "BUCKET_CHANGED")[-1]
    (paid,) = of_type(desk, "REPAYMENT_POSTED")
    assert (better.bucket_from, better.bucket_to) == ("M2", "M1")
    assert better.direction == DIRECTION_BETTER
    assert better.reason_chain.cause == "RepaymentPosted"
    assert better.reason_chain.cause_log_version == paid.log_version
    assert better.reason_chain.request_id == f"r-{desk.count}"
    assert better.reason_chain.bucket_from_days == 1


def test_an_instalment_due_says_what_is_due() -> None:
    """So a reminder can name the amount; it is no arrears yet."""
    desk = Desk()

    desk.go_to(date(2026, 2, 5))

    (due,) = of_type(desk, "INSTALMENT_DUE")
    assert [total(one.unpaid) for one in due.reason_chain.instalments] == [112_000]
    assert total(due.arrears) == 0


def test_a_change_names_the_policy_of_its_contract() -> None:
    """A contract under another policy is not said to be classified by the default one."""
    desk = Desk(msgspec.structs.replace(TERMS, delinquency=EU_RETAIL_2))

    desk.go_to(date(2026, 3, 20))

    recorded = [e for e in desk.events if isinstance(e, ev.TransitionRecorded)]
    assert {e.delinquency_policy for e in recorded if e.transitions} == {"eu-retail/2"}
    changed = of_type(desk, "BUCKET_CHANGED")
    assert {one.reason_chain.delinquency_policy for one in changed} == {"eu-retail/2"}


def test_charges_are_told_with_their_component() -> None:
    """A penalty and a fee, and that what is unpaid of one is owed no more."""
    desk = Desk()
    desk.go_to(date(2026, 2, 20))
    charge = {"value_on": desk.on, "currency": "CNY", "reason": "late"}

    desk.ask(cmd.ApplyCharge, amount_minor=2_500, component=Component.PENALTY, **charge)
    penalty = f"r-{desk.count}"
    desk.ask(cmd.ApplyCharge, amount_minor=900, due_on=date(2026, 3, 5), **charge)
    waiver = {"value_on": desk.on, "approved_by": "officer-2", "reason": "goodwill"}
    desk.ask(cmd.WaiveCharge, charge_id=penalty, **waiver)

    applied, waived = of_type(desk, "CHARGE_APPLIED"), of_type(desk, "CHARGE_WAIVED")
    assert [(c.component, c.amount_minor, c.due_on) for c in applied] == [
        (loan_pb2.COMPONENT_PENALTY, 2_500, ""),
        (loan_pb2.COMPONENT_FEE, 900, "2026-03-05"),
    ]
    assert [(c.charge_id, c.component, c.amount_minor) for c in waived] == [
        (penalty, loan_pb2.COMPONENT_PENALTY, 2_500)
    ]
    assert applied[0].charge_id == penalty


def test_a_dated_charge_is_part_of_the_arrears_that_it_makes() -> None:
    """By its component, beside the instalment that it is due with."""
    desk = Desk()
    charge = {"value_on": desk.on, "currency": "CNY", "reason": "notary"}
    desk.ask(
        *(cmd.ApplyCharge,),
        **{"amount_minor": 4_000, "component": Component.COST, "due_on": date(2026, 2, 5)},
        **charge,
    )

    desk.go_to(date(2026, 2, 6))

    late = of_type(desk, "BUCKET_CHANGED")[-1]
    assert late.arrears.cost_minor == 4_000
    assert late.delinquency.charges_overdue_minor == 4_000


def test_a_reversal_says_what_it_takes_back() -> None:
    """Where the money had gone; and the change that follows names the reversal."""
    desk = Desk()
    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    paid = f"r-{desk.count}"
    desk.go_to(date(2026, 2, 20))

    desk.ask(cmd.ReverseRepayment, repayment_id=paid, reason="returned debit")

    (reversed_,) = of_type(desk, "REPAYMENT_REVERSED")
    assert reversed_.repayment_id == paid
    assert [(s.instalment, s.component, s.amount_minor) for s in reversed_.taken_back] == [
        (1, loan_pb2.COMPONENT_INTEREST, 12_000),
        (1, loan_pb2.COMPONENT_PRINCIPAL, 100_000),
    ]
    worse = of_type(desk, "BUCKET_CHANGED")[-1]
    assert worse.reason_chain.cause == "RepaymentReversed"
    assert worse.reason_chain.cause_log_version == reversed_.log_version


def test_money_says_where_it_went_and_what_it_changed_comes_behind() -> None:
    """By instalment and component, to the cent; what follows says how late the loan is then."""
    desk = Desk()
    desk.go_to(date(2026, 3, 10))

    desk.repay("1140.00")
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="lost")
    desk.ask(cmd.PostRecovery, value_on=desk.on, amount_minor=5_000, currency="CNY")

    (paid,), (recovered,) = of_type(desk, "REPAYMENT_POSTED"), of_type(desk, "RECOVERY_POSTED")
    slots = [(s.instalment, loan_pb2.Component.Name(s.component)) for s in paid.allocations]
    assert slots == [
        (1, "COMPONENT_PENALTY"),
        (1, "COMPONENT_INTEREST"),
        (1, "COMPONENT_PRINCIPAL"),
        (2, "COMPONENT_PENALTY"),
        (2, "COMPONENT_INTEREST"),
    ]
    assert sum(slot.amount_minor for slot in paid.allocations) == paid.amount_minor
    assert (paid.repayment_id, recovered.repayment_id) == ("r-4", "r-6")
    assert sum(slot.amount_minor for slot in recovered.allocations) == 5_000
    assert paid.delinquency.instalments_overdue == 2
    assert of_type(desk, "ROLLED_BACK")[-1].delinquency.instalments_overdue == 1


def test_a_repayment_that_was_stored_before_is_told_as_it_was() -> None:
    """The stream can be made again to the byte: what a fact does not say, no message says."""
    desk = Desk()
    desk.repay("10.00")
    paid = desk.events.pop()
    desk.events.append(msgspec.structs.replace(paid, told=msgspec.UNSET))

    (older,) = of_type(desk, "REPAYMENT_POSTED")

    assert (older.repayment_id, list(older.allocations)) == ("", [])
