"""Paid by the bank, refused by the ledger: people end it through real processes, killed or not."""

from __future__ import annotations

from typing import Any

from tests.services.origination.paying import Place
from tests.services.origination.test_security_and_time import guarantee, later, policy
from tests.stories.three_loans import cny


def say(place: Place, name: str, by: str, outcome: str, said: str, number: int) -> dict[str, Any]:
    """Have one person say what became of the nth order."""
    body = {"payoutId": f"payout-{name}-{number}", "requestId": f"{name}-{by}-{outcome}"}
    body |= {"outcome": f"PAYOUT_OUTCOME_{outcome}", "resolvedBy": by, "reference": said}
    return place.ask("ResolvePayout", name, **body)


def queue(place: Place) -> list[str]:
    """Return the applications whose money waits for people."""
    answer = place.suite.call("origination", "ListApplications", filter='hangs_at != ""')
    return [one["applicationId"] for one in answer.get("applications", [])]


def out(place: Place, name: str) -> int:
    """Return how often the ledger has paid a loan out."""
    facts = place.suite.call("ledger", "ListLoanEvents", loanId=f"L-{name}")["events"]
    return sum(fact["topic"].endswith("LoanDisbursed") for fact in facts)


def test_an_officer_booked_it_while_the_bank_paid(place: Place) -> None:
    """The ledger takes no second disbursal; two persons name the one that it has."""
    name, origination = "by-hand", place.suite.services["origination"]
    place.contract(name)

    def book() -> None:
        body = {"loanId": f"L-{name}", "valueOn": place.today(), "amount": cny(1_200_000)}
        place.suite.call("ledger", "DisburseLoan", requestId="officer-9-books", **body)

    place.bank.meanwhile[f"payout-{name}-1"] = book
    place.refused("LOAN_ALREADY_DISBURSED", "DisburseApplication", name)
    waiting = place.get(name)
    listed, asked = queue(place), place.bank.asked[f"payout-{name}-1"]
    place.refused(
        "OUTCOME_NOT_POSSIBLE",
        "ResolvePayout",
        name,
        payoutId=f"payout-{name}-1",
        outcome="PAYOUT_OUTCOME_BY_HAND",
        reference="no-such-request",
        resolvedBy="officer-1",
    )
    say(place, name, "officer-1", "BY_HAND", "officer-9-books", 1)
    origination.kill()
    origination.start()
    ended = say(place, name, "officer-2", "BY_HAND", "officer-9-books", 1)
    origination.kill()
    origination.start()
    again = say(place, name, "officer-2", "BY_HAND", "officer-9-books", 1)

    assert (waiting["status"], waiting["hangsAt"]) == ("APPLICATION_STATUS_DISBURSING", "disbursal")
    assert waiting["payouts"][-1]["disbursalRefused"] == "LOAN_ALREADY_DISBURSED"
    assert name in listed
    assert name not in queue(place)
    assert ended["status"] == "APPLICATION_STATUS_DISBURSED"
    assert again["payouts"] == ended["payouts"] == place.get(name)["payouts"]
    assert ended["payouts"][-1]["disbursalByHand"] == "officer-9-books"
    # A bank slow to answer is asked again; one that has answered is not.
    assert (out(place, name), place.bank.asked[f"payout-{name}-1"]) == (1, asked)


def test_the_second_part_of_a_loan_that_was_sold_is_taken_back(place: Place) -> None:
    """The buyer's loan gets no more money; what the bank has paid two persons say is back."""
    name = "sold"
    insured = policy(place, coverShare="1", validUntil=later(place, 600))
    place.offer(name, product="secured-private", monthlyIncome=cny(2_000_000))
    place.ask("AddGuarantee", name, **guarantee("INSURANCE", "PICC", 1_200_000, insurance=insured))
    place.confirm(name)
    place.ask("AcceptContract", name)
    place.ask("DisburseTranche", name, requestId=f"{name}-part-1", amount=cny(500_000))

    def sell() -> None:
        body = {"loanId": f"L-{name}", "effectiveOn": place.today(), "creditorRef": "house-2"}
        body |= {"price": cny(490_000), "approvedBy": "officer-9", "reason": "sale of claims"}
        place.suite.call("ledger", "TransferLoan", requestId=f"{name}-sale", **body)

    place.bank.meanwhile[f"payout-{name}-2"] = sell
    part = {"amount": cny(300_000)}
    place.refused("LOAN_IS_TRANSFERRED", "DisburseTranche", name, **part)
    say(place, name, "officer-1", "RETURNED", "recall 7", 2)
    ended = say(place, name, "officer-2", "RETURNED", "recalled, wire 7", 2)

    assert ended["status"] == "APPLICATION_STATUS_DISBURSED"
    assert ended["payouts"][-1]["returned"] == "recalled, wire 7"
    assert "hangsAt" not in ended
    assert out(place, name) == 1
