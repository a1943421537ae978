"""What secures a loan, what it may cost, and what time ends: through the public API."""

from __future__ import annotations

import itertools
import json
from datetime import date, timedelta
from typing import Any

import pytest

from tests.services.origination.paying import Place, reason_of
from tests.stories.three_loans import cny
from tests.system.processes import CallRefused

NUMBERS = itertools.count(1)
SECURED = {"product": "secured-private", "monthlyIncome": cny(2_000_000)}


def later(place: Place, days: int) -> str:
    return (date.fromisoformat(place.today()) + timedelta(days=days)).isoformat()


def guarantee(kind: str, provider: str, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": f"GUARANTEE_KIND_{kind}",
        "providerRef": provider,
        "amount": cny(amount),
        **more,
    }


def policy(place: Place, **other: Any) -> dict[str, Any]:
    given = {
        "policyNumber": f"PGI-{next(NUMBERS)}",
        "validFrom": place.today(),
        "validUntil": later(place, 365 + 90 + 10),
        "coverShare": "0.9",
        "deductibleMinor": "0",
        "waitingDays": 90,
    }
    return given | other


def register(place: Place, name: str, net_assets: int, **more: Any) -> dict[str, Any]:
    return place.security(
        "RegisterGuarantor",
        requestId=f"register-{name}-{net_assets}",
        guarantorRef=name,
        netAssets=cny(net_assets),
        statedOn=place.today(),
        **more,
    )


def test_a_guarantor_stays_within_its_limits(place: Place) -> None:
    """Ten times net assets in all, a tenth of them for one debtor, 15 % for one group."""
    register(place, "G-small", 12_000_000, elsewhereMinor="118000000")
    register(place, "G-large", 12_000_000)
    place.offer("g-1")
    place.offer("g-2")

    def refused(reason: str, name: str, by: str, amount: int, **more: Any) -> str:
        given = guarantee("GUARANTOR", by, amount, **more)
        return place.refused(reason, "AddGuarantee", name, **given)

    group = {"debtorGroup": "family-1"}
    refused("GUARANTOR_NOT_REGISTERED", "g-1", "G-nobody", 1_200_000)
    said = refused("GUARANTOR_OVER_LIMIT", "g-1", "G-small", 2_000_001)
    refused("GUARANTOR_OVER_DEBTOR_LIMIT", "g-1", "G-large", 1_200_001)
    given = guarantee("GUARANTOR", "G-large", 1_000_000, **group)
    first = place.ask("AddGuarantee", "g-1", **given)
    refused("GUARANTOR_OVER_GROUP_LIMIT", "g-2", "G-large", 900_000, **group)
    refused("GUARANTEE_ALREADY_THERE", "g-1", "G-large", 1)

    assert "2000000 more, not 2000001" in said
    assert first["guarantees"][0]["amountMinor"] == "1000000"


def test_a_guarantor_is_free_when_the_application_ends(place: Place) -> None:
    """What it guarantees counts while the application lives, not after it was withdrawn."""
    register(place, "G-free", 12_000_000)
    place.offer("g-3")
    place.ask("AddGuarantee", "g-3", **guarantee("GUARANTOR", "G-free", 1_000_000))

    engaged = place.security("GetGuarantor", guarantorRef="G-free")
    place.ask("WithdrawApplication", "g-3")
    freed = place.security("GetGuarantor", guarantorRef="G-free")

    assert (engaged["applicationIds"], engaged["outstandingMinor"]) == (["g-3"], "1000000")
    assert "applicationIds" not in freed


INSURED = [
    # what is wrong                | field             | days from today | reason
    ("it ended yesterday", "validUntil", -1, "INSURANCE_EXPIRED"),
    ("it begins tomorrow", "validFrom", 1, "INSURANCE_NOT_YET_VALID"),
    ("it ends with the loan", "validUntil", 366, "INSURANCE_ENDS_TOO_EARLY"),
]


