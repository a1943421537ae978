"""Everything is declared due: late enough, told by letter, its days gone by, by two persons."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from services.collections.domain.acceleration import Notice, Owing, notice_of
from services.collections.domain.case import Case, follow
from services.collections.domain.hardship import ApproverIsProposer
from services.collections.domain.heard import Accelerated
from services.collections.domain.legal import Grounds, LegalStepAlreadyOpen, approved, proposed
from services.collections.domain.matter import Matter, Taken
from shared.kernel.errors import LendingError
from tests.services.collections.people import promised
from tests.services.collections.test_case import heard
from tests.services.collections.test_recovery import DEBTOR, ENOUGH, POLICY, done

LENT = 1_200_000
LATE = Owing(date(2027, 1, 5), lent_minor=LENT, days_past_due=91, overdue_minor=240_000)
NOTICE = done("ACCELERATION_NOTICE", "2026-05-07")
PROMISE = promised(100_000, "2026-06-01", "2026-06-20")


def a_case(*more: tuple[object, ...]) -> Case:
    """A case that opened in February, and what it heard since."""
    case: Case | None = None
    for row in ((1, "BUCKET_CHANGED", "2026-02-06", 1, "M1"), *more):
        case, _ = follow(case, heard(*row))  # type: ignore[arg-type]
    assert case is not None
    return case


def paid(on: str) -> tuple[object, ...]:
    return (2, "REPAYMENT_POSTED", on, 100, "M4", 10_000)


def reversed_too(on: str) -> tuple[object, ...]:
    return (3, "REPAYMENT_REVERSED", on, 100, "M4", 10_000)


GATES = [
    # step, on | letter left on | the case heard | what is otherwise | refused by
    ("ACCELERATION_NOTICE", "2026-05-07", "", [], {}, ""),
    ("ACCELERATION_NOTICE", "2026-05-07", "", [], {"days": 90}, "LEGAL_NOT_LATE_ENOUGH"),
    ("ACCELERATION_NOTICE", "2026-05-07", "", [], {"overdue": 239_999}, "LEGAL_NOT_LATE_ENOUGH"),
    ("ACCELERATION_NOTICE", "2026-06-01", "", [], {"promise": True}, "LEGAL_PROMISE_OPEN"),
    ("ACCELERATION", "2026-06-07", "", [], {}, "LEGAL_NOTICE_MISSING"),
    ("ACCELERATION", "2026-06-06", "2026-05-07", [], {}, "LEGAL_NOTICE_MISSING"),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [], {}, ""),
    ("ACCELERATION", "2026-06-07", "2026-05-06", [], {}, "LEGAL_NOTICE_MISSING"),
    ("ACCELERATION", "2026-08-05", "2026-05-07", [], {}, ""),
    ("ACCELERATION", "2026-08-06", "2026-05-07", [], {}, "LEGAL_NOTICE_MISSING"),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [paid("2026-05-06")], {}, ""),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [paid("2026-05-07")], {}, "LEGAL_PAID_IN_TIME"),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [paid("2026-06-06")], {}, "LEGAL_PAID_IN_TIME"),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [paid("2026-06-07")], {}, ""),
    (
        *("ACCELERATION", "2026-06-07", "2026-05-07"),
        *([paid("2026-06-06"), reversed_too("2026-06-06")], {}, ""),
    ),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [], {"days": 60}, "LEGAL_NOT_LATE_ENOUGH"),
    ("ACCELERATION", "2026-06-07", "2026-05-07", [], {"promise": True}, "LEGAL_PROMISE_OPEN"),
    (
        *("ACCELERATION", "2026-06-07", "2026-05-07"),
        *([(2, "CHARGED_OFF", "2026-06-01", 110, "M4")], {}, "LEGAL_DUE_ALREADY"),
    ),
    ("ACCELERATION_WITHDRAWAL", "2026-06-07", "", [], {}, "LEGAL_NOT_ACCELERATED"),
]


@pytest.mark.parametrize(("step", "on", "left", "told", "more", "reason"), GATES)
def test_when_everything_may_be_declared_due(
    step: str,
    on: str,
    left: str,
    told: list[tuple[object, ...]],
    more: dict[str, int],
    reason: str,
) -> None:
    """91 days, a fifth of what was lent, a letter, 30 days without money; 60 days to do it."""
    case, today = a_case(*told), date.fromisoformat(on)
    if more.get("promise"):
        case = msgspec.structs.replace(case, promises=(PROMISE,))
    known = {"days": LATE.days_past_due, "overdue": LATE.overdue_minor, **more}
    owing = LATE._replace(days_past_due=known["days"], overdue_minor=known["overdue"])
    matter = Matter(
        loan_id="L-1",
        due_on=date(2026, 2, 5),
        steps=(NOTICE,) if step == "ACCELERATION" else (),
        checked_on=today,
        may_go_on=True,
        acceleration_notices=(date.fromisoformat(left),) if left else (),
    )
    grounds = Grounds(POLICY, case, DEBTOR, ENOUGH, today, owing=owing)
    taken = msgspec.structs.replace(done(step, on), approved_by="", proposed_by="o-1")

    try:
        after, refused = proposed(matter, taken, grounds), ""
    except LendingError as refusal:
        refused = refusal.reason

    assert refused == reason
    if not reason:
        with pytest.raises(ApproverIsProposer):
            approved(after, "o-1", grounds)
        assert approved(after, "o-2", grounds).waiting is None


def test_a_letter_serves_once() -> None:
    """Declared and taken back, it takes another letter; the ledger is told one thing at a time."""
    on_its_way = msgspec.structs.replace(done("ACCELERATION", "2026-06-07"), order_id="r-1")
    matter = Matter(
        loan_id="L-1",
        due_on=date(2026, 2, 5),
        steps=(NOTICE, on_its_way),
        checked_on=date(2026, 6, 20),
        may_go_on=True,
        acceleration_notices=(date(2026, 5, 7),),
    )
    grounds = Grounds(POLICY, a_case(), DEBTOR, ENOUGH, date(2026, 6, 20), owing=LATE)
    with pytest.raises(LegalStepAlreadyOpen):
        proposed(matter, msgspec.structs.replace(NOTICE, approved_by=""), grounds)

    there = Notice(date(2026, 5, 7), date(2026, 6, 6), date(2026, 8, 5), None)
    assert notice_of(matter, POLICY, a_case()) == there
    refused = msgspec.structs.replace(on_its_way, outcome="REFUSED")
    tried = msgspec.structs.replace(matter, steps=(NOTICE, refused))
    assert notice_of(tried, POLICY, a_case()) == there
    taken = msgspec.structs.replace(on_its_way, outcome="DONE")
    spent = msgspec.structs.replace(matter, steps=(NOTICE, taken))
    assert notice_of(spent, POLICY, a_case()) is None


def test_a_case_knows_whether_everything_is_due() -> None:
    """Told by the ledger; not any more once taken back, or with a new plan."""
    due = Accelerated(date(2026, 5, 7), 900_000, 4_500)
    told = msgspec.structs.replace(
        heard(2, "ACCELERATED", "2026-06-07", 122, "M5"), accelerated=due
    )

    case, happened = follow(a_case(), told)
    assert case is not None and case.acceleration is not None
    assert (case.acceleration.effective_on, case.acceleration.accelerated) == (
        date(2026, 6, 7),
        due,
    )
    assert (happened, case.episodes[-1].stage) == (["stage_entered", "loan_accelerated"], "M5")
    for type_ in ("ACCELERATION_WITHDRAWN", "RESTRUCTURED"):
        after, happened = follow(case, heard(3, type_, "2026-06-20", 135, "M5"))
        assert after is not None and after.acceleration is None
        assert happened == ["acceleration_withdrawn"]


def test_who_is_declared_due_gets_no_second_letter() -> None:
    """Neither a notice nor another acceleration while one is in force; it may be taken back."""
    due = Accelerated(date(2026, 5, 7), 900_000, 4_500)
    told = msgspec.structs.replace(
        heard(2, "ACCELERATED", "2026-06-07", 122, "M5"), accelerated=due
    )
    case, _ = follow(a_case(), told)
    assert case is not None
    today = date(2026, 6, 20)
    matter = Matter(loan_id="L-1", due_on=date(2026, 2, 5), checked_on=today, may_go_on=True)
    grounds = Grounds(POLICY, case, DEBTOR, ENOUGH, today, owing=LATE)

    def step(kind: str) -> Taken:
        return msgspec.structs.replace(done(kind, "2026-06-20"), approved_by="")

    for kind in ("ACCELERATION_NOTICE", "ACCELERATION"):
        with pytest.raises(LendingError, match="everything is due"):
            proposed(matter, step(kind), grounds)
    assert proposed(matter, step("ACCELERATION_WITHDRAWAL"), grounds).waiting is not None
