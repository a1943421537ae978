"""What a careless or cunning request may not do: through the public API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.origination.paying import Place, reason_of
from tests.services.origination.test_review_and_disclosure import GRADED
from tests.services.origination.test_security_and_time import guarantee, later, policy, register
from tests.stories.three_loans import cny
from tests.system.processes import CallRefused

JPY = {"amountMinor": "1000000", "currency": "JPY"}

FORMS: list[tuple[str, dict[str, Any], str]] = [
    # what is wrong             | field                          | reason
    ("dated ahead", {"appliedOn": "2099-01-01"}, "APPLICATION_DATE_OUT_OF_RANGE"),
    ("dated long ago", {"appliedOn": "2025-09-30"}, "APPLICATION_DATE_OUT_OF_RANGE"),
    ("income in yen", {"monthlyIncome": JPY}, "CURRENCIES_DIFFER"),
    ("debts in yen", {"monthlyDebtPayments": JPY}, "CURRENCIES_DIFFER"),
    ("an id too long", {"applicationId": "A" * 39}, "ID_NOT_VALID"),
]


@pytest.mark.parametrize(("wrong", "changes", "reason"), FORMS)
def test_what_is_not_taken_in(
    place: Place, wrong: str, changes: dict[str, Any], reason: str
) -> None:
    """Another law, another currency, an id that would be cut: refused by name."""
    form = {**place.form("strict"), **changes, "requestId": wrong.replace(" ", "-")}

    with pytest.raises(CallRefused) as refusal:
        place.suite.call("origination", "SubmitApplication", **form)

    assert reason_of(refusal.value) == reason


def test_security_is_in_the_currency_of_the_loan(place: Place) -> None:
    """A security of 1,000,000 yen is none of 10,000 yuan; nor does its guarantor change."""
    name = "currencies"
    register(place, "G-yuan", 12_000_000)
    place.offer(name)
    by = guarantee("GUARANTOR", "G-yuan", 1_000_000)

    place.refused("SECURITY_CURRENCY_DIFFERS", "AddGuarantee", name, **{**by, "amount": JPY})
    place.ask("AddGuarantee", name, **by)
    with pytest.raises(CallRefused) as refusal:
        place.security(
            "RegisterGuarantor",
            requestId="to-yen",
            guarantorRef="G-yuan",
            netAssets={**JPY, "amountMinor": "12000000"},
            statedOn=place.today(),
        )

    assert reason_of(refusal.value) == "GUARANTOR_CURRENCY_FIXED"


def test_a_dearer_payout_is_disclosed_anew(place: Place) -> None:
    """With a fee, a later payout costs less in all and more a year: chosen, read, signed again."""
    name = "dearer"
    place.offer(name)
    insured = guarantee(
        "INSURANCE",
        "PICC",
        1_200_000,
        insurance=policy(place, validUntil=later(place, 500)),
        fee=cny(48_000),
    )
    place.ask("AddGuarantee", name, **insured)
    place.confirm(name)
    place.ask("AcceptContract", name)
    place.advance(later(place, 20))

    said = place.refused("DISCLOSURE_OUT_OF_DATE", "DisburseApplication", name)
    chosen = place.ask("ChooseOffer", name, offerId="12m")
    place.confirm(name, "-again")
    place.ask("AcceptContract", name, requestId=f"{name}-accept-again")
    paid = place.ask("DisburseApplication", name)

    assert "a year was disclosed" in said
    assert (chosen["status"], "signedBy" in chosen) == ("APPLICATION_STATUS_OFFERED", False)
    assert paid["status"] == "APPLICATION_STATUS_DISBURSED"


def test_interest_repaid_is_credited_where_none_is_owed(place: Place) -> None:
    """What was repaid in the cooling-off days counts in full, as interest or as principal."""
    name = "credited"
    place.contract(name, **GRADED)
    place.ask("DisburseApplication", name)
    place.advance(later(place, 3))
    money = {"loanId": f"L-{name}", "requestId": f"repay-{name}", "valueOn": place.today()}
    place.suite.call("ledger", "PostRepayment", **money, amount=cny(20_000))

    place.refused("AMOUNT_NOT_OWED", "CancelLoan", name, amount=cny(1_200_000))
    back = place.ask("CancelLoan", name, amount=cny(1_180_000))

    assert back["status"] == "APPLICATION_STATUS_CANCELLED"


def test_more_interest_was_paid_than_principal_is_left(place: Place) -> None:
    """Nothing more comes in, what is left is let go, and what is to go back is said."""
    name = "nearly-repaid"
    place.contract(name, **GRADED)
    place.ask("DisburseApplication", name)
    place.advance(later(place, 3))
    payoff = int(place.suite.call("ledger", "GetLoan", loanId=f"L-{name}")["payoffMinor"])
    money = {"loanId": f"L-{name}", "requestId": f"repay-{name}", "valueOn": place.today()}
    place.suite.call("ledger", "PostRepayment", **money, amount=cny(payoff - 100))
    left = int(place.suite.call("ledger", "GetLoan", loanId=f"L-{name}")["payoffMinor"])
    over = payoff - 1_200_000 - 100

    place.refused("AMOUNT_NOT_OWED", "CancelLoan", name, amount=cny(100))
    back = place.ask("CancelLoan", name, amount=cny(0))
    loan = place.suite.call("ledger", "GetLoan", loanId=f"L-{name}")
    facts = place.suite.call("ledger", "ListLoanEvents", loanId=f"L-{name}")["events"]
    bodies = [json.loads(f["bodyJson"]) for f in facts if f["topic"].endswith("SettlementPosted")]

    assert min(left, over) > 0
    assert back["status"] == "APPLICATION_STATUS_CANCELLED"
    assert [line["note"] for line in back["trail"] if line["step"] == "cancel"] == [
        f"0; {over} is to be paid back"
    ]
    assert loan["status"] == "LOAN_STATUS_SETTLED"
    assert "payoffMinor" not in loan
    assert [(body["amount_minor"], body["forgiven_minor"]) for body in bodies] == [(0, left)]
    lines = dict(bodies[0]["postings"])
    assert (sum(lines.values()), lines["loans:principal"]) == (0, -left)
    assert "assets:cash" not in lines


def test_what_was_repaid_in_full_is_not_given_back_again(place: Place) -> None:
    """Settled within the cooling-off days: nothing is left to cancel, and it is said so."""
    name = "settled-early"
    place.contract(name, **GRADED)
    place.ask("DisburseApplication", name)
    payoff = int(place.suite.call("ledger", "GetLoan", loanId=f"L-{name}")["payoffMinor"])
    money = {"loanId": f"L-{name}", "requestId": f"repay-{name}", "valueOn": place.today()}
    place.suite.call("ledger", "PostRepayment", **money, amount=cny(payoff))

    place.refused("NOTHING_IS_OWED", "CancelLoan", name, amount=cny(1))


def test_a_decision_is_answered_once_per_request(place: Place) -> None:
    """The same request gets the first answer; what ended since is refused to another one."""
    name = "decided-once"
    first = place.offer(name)
    place.ask("WithdrawApplication", name)

    again = place.ask("DecideApplication", name)
    place.refused("APPLICATION_IS_WITHDRAWN", "DecideApplication", name)
    place.refused(
        "REQUEST_ID_REUSED", "DecideApplication", "other", requestId=f"{name}-DecideApplication"
    )

    assert again == first
    assert first["status"] == "APPLICATION_STATUS_OFFERED"