@pytest.mark.parametrize(("wrong", "field", "days", "reason"), INSURED)
def test_an_insurance_policy_covers_the_whole_term(
    place: Place, wrong: str, field: str, days: int, reason: str
) -> None:
    """It is valid from the day it is taken in until claims on the last instalment can be made."""
    name = f"insured-{field}{days}"
    place.offer(name)

    insurance = policy(place, **{field: later(place, days)})

    place.refused(
        reason,
        "AddGuarantee",
        name,
        **guarantee("INSURANCE", "PICC", 1_200_000, insurance=insurance),
    )


def test_a_premium_is_part_of_the_cost_and_under_the_ceiling(place: Place) -> None:
    """What the insurer is paid makes the loan dearer; above the ceiling it is refused."""
    name, insurance = "premium", policy(place)
    before = place.offer(name)
    dear = guarantee("INSURANCE", "PICC", 1_200_000, insurance=insurance, fee=cny(100_000))
    said = place.refused("COST_CEILING_EXCEEDED", "AddGuarantee", name, **dear)
    fair = {**dear, "fee": cny(24_000)}
    after = place.ask("AddGuarantee", name, **fair)
    shown = place.ask("ShowDisclosure", name)

    assert "a year" in said
    assert before["offers"][0]["allInRateAnnual"] == "0.1200"
    assert "0.15" < after["offers"][0]["allInRateAnnual"] < "0.17"
    assert after["terms"]["feesElsewhereMinor"] == "24000"
    assert shown["netProceedsMinor"] == str(1_200_000 - 24_000)
    assert "| Insurance premium | 240.00 | once, on the day of payout | PICC |" in shown["textEn"]
    assert "| 保险费 | 240.00 | 放款日一次性支付 | PICC |" in shown["textZh"]


def test_a_product_over_the_ceiling_is_not_offered(place: Place) -> None:
    """A row of the product that asks 25 % a year: nothing is offered, the ceiling is named."""
    name = "dear"
    place.ask("SubmitApplication", name, **{**place.form(name), "product": "consumer-2026-daily"})

    said = place.refused("COST_CEILING_EXCEEDED", "DecideApplication", name)

    assert "0.25" in said
    assert place.get(name)["policyVersion"] == "consumer-2026-daily@2026-01-01"
    assert place.get(name)["status"] == "APPLICATION_STATUS_SUBMITTED"
    trail = place.get(name)["trail"]
    assert [(line["step"], line.get("note")) for line in trail][1:] == [
        ("refuse", "COST_CEILING_EXCEEDED")
    ]


def test_a_secured_loan_needs_cover_of_enough_value(place: Place) -> None:
    """A thing secures up to its share of the value, above prior liens, valued of late."""
    name = "covered"
    thing = {"description": "a car", "valueMinor": "2000000", "valuedOn": place.today()}
    thing["priorLiensMinor"] = "100000"
    place.offer(name, **SECURED)
    place.confirm(name)

    uncovered = place.refused("CONDITIONS_OUTSTANDING", "AcceptContract", name)
    too_much = guarantee("COLLATERAL", "Car-1", 1_300_001, collateral=thing)
    place.refused("LOAN_TO_VALUE_EXCEEDED", "AddGuarantee", name, **too_much)
    stale = {**thing, "valuedOn": "2020-01-01"}
    old = guarantee("COLLATERAL", "Car-1", 1_300_000, collateral=stale)
    place.refused("VALUATION_TOO_OLD", "AddGuarantee", name, **old)

    assert "cover 0 of the 1200000" in uncovered


