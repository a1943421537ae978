"""A loan that pays another off, and a loan paid out in parts: through the public API."""

from __future__ import annotations

from typing import Any

from tests.services.origination.paying import Place
from tests.services.origination.test_review_and_disclosure import document
from tests.services.origination.test_security_and_time import guarantee, later, policy
from tests.stories.three_loans import cny


def loan(place: Place, name: str) -> dict[str, Any]:
    return place.suite.call("ledger", "GetLoan", loanId=name)


def test_a_loan_pays_off_the_one_before_it(place: Place) -> None:
    """The payoff of the day goes to the old loan, once; the borrower gets the rest."""
    place.contract("old")
    place.ask("DisburseApplication", "old")
    place.advance(later(place, 10))
    mine = {"borrowerRef": "B-old", "refinancesLoanId": "L-old", "amount": cny(2_000_000)}
    others = {**place.form("new"), **mine, "borrowerRef": "B-other"}
    small = {**place.form("new"), **mine, "amount": cny(1_000_000)}

    place.refused("LOAN_NOT_REFINANCED", "SubmitApplication", "new", **others)
    place.refused("REFINANCING_TOO_SMALL", "SubmitApplication", "new", **small)
    place.offer("new", **mine)
    shown = place.ask("ShowDisclosure", "new")
    place.confirm("new", "-2")
    place.ask("AcceptContract", "new")
    place.advance(later(place, 2))
    payoff = int(loan(place, "L-old")["payoffMinor"])
    paid = place.ask("DisburseApplication", "new")
    contract = document(place, "new", "CONTRACT", "TEXT", "zh").decode()

    assert int(shown["payoffMinor"]) + int(shown["netPayoutMinor"]) == 2_000_000
    assert 1_200_000 < int(shown["payoffMinor"]) < payoff
    assert "| Pays off loan L\\-old |" in shown["textEn"]
    assert "结清贷款 L\\-old" in contract
    assert (paid["status"], paid["payouts"][0]["payoffMinor"]) == (
        "APPLICATION_STATUS_DISBURSED",
        str(payoff),
    )
    assert place.bank.paid["payout-new-1"]["amount_minor"] == 2_000_000 - payoff
    assert loan(place, "L-old")["status"] == "LOAN_STATUS_SETTLED"
    assert loan(place, "L-new")["principalOutstandingMinor"] == "2000000"
    place.refused("PAYOUT_IN_PARTS", "ReturnPayout", "new", payoutId="payout-new-1", reason="x")


def test_a_loan_is_paid_out_in_parts(place: Place) -> None:
    """Each part once, all of it with the last; what comes back can be sent again."""
    name = "parts"
    insured = policy(place, coverShare="1", validUntil=later(place, 600))
    place.offer(name, product="secured-private", monthlyIncome=cny(2_000_000))
    place.ask("AddGuarantee", name, **guarantee("INSURANCE", "PICC", 1_200_000, insurance=insured))
    text = place.ask("ShowDisclosure", name)["textEn"]
    place.confirm(name, "-2")
    place.ask("AcceptContract", name)

    def part(number: int, amount: int) -> dict[str, Any]:
        body = {"requestId": f"{name}-part-{number}", "amount": cny(amount)}
        return place.ask("DisburseTranche", name, **body)

    def refused(reason: str, amount: int) -> None:
        place.refused(reason, "DisburseTranche", name, amount=cny(amount))

    first = part(1, 500_000)
    again = part(1, 500_000)
    place.advance(later(place, 3))
    part(2, 300_000)
    refused("AMOUNT_ABOVE_WHAT_IS_LEFT", 400_001)
    place.refused("AMOUNT_ABOVE_WHAT_IS_LEFT", "DisburseTranche", name, amount=cny(399_999))
    part(3, 400_000)
    refused("NOTHING_LEFT_TO_PAY_OUT", 1)

    assert "in up to 3 parts" in text
    assert first == again
    found = place.get(name)
    assert [p["amountMinor"] for p in found["payouts"]] == ["500000", "300000", "400000"]
    assert loan(place, f"L-{name}")["principalOutstandingMinor"] == "1200000"
    ids = [key for key in place.bank.paid if key.startswith(f"payout-{name}-")]
    assert len(ids) == 3
