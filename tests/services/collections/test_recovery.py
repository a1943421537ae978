"""Claims, the legal ladder's gates as a table, and how a recovery is shared."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collections.adapters.policy_files import read_policies
from services.collections.config import HERE
from services.collections.domain.case import Case, follow
from services.collections.domain.claims import share_recovery
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Debtor, Protection
from services.collections.domain.hardship import ApproverIsProposer
from services.collections.domain.legal import Matter, Step, Taken, Tried, approved, proposed
from shared.kernel.errors import LendingError
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
FINE: dict[str, object] = {"tried": ENOUGH, "shield": None, "checked": "2026-04-20", "cost": 0}
GATES = [
    # step, on | steps taken | what is otherwise | refused by
    ("DEMAND", "2026-04-21", (), {}, ""),
    ("DEMAND", "2026-04-21", (), {"checked": None}, "LEGAL_PERSON_NOT_CHECKED"),
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
    ("CREDIT_REPORT", "2026-05-06", LADDER[:1], {}, ""),
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
        loan_id="L-1", due_on=date(2026, 2, 5), steps=steps, checked_on=checked, may_go_on=True
    )
    person = DEBTOR
    if known["shield"]:
        shield = Protection(
            protection_id="p", kind=ProtectionKind(known["shield"]), from_on=date(2026, 4, 1)
        )
        person = msgspec.structs.replace(DEBTOR, protections=(shield,))
    taken = Taken(
        step=Step(step), on=date.fromisoformat(on), proposed_by="o-1", cost_minor=known["cost"]
    )

    try:
        after = proposed(matter, taken, POLICY, CASE, person, known["tried"])
        refused = ""
    except LendingError as refusal:
        refused = refusal.reason

    assert refused == reason
    if not reason:
        assert after.waiting == taken
        with pytest.raises(ApproverIsProposer):
            approved(after, "o-1", POLICY, CASE, person, known["tried"])
        assert approved(after, "o-2", POLICY, CASE, person, known["tried"]).waiting is None


SHARES = [
    # recovered | lender's own | those who paid | shares
    (100, 300, {"G": 200}, [100, 0]),
    (350, 300, {"G": 200}, [300, 50]),
    (900, 300, {"G": 200}, [300, 200]),
    (301, 0, {"G": 200, "H": 400}, [0, 101, 200]),
    (50, 80, {}, [50]),
]


@pytest.mark.parametrize(("came", "own", "payers", "wanted"), SHARES)
def test_the_lenders_own_part_comes_first(
    came: int, own: int, payers: dict[str, int], wanted: list[int]
) -> None:
    """Recourse does not harm the creditor: the lender's own part first, then who paid, in share."""
    assert [share for _, _, share in share_recovery(came, own, payers)] == wanted


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.dictionaries(st.sampled_from("GHIJK"), st.integers(1, 10**9)),
)
def test_a_recovery_is_shared_to_the_last_cent(came: int, own: int, payers: dict[str, int]) -> None:
    """Shares sum to what came or to all that is owed, and nobody gets more than is owed to them."""
    rows = share_recovery(came, own, payers)

    assert sum(share for _, _, share in rows) == min(came, own + sum(payers.values()))
    assert all(0 <= share <= owed for _, owed, share in rows)
