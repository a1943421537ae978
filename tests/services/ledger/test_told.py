"""What the stream tells of a loan: nobody has to call back to know why it is that late."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.events_pb2 import (
    DIRECTION_BETTER,
    DIRECTION_WORSE,
    Arrears,
    DelinquencyEvent,
)

from services.ledger.adapters.event_mapper import encode, topic_of
from services.ledger.application.following import Followed
from services.ledger.application.ports import Logged
from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.loan_account import LoanAccount, evolve
from services.ledger.domain.policies import CN_CONSUMER_4, EU_RETAIL_2
from services.ledger.domain.waterfall import Component
from services.ledger.wire_events import outgoing_of
from shared.subscriber.chain import Place
from tests.services.ledger.domain.desk import TERMS, Desk


def told(desk: Desk) -> list[tuple[str, DelinquencyEvent]]:
    """Return the type and body of each message that a loan's facts are told as."""
    found, place, account = [], Place(), None
    for version, event in enumerate(desk.events, 1):
        account: LoanAccount | None = evolve(account, event)
        logged = Logged(version, "loan/L-1", version, topic_of(event), encode(event))
        for message in outgoing_of(Followed(logged, event, account), place):
            place = message.place
            name = message.headers["ce-type"].rpartition(".")[2]
            found.append((name, DelinquencyEvent.FromString(message.body)))
    return found


def of_type(desk: Desk, name: str) -> list[DelinquencyEvent]:
    """Return the messages of one type."""
    return [body for type_, body in told(desk) if type_ == name]


def total(arrears: Arrears) -> int:
    """Return the sum of an amount for each component."""
    return sum(value for _, value in arrears.ListFields())


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


SOON = msgspec.structs.replace(TERMS, delinquency=CN_CONSUMER_4)


def test_an_instalment_that_is_due_soon_is_told_three_days_before() -> None:
    """With its amount; one that was paid in advance is not."""
    desk = Desk(SOON)

    desk.go_to(date(2026, 2, 2))
    (soon,) = of_type(desk, "INSTALMENT_DUE_SOON")
    desk.repay("1120.00")
    desk.repay("1110.00")
    desk.go_to(date(2026, 4, 3))

    assert (soon.effective_on, soon.delinquency.days_past_due) == ("2026-02-02", 0)
    (owed,) = soon.reason_chain.instalments
    assert (owed.number, owed.due_on, owed.days_past_due) == (1, "2026-02-05", 0)
    assert (total(owed.unpaid), total(soon.arrears)) == (112_000, 0)
    told_on = [one.effective_on for one in of_type(desk, "INSTALMENT_DUE_SOON")]
    assert told_on == ["2026-02-02", "2026-04-02"]


def test_nothing_is_due_soon_under_a_policy_that_does_not_say_so() -> None:
    """Contracts keep the policy that they were concluded under."""
    desk = Desk()

    desk.go_to(date(2026, 8, 1))

    assert of_type(desk, "INSTALMENT_DUE_SOON") == []


def test_weekly_instalments_told_ten_days_ahead() -> None:
    """The days before one reach back beyond the one before it: each is told once, on its day."""
    policy = msgspec.structs.replace(CN_CONSUMER_4, due_soon_days=10)
    weekly = {"months_per_instalment": 0, "days_per_instalment": 7, "delinquency": policy}
    terms = msgspec.structs.replace(TERMS, **weekly)
    daily, once = Desk(terms), Desk(terms)

    for day in range(90):
        daily.go_to(date(2026, 1, 6) + timedelta(days=day))
    once.go_to(daily.on)

    told_on = [one.effective_on for one in of_type(once, "INSTALMENT_DUE_SOON")]
    first = date(2026, 2, 5) - timedelta(days=10)
    assert told_on == [(first + timedelta(days=7 * k)).isoformat() for k in range(10)]
    assert told_on == [one.effective_on for one in of_type(daily, "INSTALMENT_DUE_SOON")]


def test_rolled_back_is_better_but_still_overdue() -> None:
    """Money that clears the oldest of two rolls back; less only cures in part; all of it cures."""
    desk = Desk()
    desk.go_to(date(2026, 3, 10))

    desk.repay("100.00")
    in_part = [name for name, _ in told(desk)][-1:]
    desk.repay("1040.00")
    back = of_type(desk, "ROLLED_BACK")
    desk.repay("1200.00")

    assert in_part == ["PARTIALLY_CURED"]
    assert [one.reason_chain.cause for one in back] == ["RepaymentPosted"]
    assert [one.due_on for one in back[0].reason_chain.instalments] == ["2026-03-05"]
    assert (len(of_type(desk, "ROLLED_BACK")), len(of_type(desk, "CURED"))) == (1, 1)


def test_a_correction_rolls_back_too_and_says_what_it_restated() -> None:
    """Money that was found to have come in February: the loan was never that late."""
    desk = Desk()
    desk.go_to(date(2026, 3, 10))

    desk.repay("1120.00", on=date(2026, 2, 5))

    names = [name for name, _ in told(desk)]
    (back,) = of_type(desk, "ROLLED_BACK")
    assert names.index("TIMELINE_RESTATED") < names.index("ROLLED_BACK")
    assert back.reason_chain.cause_log_version == of_type(desk, "REPAYMENT_POSTED")[0].log_version
