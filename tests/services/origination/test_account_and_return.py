"""Another account, money that the bank sends back, and keys of one's own: through the API."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.services.origination.paying import Place, reason_of
from tests.services.origination.test_review_and_disclosure import GRADED, document
from tests.services.origination.test_security_and_time import later
from tests.system.processes import CallRefused

CLOSED, OPEN = "4111111111111111", "5555555555554444"


def change(place: Place, name: str, account: str, by: str) -> dict[str, Any]:
    body = {"accountRef": account, "changedBy": by, "requestId": f"{name}-{account[-4:]}-{by}"}
    return place.ask("ChangeAccount", name, **body)


def test_money_that_came_back_goes_to_another_account(place: Place) -> None:
    """The account is checked again, and two persons say the same before money goes there."""
    name = "redirected"
    place.bank.closed.add(CLOSED)
    place.contract(name, **{**GRADED, "accountRef": CLOSED})
    back = place.ask("DisburseApplication", name)

    with pytest.raises(CallRefused) as invalid:
        change(place, name, "5555555555554445", "officer-1")
    change(place, name, OPEN, "officer-1")
    alone = place.ask("DisburseApplication", name, requestId=f"{name}-alone")
    changed = change(place, name, OPEN, "officer-2")
    paid = place.ask("DisburseApplication", name, requestId=f"{name}-last")

    assert back["status"] == alone["status"] == "APPLICATION_STATUS_PAYOUT_RETURNED"
    assert reason_of(invalid.value) == "ACCOUNT_NOT_VALID"
    assert OPEN not in str(changed)
    assert paid["status"] == "APPLICATION_STATUS_DISBURSED"
    assert place.bank.paid[f"payout-{name}-3"]["account_ref"] == OPEN


def test_the_applicant_changes_the_account_before_the_contract(place: Place) -> None:
    """Nothing is signed yet: one word is enough, and the decision goes on with the new account."""
    name = "early"
    place.offer(name, **{**GRADED, "accountRef": CLOSED})
    changed = change(place, name, OPEN, "applicant-1")

    assert changed["status"] == "APPLICATION_STATUS_OFFERED"
    assert changed["trail"][-1]["step"] == "redirect"


def test_a_payout_that_the_bank_sends_back_later(place: Place) -> None:
    """Two persons say so; the ledger's loan is cancelled, and its log says what the bank did."""
    name = "sent-back"
    place.contract(name)
    place.ask("DisburseApplication", name)
    place.advance(later(place, 4))
    said = {"payoutId": f"payout-{name}-1", "reason": "account closed"}

    def by(person: str, **other: str) -> dict[str, Any]:
        request = {"requestId": f"back-{person}", "returnedBy": person, **said, **other}
        return place.ask("ReturnPayout", name, **request)

    place.refused("PAYOUT_NOT_FOUND", "ReturnPayout", name, **{**said, "payoutId": "payout-x"})
    first, again = by("officer-1"), by("officer-1")
    with pytest.raises(CallRefused) as same:
        by("officer-1", requestId="back-once-more")
    with pytest.raises(CallRefused) as reused:
        by("officer-1", reason="another")
    second = by("officer-2", reason="Account is closed")
    loan = place.suite.call("ledger", "GetLoan", loanId=f"L-{name}")

    assert first["status"] == "APPLICATION_STATUS_DISBURSED"
    assert again == first
    assert reason_of(same.value) == "PROPOSER_IS_THE_SAME"
    assert reason_of(reused.value) == "REQUEST_ID_REUSED"
    assert second["status"] == place.get(name)["status"] == "APPLICATION_STATUS_CANCELLED"
    assert second["payouts"][-1]["returned"] == "Account is closed"
    assert (loan["status"], loan["statusReason"]) == ("LOAN_STATUS_CANCELLED", "PAYOUT_RETURNED")
    assert {"payoffMinor", "principalOutstandingMinor", "interestOverdueMinor"}.isdisjoint(loan)
    facts = place.suite.call("ledger", "ListLoanEvents", loanId=f"L-{name}")["events"]
    back = [json.loads(f["bodyJson"]) for f in facts if f["topic"].endswith("Returned")]
    assert not any(fact["topic"].endswith(("SettlementPosted", "LoanSettled")) for fact in facts)
    assert [fact["postings"] for fact in back] == [
        [["assets:cash", 1_200_000], ["loans:principal", -1_200_000]]
    ]
    assert back[0]["reason"] == "Account is closed"
    assert back[0]["approved_by"] == "officer-1, officer-2"
    with pytest.raises(CallRefused) as closed:
        money = {"amountMinor": "5", "currency": "CNY"}
        paid = {"loanId": f"L-{name}", "valueOn": place.today(), "amount": money}
        place.suite.call("ledger", "PostRepayment", requestId="too-late", **paid)
    assert reason_of(closed.value) == "PAYOUT_WAS_RETURNED"


def test_who_registered_a_key_signs_with_it(place: Place) -> None:
    """Neither another key nor a click will do, and the contract says which key it is."""
    name, key, other = "keyed", Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    place.offer(name, publicKey=public)
    place.confirm(name)
    zh, en = (document(place, name, "CONTRACT", "TEXT", lang) for lang in ("zh", "en"))
    sha256 = hashlib.sha256(zh + b"\0" + en).hexdigest()

    def proof(by: Ed25519PrivateKey) -> dict[str, Any]:
        return {
            "partyRef": f"B-{name}",
            "contractSha256": sha256,
            "publicKey": by.public_key().public_bytes_raw().hex(),
            "signature": by.sign(sha256.encode()).hex(),
        }

    place.refused("KEY_NOT_REGISTERED", "AcceptContract", name)
    place.refused("KEY_NOT_REGISTERED", "SignContract", name, **proof(other))
    signed = place.ask("SignContract", name, **proof(key))

    assert public.encode() in en
    assert public.encode() in zh
    assert signed["status"] == "APPLICATION_STATUS_CONTRACTED"
