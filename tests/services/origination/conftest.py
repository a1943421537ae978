"""One suite for all tests of origination's API; each test has applications of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from services.origination.config import OriginationSettings
from services.risk.config import RiskSettings
from tests.services.origination.paying import Bank, Place, serve
from tests.stories.conftest import Suite, start_suite
from tests.stories.three_loans import cny
from tests.system.processes import free_port

COUNTERED = """
[[product]]
code = "secured-private"
effective_from = 2026-01-02
rate_annual = "0.115"
day_count = "DAY_COUNT_ACT_365_FIXED"
grace_days = 0
penalty_rate_annual = "0.115"
cost_ceiling = "cn-4-lpr/1"
cover_min = "1"
loan_to_value_max = "0.7"
instalments_offered = [12, 24]
counter_shares = ["0.75", "0.5", "0.25"]
tranches_max = 3
"""
DEARER = """
[[product]]
code = "consumer-2026-daily"
effective_from = 2026-01-01
rate_annual = "0.25"
day_count = "DAY_COUNT_THIRTY_360"
grace_days = 3
penalty_rate_annual = "0.30"
cost_ceiling = "cn-all-in-24/1"
"""
NOBODY_DECIDES = """
[[product]]
code = "not-underwritten"
effective_from = 2026-01-01
rate_annual = "0.1"
day_count = "DAY_COUNT_THIRTY_360"
grace_days = 3
penalty_rate_annual = "0.1"
"""
KNOWN_ABROAD = 'products = ["example-instalment-us", "example-instalment-eu", '


def underwrite_abroad(suite: Suite) -> None:
    """Have risk decide on what is lent abroad, too, by the rules that it has."""
    risk, folder = suite.services["risk"], suite.folder / "underwriting"
    shutil.copytree(RiskSettings().policy_folder, folder)
    for file in folder.glob("*.toml"):
        file.write_text(file.read_text("utf-8").replace("products = [", KNOWN_ABROAD), "utf-8")
    risk.stop()
    risk.environment["RISK_POLICY_FOLDER"] = str(folder)
    risk.start()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    bank, suite = Bank(free_port()), start_suite(tmp_path_factory.mktemp("origination"), None)
    underwrite_abroad(suite)
    server, origination = serve(bank), suite.services["origination"]
    origination.stop()
    origination.environment["ORIGINATION_PAYOUT_URL"] = f"http://127.0.0.1:{bank.port}/payouts"
    policies = suite.folder / "policies.toml"
    policies.write_text(
        OriginationSettings().policies_file.read_text("utf-8")
        + COUNTERED
        + DEARER
        + NOBODY_DECIDES,
        "utf-8",
    )
    origination.environment["ORIGINATION_POLICIES_FILE"] = str(policies)
    origination.start()
    bank.victim = origination
    found = Place(suite, bank)
    found.advance("2026-01-05")
    found.security(
        "RegisterGuarantor",
        requestId="register-PICC",
        guarantorRef="PICC",
        netAssets=cny(100_000_000_000),
        statedOn="2025-12-31",
    )
    yield found
    suite.stop()
    server.shutdown()
