"""What risk stored before a field was added: decisions are made again, borrowers watched on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.risk.adapters.artefacts import read_models, read_policies, read_toml
from services.risk.application.book import Decided
from services.risk.config import RiskSettings
from services.risk.domain.decision import decide
from services.risk.domain.early_warning import changed
from services.risk.domain.indicators import Heard, WarningRules
from services.risk.domain.reports import Confirmed
from services.risk.domain.signs import Behaviour, observe

FOLDER = Path(__file__).parent
STORED = [FOLDER / "risk_decided.json", FOLDER / "risk_decided_incomes.json"]
"""Decisions in the shapes that were stored, oldest first; none is edited, one is added."""

DIGESTS = {
    "cn-consumer/2024-01": "82c449e3471466a2fc0c2b4e70b39d0c77b688297f2c2c162655f1d8afb72930",
    "cn-consumer/2026-01": "a9fd998712856976e874ff077478d604a904c3fd45272a0c63d35ec97c12522e",
    "cn-consumer/2026-04": "247afe39a187c9ddd32b2aa0988a9682c238dad106cf916363d05e908975b8de",
}
"""As stored with every decision that they made."""


def test_a_policy_is_the_same_bytes_for_ever() -> None:
    """A rule that came later is in no digest of an earlier version."""
    settings = RiskSettings()
    policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)

    assert {name: models.digest(policies.version(name)) for name in DIGESTS} == DIGESTS


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.stem)
def test_a_stored_decision_stays_what_it_was(sample: Path) -> None:
    """A field that came later changes neither the digest nor anything else of it."""
    settings, stored = RiskSettings(), msgspec.json.decode(sample.read_bytes(), type=Decided)
    policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
    policy = policies.version(stored.decision.policy_version)

    again = decide(stored.application, policy, models)
    if not stored.decision.rules_digest:
        again = msgspec.structs.replace(again, rules_digest="")
    assert again == stored.decision


def test_what_was_confirmed_stays_known() -> None:
    """An income kept of a borrower is read, and a newer one is put beside it."""
    stored = (FOLDER / "risk_confirmed.json").read_bytes()
    confirmed = msgspec.json.decode(stored, type=Confirmed)
    (first,) = confirmed.incomes
    newer = msgspec.structs.replace(first, verified_on=date(2026, 5, 2))
    lower = msgspec.structs.replace(first, monthly_minor=1)

    assert (first.confirmation_id, first.monthly_minor) == ("c-7", 1_000_000)
    assert confirmed.with_more(newer).incomes == (newer,)
    assert confirmed.with_more(lower).incomes == (lower, first)


def test_a_borrower_whom_an_earlier_version_watched_is_watched_on() -> None:
    """Signs in the order heard are put in theirs; nothing is raised or withdrawn by that alone."""
    stored = (FOLDER / "risk_behaviour.json").read_bytes()
    before = msgspec.json.decode(stored, type=Behaviour)
    rules = msgspec.convert(read_toml(RiskSettings().warning_file), WarningRules)
    again = Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=3,
        type="GRACE_ENTERED",
        effective_on=date(2026, 2, 6),
    )
    late = msgspec.structs.replace(again, sequence=5, effective_on=date(2026, 6, 20))
    later = msgspec.structs.replace(again, sequence=6, effective_on=date(2026, 7, 20))
    after = observe(before, late, rules)

    assert observe(before, again, rules) == before
    assert changed(before, after, rules) == {}
    assert [one.on.month for one in after.signs] == [2, 3, 3, 3, 6]
    assert list(changed(after, observe(after, later, rules), rules)) == [
        "2026-07-20.L-1.GRACE_AGAIN"
    ]