def test_a_secured_loan_waits_for_consent_and_lien(place: Place) -> None:
    """Consent and lien are there before money is; the thing is released when it is repaid."""
    name, named = "secured", {"applicationId": "secured", "guaranteeId": "Car-2"}
    thing = {"description": "a car", "valueMinor": "2000000", "valuedOn": place.today()}
    place.offer(name, **SECURED)
    place.ask("AddGuarantee", name, **guarantee("COLLATERAL", "Car-2", 1_300_000, collateral=thing))
    place.confirm(name)
    accepted = place.ask("AcceptContract", name)

    waiting = place.refused("CONDITIONS_OUTSTANDING", "DisburseApplication", name)
    consent = {**named, "contractSha256": accepted["contractSha256"]}
    place.security("RecordConsent", **consent, requestId="consent-1")
    lien = {**named, "registrationNumber": "L-77", "registeredOn": place.today()}
    place.security("RegisterLien", **lien, requestId="lien-1")
    place.ask("DisburseApplication", name)
    with pytest.raises(CallRefused) as owed:
        place.security("ReleaseGuarantee", **named, requestId="release-1")
    loan = {"loanId": f"L-{name}"}
    payoff = cny(int(place.suite.call("ledger", "GetLoan", **loan)["payoffMinor"]))
    money = {**loan, "requestId": "repay-secured", "valueOn": place.today(), "amount": payoff}
    place.suite.call("ledger", "PostRepayment", **money)
    released = place.security("ReleaseGuarantee", **named, requestId="release-2")

    assert "Car-2 has not consented" in waiting
    assert "the lien on Car-2" in waiting
    assert reason_of(owed.value) == "LOAN_STILL_OWED"
    assert released["guarantees"][0]["releasedOn"] == place.today()


def test_a_later_payout_counts_from_its_own_day(place: Place) -> None:
    """Paid out days after the contract, the loan costs no more than was disclosed."""
    place.offer("later")
    place.confirm("later")
    accepted = place.ask("AcceptContract", "later")
    place.advance(later(place, 12))

    paid = place.ask("DisburseApplication", "later")
    rows = place.suite.call("ledger", "GetLoan", loanId="L-later")["instalments"]
    total = sum(int(row["principalDueMinor"]) + int(row["interestDueMinor"]) for row in rows)

    assert paid["payouts"][0]["valueOn"] == place.today()
    assert total < int(accepted["offers"][0]["totalPayableMinor"])


def test_given_back_in_the_cooling_off_period(place: Place) -> None:
    """Within seven days the borrower gives back what is owed; the ledger closes the loan."""
    place.contract("cooled")
    place.contract("kept")
    place.ask("DisburseApplication", "cooled")
    place.ask("DisburseApplication", "kept")
    place.advance(later(place, 7))
    loan = place.suite.call("ledger", "GetLoan", loanId="L-cooled")
    said = place.refused("AMOUNT_NOT_OWED", "CancelLoan", "cooled", amount=cny(1_200_000))
    back = place.ask("CancelLoan", "cooled", amount=cny(int(loan["payoffMinor"])))
    place.advance(later(place, 1))
    place.refused("COOLING_OFF_IS_OVER", "CancelLoan", "kept", amount=cny(1_200_000))
    again = place.ask("CancelLoan", "cooled", amount=cny(int(loan["payoffMinor"])))

    assert loan["payoffMinor"] in said
    assert int(loan["payoffMinor"]) > 1_200_000
    assert back["status"] == again["status"] == "APPLICATION_STATUS_CANCELLED"
    closed = place.suite.call("ledger", "GetLoan", loanId="L-cooled")
    assert closed["status"] == "LOAN_STATUS_SETTLED"
    assert "interestOverdueMinor" not in closed


def test_an_offer_lapses_after_its_last_day(place: Place) -> None:
    """On its last day it can be taken up; the day after it has lapsed, whoever asks."""
    offered = place.offer("lapsed")
    place.offer("in-time")
    place.refused("OFFER_NOT_EXPIRED", "ExpireApplication", "lapsed")
    place.advance(offered["validUntilOn"])
    place.confirm("in-time")
    place.advance(later(place, 1))

    place.refused("APPLICATION_IS_EXPIRED", "ShowDisclosure", "lapsed")
    place.refused("APPLICATION_IS_EXPIRED", "AcceptContract", "in-time")

    assert place.get("lapsed")["status"] == "APPLICATION_STATUS_EXPIRED"
    trail = place.get("lapsed")["trail"]
    assert [(line["step"], line["by"]) for line in trail][-1] == ("expire", "origination")
    assert json.dumps(trail)
