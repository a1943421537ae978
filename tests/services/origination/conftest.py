"""One suite for all tests of origination's API; each test has applications of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.origination.paying import Bank, Place, serve
from tests.stories.conftest import start_suite
from tests.system.processes import free_port


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    bank, suite = Bank(free_port()), start_suite(tmp_path_factory.mktemp("origination"), None)
    server, origination = serve(bank), suite.services["origination"]
    origination.stop()
    origination.environment["ORIGINATION_PAYOUT_URL"] = f"http://127.0.0.1:{bank.port}/payouts"
    origination.start()
    bank.victim = origination
    found = Place(suite, bank)
    found.advance("2026-01-05")
    yield found
    suite.stop()
    server.shutdown()
