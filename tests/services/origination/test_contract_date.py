"""Four times LPR is that of the contract's date: 12.4 % until 2025-05-19, 12.0 % the day after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.origination.paying import Bank, Place
from tests.stories.conftest import start_suite
from tests.stories.three_loans import cny
from tests.system.processes import free_port

FALLS_ON, BEFORE = "2025-05-20", "2025-05-19"
PRIVATE = """
[[product]]
code = "private-2025"
effective_from = 2020-01-01
rate_annual = "0.122"
day_count = "DAY_COUNT_THIRTY_360"
grace_days = 0
penalty_rate_annual = "0.122"
cost_ceiling = "cn-4-lpr/1"
"""
ASKED = {"product": "private-2025", "monthlyIncome": cny(2_000_000)}


@pytest.fixture(scope="module")
def spring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    suite = start_suite(tmp_path_factory.mktemp("spring"), None)
    origination, policies = suite.services["origination"], suite.folder / "policies.toml"
    policies.write_text(PRIVATE, "utf-8")
    origination.stop()
    origination.environment["ORIGINATION_POLICIES_FILE"] = str(policies)
    origination.start()
    found = Place(suite, Bank(free_port()))
    found.advance(BEFORE)
    yield found
    suite.stop()


def test_the_prime_rate_is_that_of_the_day_of_the_contract(spring: Place) -> None:
    """Agreed before it fell a loan is paid out after; shown before it fell it is agreed no more."""
    agreed = spring.contract("agreed", **ASKED)
    spring.offer("shown", **ASKED)
    spring.confirm("shown")
    spring.advance(FALLS_ON)

    paid = spring.ask("DisburseApplication", "agreed")
    said = spring.refused("COST_CEILING_EXCEEDED", "AcceptContract", "shown")
    spring.refused("COST_CEILING_EXCEEDED", "ChooseOffer", "shown", offerId="12m")

    assert paid["status"] == "APPLICATION_STATUS_DISBURSED"
    assert paid["payouts"][0]["valueOn"] == FALLS_ON
    booked = spring.suite.call("ledger", "GetLoan", loanId="L-agreed")["terms"]
    assert booked["concludedOn"] == agreed["terms"]["concludedOn"] == BEFORE
    assert "0.121" in said
    assert spring.get("shown")["status"] == "APPLICATION_STATUS_CONFIRMED"
