"""The bank has paid, and the process that asked is killed before it hears so: for real."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from tests.services.origination.paying import ACCOUNT, Place
from tests.stories.test_service_down import ORIGINATION
from tests.system.processes import CallRefused

KILLS = 3


def test_killed_between_payout_and_answer(place: Place) -> None:
    """Killed three times after the bank has paid, it pays and disburses once."""
    bank, origination = place.bank, place.suite.services["origination"]
    place.contract("killed")
    bank.kills = KILLS

    with pytest.raises(CallRefused):
        origination.call(
            f"{ORIGINATION}/DisburseApplication", applicationId="killed", requestId="pay-1"
        )
    for _ in range(KILLS - 1):
        with suppress(AssertionError):
            origination.start()  # it may be killed before it is seen to listen
        origination.process.wait(timeout=20)
    origination.start()
    place.suite.until(
        lambda: place.get("killed")["status"] == "APPLICATION_STATUS_DISBURSED", "paid out"
    )
    again = place.ask("DisburseApplication", "killed")
    events = place.suite.call("ledger", "ListLoanEvents", loanId="L-killed")["events"]

    assert bank.asked["payout-killed-1"] > KILLS
    assert bank.paid["payout-killed-1"]["amount_minor"] == 1_200_000
    assert [p["reference"] for p in again["payouts"]] == ["bank-payout-killed-1"]
    assert sum("Disbursed" in json.dumps(event) for event in events) == 1


def test_a_payout_that_comes_back(place: Place) -> None:
    """Returned by the bank nothing is owed; paid again later it is another order."""
    place.contract("returned")
    place.bank.closed = {ACCOUNT}

    back = place.ask("DisburseApplication", "returned")
    loan = place.suite.call("ledger", "GetLoan", loanId="L-returned")
    place.bank.closed = set()
    paid = place.ask("DisburseApplication", "returned", requestId="again")

    assert back["status"] == "APPLICATION_STATUS_PAYOUT_RETURNED"
    assert [p["returned"] for p in back["payouts"]] == ["account closed"]
    assert loan["status"] == "LOAN_STATUS_OPENED"
    assert paid["status"] == "APPLICATION_STATUS_DISBURSED"
    assert "payout-returned-1" not in place.bank.paid
    assert "payout-returned-2" in place.bank.paid
