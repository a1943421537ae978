"""A judgment is a court's deed: it has the court's day, and nothing of ours stands in its way."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Protection
from services.collections.domain.legal import Grounds, approved, proposed
from services.collections.domain.matter import Matter
from shared.kernel.errors import LendingError
from tests.services.collections.test_recovery import CASE, DEBTOR, FEW, LADDER, POLICY, done

LATER = [("2026-06-21", ""), ("2026-06-20", "LEGAL_STEP_OUT_OF_ORDER")]


@pytest.mark.parametrize(("on", "reason"), LATER)
def test_a_judgment_keeps_the_courts_day(on: str, reason: str) -> None:
    """However late its news, and though the debtor is shielded: the two years run from its day."""
    steps = (*LADDER, done("FILING", "2026-06-20"))
    disputed = Protection(protection_id="p", kind=ProtectionKind.DISPUTE, from_on=date(2026, 4, 1))
    person = msgspec.structs.replace(DEBTOR, protections=(disputed,))
    matter = Matter(loan_id="L-1", due_on=date(2026, 2, 5), steps=steps)
    grounds = Grounds(POLICY, CASE, person, FEW, date(2026, 9, 1))
    judgment = msgspec.structs.replace(done("JUDGMENT", on), approved_by="")

    try:
        known = approved(proposed(matter, judgment, grounds), "officer-2", grounds)
    except LendingError as refused:
        assert refused.reason == reason
    else:
        assert not reason
        assert known.enforcement_until(POLICY) == date(2028, 6, 21)
