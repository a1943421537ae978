"""What is due soon, what rolls a loan back, and another policy, as the stream tells them."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain.policies import CN_CONSUMER, CN_CONSUMER_4
from tests.services.ledger.domain.desk import TERMS, Desk
from tests.services.ledger.telling import of_type, told, total

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


def test_another_policy_is_told_and_classifies_from_its_date_on() -> None:
    """A newer version with more schemes: what was told before stays, what follows names the new."""
    desk = Desk()
    desk.go_to(date(2026, 2, 10))
    change = {"reason": "since Order 2023-1", "approved_by": "officer-2"}

    desk.ask(cmd.ChangeDelinquencyPolicy, effective_on=desk.on, policy=CN_CONSUMER_4, **change)
    desk.go_to(date(2026, 3, 8))

    (changed,) = of_type(desk, "POLICY_CHANGED")
    assert (changed.effective_on, changed.reason) == ("2026-02-10", "since Order 2023-1")
    policies = changed.delinquency_policy_before, changed.delinquency_policy
    assert policies == ("cn-consumer/1", "cn-consumer/4")
    chains = [
        (one.effective_on, one.scheme, one.bucket_to, one.reason_chain.delinquency_policy)
        for one in of_type(desk, "BUCKET_CHANGED")
    ]
    assert chains == [
        ("2026-02-06", "m", "M1", "cn-consumer/1"),
        ("2026-02-06", "five_tier", "SPECIAL_MENTION", "cn-consumer/1"),
        ("2026-02-10", "pboc", "1", "cn-consumer/4"),
        ("2026-03-08", "m", "M2", "cn-consumer/4"),
        ("2026-03-08", "pboc", "2", "cn-consumer/4"),
        ("2026-03-08", "ifrs9", "STAGE_2", "cn-consumer/4"),
    ]
    assert [one.effective_on for one in of_type(desk, "INSTALMENT_DUE_SOON")] == ["2026-03-02"]


def test_another_policy_moves_no_money_and_its_edges_are_found() -> None:
    """An uncounted day more: the loan rolls back on the day, and is late again on the next."""
    desk, other = Desk(), Desk()
    lenient = msgspec.structs.replace(CN_CONSUMER, policy="lenient/1", uncounted_days=1)
    for one in (desk, other):
        one.go_to(date(2026, 3, 8))

    change = {"reason": "reporting convention", "approved_by": "officer-2"}
    desk.ask(cmd.ChangeDelinquencyPolicy, effective_on=desk.on, policy=lenient, **change)
    desk.go_to(date(2026, 3, 9))
    other.go_to(date(2026, 3, 9))

    (back,) = of_type(desk, "ROLLED_BACK")
    assert back.reason_chain.cause == "DelinquencyPolicyChanged"
    last = of_type(desk, "BUCKET_CHANGED")[-1]
    assert (last.effective_on, last.bucket_to) == ("2026-03-09", "M2")
    assert last.reason_chain.bucket_from_days == 32
    lines = [one.account.timeline(one.on) for one in (desk, other)]
    assert lines[0].books == lines[1].books
    assert lines[0].rows == lines[1].rows


def test_money_of_before_a_charge_off_says_what_is_charged_off_now() -> None:
    """1,120.00 of 5 February, told on 1 September: 11,000.00 were lost in August, not 12,000.00."""
    desk = Desk()
    desk.go_to(date(2026, 8, 10))
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="180 days past due")
    desk.go_to(date(2026, 9, 1))

    desk.repay("1120.00", on=date(2026, 2, 5))
    desk.repay("1.00", on=date(2026, 2, 4))

    first, second = (one.restated for one in of_type(desk, "TIMELINE_RESTATED"))
    before_after = (first.charged_off_before_minor, first.charged_off_after_minor)
    assert before_after == (1_200_000, 1_100_000)
    # That paid interest alone.
    assert not second.HasField("charged_off_after_minor")
    names = [name for name, _ in told(desk)]
    assert names.index("CHARGED_OFF") < names.index("REPAYMENT_POSTED")


def test_a_restatement_of_a_loan_on_the_books_says_nothing_of_a_charge_off() -> None:
    """Its bytes are what they were before that could be told."""
    desk = Desk()
    desk.go_to(date(2026, 3, 10))
    desk.repay("1120.00", on=date(2026, 2, 5))

    (restated,) = (one.restated for one in of_type(desk, "TIMELINE_RESTATED"))
    assert not restated.HasField("charged_off_before_minor")
    assert not restated.HasField("charged_off_after_minor")
