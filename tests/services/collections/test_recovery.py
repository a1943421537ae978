"""Claims, the legal ladder's gates as a table, and how a recovery is shared."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from services.collections.adapters.policy_files import read_policies
from services.collections.config import HERE
from services.collections.domain.case import Case, follow
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Debtor, Protection
from services.collections.domain.hardship import ApproverIsProposer
from services.collections.domain.legal import (
    Grounds,
    LegalDateTooFar,
    LegalPersonNotChecked,
    Tried,
    approved,
    proposed,
    withdrawn,
)
from services.collections.domain.matter import (
    LegalPolicyNotFound,
    Matter,
    Step,
    Taken,
    legal_in_force,
)
from shared.kernel.errors import LendingError
from tests.services.collections.people import rules
from tests.services.collections.test_case import heard

(POLICY,) = read_policies(HERE / "policies").legal
DEBTOR = Debtor(borrower_ref="B-1", jurisdiction="CN")
LATE, _ = follow(None, heard(1, "BUCKET_CHANGED", "2026-04-20", 75, "M3"))
assert LATE is not None
CASE: Case = LATE
ENOUGH = Tried(attempts=3, help_offered=True)
FEW, HARD = Tried(attempts=2, help_offered=True), Tried(attempts=9, help_offered=False)


def done(step: str, on: str) -> Taken:
    return Taken(
        step=Step(step), on=date.fromisoformat(on), proposed_by="officer-1", approved_by="officer-2"
    )


LADDER = (done("DEMAND", "2026-04-21"), done("MEDIATION", "2026-05-10"))
SUED = (*LADDER, done("FILING", "2026-06-20"), done("JUDGMENT", "2026-09-01"))
FINE: dict[str, object] = {
    **{"tried": ENOUGH, "shield": None, "checked": "2026-04-20", "cost": 0},
    "told": False,
}
GATES = [
    # step, on | steps taken | what is otherwise | refused by
    ("DEMAND", "2026-04-21", (), {}, ""),
    ("DEMAND", "2026-04-21", (), {"checked": None}, "LEGAL_PERSON_NOT_CHECKED"),
    ("DEMAND", "2026-04-21", (), {"checked": "2026-04-22"}, "LEGAL_PERSON_NOT_CHECKED"),
    ("DEMAND", "2026-05-20", (), {}, ""),
    ("DEMAND", "2026-05-21", (), {}, "LEGAL_PERSON_NOT_CHECKED"),
    (
        "DEMAND",
        "2026-04-21",
        (),
        {"tried": FEW},
        "LEGAL_NOT_TRIED",
    ),
    (
        "DEMAND",
        "2026-04-21",
        (),
        {"tried": HARD},
        "LEGAL_NOT_TRIED",
    ),
    ("DEMAND", "2026-04-21", (), {"shield": "VULNERABLE"}, "LEGAL_PERSON_PROTECTED"),
    ("DEMAND", "2026-04-21", (), {"shield": "DISPUTE"}, "LEGAL_PERSON_PROTECTED"),
    ("DEMAND", "2026-04-21", (), {"shield": "OPT_OUT"}, ""),
    ("DEMAND", "2026-04-21", (), {"cost": 50}, ""),
    ("DEMAND", "2026-04-21", (), {"cost": 51}, "LEGAL_TOO_SMALL"),
    ("MEDIATION", "2026-05-05", LADDER[:1], {}, "LEGAL_STEP_OUT_OF_ORDER"),
    ("MEDIATION", "2026-05-06", LADDER[:1], {}, ""),
    ("CREDIT_REPORT", "2026-04-21", (), {}, "LEGAL_STEP_OUT_OF_ORDER"),
    ("CREDIT_REPORT", "2026-05-06", LADDER[:1], {}, "LEGAL_STEP_OUT_OF_ORDER"),
    ("CREDIT_REPORT", "2026-05-06", LADDER[:1], {"told": True}, ""),
    ("CREDIT_REPORT", "2026-05-05", LADDER[:1], {"told": True}, "LEGAL_STEP_OUT_OF_ORDER"),
    ("FILING", "2026-05-06", LADDER[:1], {}, "LEGAL_STEP_OUT_OF_ORDER"),
    ("FILING", "2029-04-21", LADDER, {"checked": "2029-04-01"}, ""),
    ("FILING", "2029-04-22", LADDER, {"checked": "2029-04-01"}, "LEGAL_TOO_LATE"),
    ("ENFORCEMENT", "2028-09-01", SUED, {"checked": "2028-08-30"}, ""),
    ("ENFORCEMENT", "2028-09-02", SUED, {"checked": "2028-08-30"}, "LEGAL_TOO_LATE"),
]


@pytest.mark.parametrize(("step", "on", "steps", "more", "reason"), GATES)
def test_what_must_have_been_before_the_law(
    step: str, on: str, steps: tuple[Taken, ...], more: dict[str, object], reason: str
) -> None:
    """Contact, help, a look at the person, the step before, period and cost: each a gate."""
    known = {**FINE, **more}
    checked = date.fromisoformat(str(known["checked"])) if known["checked"] else None
    matter = Matter(
        loan_id="L-1",
        due_on=date(2026, 2, 5),
        steps=steps,
        checked_on=checked,
        may_go_on=True,
        notices=(date(2026, 4, 21),) if steps else (),
        report_notices=(date(2026, 4, 21),) if known["told"] else (),
    )
    person = DEBTOR
    if known["shield"]:
        shield = Protection(
            protection_id="p", kind=ProtectionKind(known["shield"]), from_on=date(2026, 4, 1)
        )
        person = msgspec.structs.replace(DEBTOR, protections=(shield,))
    grounds = Grounds(POLICY, CASE, person, known["tried"], date.fromisoformat(on))
    taken = Taken(
        step=Step(step), on=date.fromisoformat(on), proposed_by="o-1", cost_minor=known["cost"]
    )

    try:
        after = proposed(matter, taken, grounds)
        refused = ""
    except LendingError as refusal:
        refused = refusal.reason

    assert refused == reason
    if not reason:
        assert after.waiting == taken
        with pytest.raises(ApproverIsProposer):
            approved(after, " O-1", grounds)
        assert approved(after, "o-2", grounds).waiting is None


MATTER = Matter(
    loan_id="L-1", due_on=date(2026, 2, 5), checked_on=date(2026, 4, 20), may_go_on=True
)


def test_a_demand_that_was_not_sent_starts_nothing_anew() -> None:
    """Neither a demand in the drawer nor one after the end revives the period."""
    drawer = msgspec.structs.replace(MATTER, steps=LADDER[:1])
    sent = msgspec.structs.replace(drawer, notices=(date(2026, 4, 25),))
    late = msgspec.structs.replace(
        MATTER, steps=(done("DEMAND", "2029-03-01"),), notices=(date(2029, 3, 2),)
    )
    assert drawer.limitation_on(POLICY) == date(2029, 2, 5)
    assert sent.limitation_on(POLICY) == date(2029, 4, 25)
    assert late.limitation_on(POLICY) == date(2029, 2, 5)


def test_an_approval_is_judged_today() -> None:
    """Proposed in time, approved after the shield or the check ran out: it does not pass."""
    step = Taken(step=Step.DEMAND, on=date(2026, 4, 21), proposed_by="o-1")
    then = Grounds(POLICY, CASE, DEBTOR, ENOUGH, date(2026, 4, 21))
    waits = proposed(MATTER, step, then)

    with pytest.raises(LegalPersonNotChecked):
        approved(waits, "o-2", then._replace(today=date(2026, 5, 21)))
    assert approved(waits, "o-2", then._replace(today=date(2026, 5, 1))).steps[0].on == date(
        2026, 5, 1
    )
    with pytest.raises(LegalDateTooFar):
        proposed(MATTER, step, then._replace(today=date(2026, 5, 1)))
    assert withdrawn(waits).steps == ()


SHIELDED = [
    # kind, until | on the day | shielded
    ("HEALTH_CRISIS", "2026-04-01", "2026-05-01", True),
    ("HEALTH_CRISIS", "2026-04-01", "2026-05-02", False),
    ("BREATHING_SPACE", None, "2026-04-01", True),
    ("VULNERABLE", None, "2030-01-01", True),
]


@pytest.mark.parametrize(("kind", "until", "on", "wanted"), SHIELDED)
def test_a_shield_lasts_as_long_as_the_rules_say(
    kind: str, until: str | None, on: str, wanted: bool
) -> None:
    """Thirty days after a health crisis there is still no legal step."""
    one = Protection(
        protection_id="p",
        kind=ProtectionKind(kind),
        from_on=date(2026, 3, 20),
        until_on=date.fromisoformat(until) if until else None,
    )
    person = msgspec.structs.replace(DEBTOR, protections=(one,))
    shields = rules("UK").shields
    assert person.shielded_on(one.kind, date.fromisoformat(on), shields) is wanted


def test_no_policy_no_step() -> None:
    """A debtor whose jurisdiction has no legal policy is not judged by another's."""
    with pytest.raises(LegalPolicyNotFound):
        legal_in_force([POLICY], "UK", date(2026, 4, 20))
