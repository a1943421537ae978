"""The life of a case as a table of events, the contact gate at its edges, promises in any order."""

from __future__ import annotations

from datetime import date, datetime
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from services.collections.domain.case import Case, Heard, Promise, follow, see_date
from services.collections.domain.contact_gate import (
    ContactCeased,
    ContactOutsideHours,
    ContactTooOften,
    Policy,
    TimeZoneUnknown,
    check_contact,
)

POLICY = Policy(
    version="test/1",
    contact_from_hour=8,
    contact_until_hour=22,
    contacts_per_day_max=3,
    time_zone="Asia/Shanghai",
    reminder_hour=10,
    templates={},
)


def heard(sequence: int, type_: str, on: str, late: int, bucket: str, amount: int = 0) -> Heard:
    return Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=sequence,
        type=type_,
        effective_on=date.fromisoformat(on),
        days_past_due=late,
        minor=0 < late <= 3,
        bucket=bucket,
        arrears_minor=100 if late else 0,
        amount_minor=amount,
    )


LIFE = [
    # sequence, event, date, days past due, bucket | what happens                | stage, open
    ((1, "INSTALMENT_DUE", "2026-02-05", 0, "M0"), [], None),
    ((2, "GRACE_ENTERED", "2026-02-06", 1, "M1"), ["case_opened", "reminder_due"], "GRACE"),
    ((2, "GRACE_ENTERED", "2026-02-06", 1, "M1"), [], "GRACE"),
    ((3, "BUCKET_CHANGED", "2026-02-06", 1, "M1"), [], "GRACE"),
    ((4, "GRACE_EXPIRED", "2026-02-09", 4, "M1"), ["reminder_due"], "M1"),
    ((5, "BUCKET_CHANGED", "2026-03-08", 31, "M2"), ["reminder_due"], "M2"),
    ((6, "REPAYMENT_POSTED", "2026-03-10", 0, "M0"), ["case_closed"], "M2"),
    ((7, "GRACE_ENTERED", "2026-04-06", 1, "M1"), ["case_opened", "reminder_due"], "GRACE"),
]


def test_the_life_of_a_case() -> None:
    """A case opens when the loan is late, reminds once per stage, and closes when cured."""
    case: Case | None = None

    for event, wanted, stage in LIFE:
        case, happened = follow(case, heard(*event))

        assert (event, happened) == (event, wanted)
        assert (case.stage if case else None) == stage


PROMISE = Promise(
    promise_id="p", amount_minor=100, made_on=date(2026, 2, 10), due_on=date(2026, 2, 15)
)
PROMISED = Case(loan_id="L-1", borrower_ref="B-1", opened_on=date(2026, 2, 6), promises=(PROMISE,))
PAYMENTS = [
    # payments by value date                      | status once 16 February is seen
    ([("2026-02-15", 100)], "KEPT"),
    ([("2026-02-12", 60), ("2026-02-15", 40)], "KEPT"),
    ([("2026-02-12", 60), ("2026-02-16", 40)], "BROKEN"),
    ([("2026-02-09", 100)], "BROKEN"),
    ([("2026-02-12", 100), ("2026-02-12", -100)], "BROKEN"),
    ([], "BROKEN"),
]


@pytest.mark.parametrize(("payments", "status"), PAYMENTS)
def test_a_promise_is_kept_by_money_in_time(payments: list[tuple[str, int]], status: str) -> None:
    """Money between promise and date keeps it, in whatever order we learn of money and date."""
    for order in permutations([*payments, ("2026-02-16", 0)]):
        case: Case | None = PROMISED
        for sequence, (on, amount) in enumerate(order, start=1):
            type_ = "REPAYMENT_POSTED" if amount >= 0 else "REPAYMENT_REVERSED"
            case, _ = follow(case, heard(sequence, type_, on, 10, "M1", abs(amount)))

        assert case is not None
        assert str(case.promises[0].status) == status


def test_a_date_that_went_by_breaks_a_promise_once() -> None:
    """The business date alone breaks a promise; seeing it again says nothing new."""
    first, happened = see_date(PROMISED, date(2026, 2, 16))
    _, again = see_date(first, date(2026, 2, 17))

    assert (happened, again) == (["promise_broken"], [])
    assert see_date(PROMISED, date(2026, 2, 15))[1] == []


SHANGHAI, NEW_YORK = "Asia/Shanghai", "America/New_York"
GATE = [
    # local time          | where     | contacts today | refused by
    ("2026-02-10 07:59:59", SHANGHAI, 0, ContactOutsideHours),
    ("2026-02-10 08:00:00", SHANGHAI, 0, None),
    ("2026-02-10 21:59:59", SHANGHAI, 2, None),
    ("2026-02-10 22:00:00", SHANGHAI, 0, ContactOutsideHours),
    ("2026-02-10 12:00:00", SHANGHAI, 3, ContactTooOften),
    ("2026-03-08 08:00:00", NEW_YORK, 0, None),
    ("2026-03-08 07:59:59", NEW_YORK, 0, ContactOutsideHours),
    ("2026-11-01 21:59:59", NEW_YORK, 0, None),
]


@pytest.mark.parametrize(("local", "zone", "count", "refusal"), GATE)
def test_the_contact_gate(
    local: str, zone: str, count: int, refusal: type[Exception] | None
) -> None:
    """Nobody is called from 22:00 to 08:00 where they live, nor a fourth time in a day."""
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    earlier = [at.replace(hour=9)] * count

    if refusal is None:
        check_contact(POLICY, at, earlier, zone, ceased=False)
    else:
        with pytest.raises(refusal):
            check_contact(POLICY, at, earlier, zone, ceased=False)


def test_who_asked_not_to_be_contacted_is_not() -> None:
    """A request to stop comes before every other rule; an unknown time zone is an error."""
    noon = datetime(2026, 2, 10, 12, tzinfo=ZoneInfo(SHANGHAI))

    with pytest.raises(ContactCeased):
        check_contact(POLICY, noon, [], SHANGHAI, ceased=True)
    with pytest.raises(TimeZoneUnknown):
        check_contact(POLICY, noon, [], "Mars/Olympus", ceased=False)
