"""A decision as it was stored before a field was added: read, and made again to the same answer."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.risk.adapters.artefacts import read_models, read_policies
from services.risk.application.book import Decided
from services.risk.config import RiskSettings
from services.risk.domain.decision import decide

STORED = Path(__file__).parent / "risk_decided.json"


def test_a_stored_decision_stays_what_it_was() -> None:
    """A field that came later changes neither the digest nor anything else of it."""
    settings, stored = RiskSettings(), msgspec.json.decode(STORED.read_bytes(), type=Decided)
    policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
    policy = policies.version(stored.decision.policy_version)

    again = decide(stored.application, policy, models)
    assert msgspec.structs.replace(again, rules_digest="") == stored.decision
