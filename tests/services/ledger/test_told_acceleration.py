"""What the stream tells of a loan that is declared due, and of one that is not any more."""

from __future__ import annotations

from datetime import date

from lending.ledger.v1 import events_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.domain import commands as cmd
from services.ledger.domain.delinquency import standing_of
from tests.services.ledger.domain.test_acceleration import accelerate, late_twice
from tests.services.ledger.telling import of_type, told

WHY = {"reason": "agreed", "approved_by": "Li"}


def test_it_says_what_fell_due_what_was_late_and_why() -> None:
    """Nobody has to call back: ground, notice, sum by component, each debt, policy and request."""
    desk = late_twice()

    accelerate(desk, notified_on=date(2026, 4, 10))

    (one,) = of_type(desk, "ACCELERATED")
    assert (one.effective_on, one.reason) == ("2026-04-20", "two instalments unpaid")
    assert one.arrears == pb.Arrears(
        principal_minor=200_000, interest_minor=21_000, penalty_minor=3_050
    )
    assert one.acceleration == pb.Acceleration(
        acceleration_id="r-6",
        ground=loan_pb2.ACCELERATION_GROUND_ARREARS,
        notified_on="2026-04-10",
        instalment=13,
        fell_due=pb.Arrears(principal_minor=900_000, interest_minor=4_500),
    )
    chain = one.reason_chain
    assert [(i.number, i.due_on, i.days_past_due) for i in chain.instalments] == [
        (2, "2026-03-05", 46),
        (3, "2026-04-05", 15),
        (13, "2026-04-20", 0),
    ]
    assert (chain.cause, chain.cause_log_version) == ("LoanAccelerated", one.log_version)
    assert (chain.delinquency_policy, chain.request_id) == ("cn-consumer/1", "r-6")


def test_the_day_after_it_is_missed_with_all_of_it() -> None:
    """Days past due go on from March; arrears are everything."""
    desk = late_twice()
    accelerate(desk)

    desk.go_to(date(2026, 4, 21))

    (*_, missed) = of_type(desk, "INSTALMENT_MISSED")
    assert (missed.effective_on, missed.delinquency.days_past_due) == ("2026-04-21", 47)
    assert (missed.arrears.principal_minor, missed.arrears.interest_minor) == (1_100_000, 25_500)


def test_taken_back_it_is_told_as_that_and_as_restated() -> None:
    """By its id, from its date; what was told of the days since is superseded."""
    desk = late_twice()
    accelerate(desk)
    desk.go_to(date(2026, 5, 10))

    desk.ask(cmd.WithdrawAcceleration, **WHY)

    names = [name for name, _ in told(desk)]
    assert names[names.index("ACCELERATION_WITHDRAWN") :][:2] == [
        "ACCELERATION_WITHDRAWN",
        "TIMELINE_RESTATED",
    ]
    (one,) = of_type(desk, "ACCELERATION_WITHDRAWN")
    assert one.acceleration == pb.Acceleration(acceleration_id="r-6")
    assert one.effective_on == "2026-04-20"
    assert desk.account.standing == standing_of(desk.account.timeline(desk.on))
