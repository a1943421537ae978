"""Checked, decided, reviewed by people, offered, disclosed, signed: through the public API."""

from __future__ import annotations

import base64
import hashlib
import io
import time
from datetime import date, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pypdf import PdfReader

from shared.kernel.money import format_amount
from tests.services.origination.paying import Place
from tests.stories.three_loans import GOOD_RISK, cny

IDENTITY = "110105199103070022"
GRADED = {
    "product": "consumer-graded",
    "identityNumber": IDENTITY,
    "ageYears": 34,
    "attributes": GOOD_RISK,
}
BAD_RISK = {
    **GOOD_RISK,
    "status_of_existing_checking_account": "... < 0 DM",
    "credit_history": "no credits taken/ all credits paid back duly",
    "duration_in_month": "24",
    "purpose": "car (new)",
}


def document(place: Place, name: str, kind: str, form: str, lang: str, sha256: str = "") -> bytes:
    answer = place.suite.call(
        "origination",
        "GetDocument",
        applicationId=name,
        kind=f"DOCUMENT_KIND_{kind}",
        form=f"DOCUMENT_FORM_{form}",
        language=lang,
        sha256=sha256,
    )
    content = base64.b64decode(answer["content"])
    assert hashlib.sha256(content).hexdigest() == answer["contentSha256"]
    return content


def check_forms(place: Place, lang: str, sha256: str, rows: list[dict[str, Any]]) -> None:
    """Page, paper and contract of the application "shown" say the same, and by which hash."""
    pdf = document(place, "shown", "DISCLOSURE", "PDF", lang)
    assert pdf == document(place, "shown", "DISCLOSURE", "PDF", lang)
    html = document(place, "shown", "DISCLOSURE", "HTML", lang).decode()
    on_paper = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    for row in rows:
        due = int(row["principalDueMinor"]) + int(row["interestDueMinor"])
        for text in (html, on_paper):
            assert row["dueOn"] in text
            assert format_amount(due, "CNY") in text
    contract = document(place, "shown", "CONTRACT", "TEXT", lang).decode()
    assert all(sha256 in text for text in (html, on_paper, contract))


def test_the_disclosure_is_the_ledgers_preview(place: Place) -> None:
    """What is shown equals what the ledger then books, to the cent, in every form and language."""
    place.offer("shown")
    shown = place.ask("ShowDisclosure", "shown")
    again = place.ask("ShowDisclosure", "shown")
    place.refused(
        "DISCLOSURE_READ_TOO_BRIEFLY",
        "ConfirmDisclosure",
        "shown",
        disclosureSha256=shown["disclosureSha256"],
    )
    place.refused("DISCLOSURE_DIFFERS", "ConfirmDisclosure", "shown", disclosureSha256="0" * 64)
    time.sleep(1.1)
    place.ask("ConfirmDisclosure", "shown", disclosureSha256=shown["disclosureSha256"])
    accepted = place.ask("AcceptContract", "shown")
    place.ask("DisburseApplication", "shown")
    booked = place.suite.call("ledger", "GetLoan", loanId="L-shown")

    assert again == shown
    assert shown["instalments"] == booked["instalments"]
    assert shown["allInRateAnnual"] == "0.1200"
    both = f"{shown['textZh']}\0{shown['textEn']}".encode()
    assert hashlib.sha256(both).hexdigest() == shown["disclosureSha256"]
    for lang in ("zh", "en"):
        check_forms(place, lang, shown["disclosureSha256"], booked["instalments"])
    assert accepted["contractSha256"] != shown["disclosureSha256"]
    assert {**booked["terms"], **accepted["terms"]} == booked["terms"]


def test_what_lateness_costs_is_what_the_ledger_asks(place: Place) -> None:
    """The example of thirty days late is the penalty that the ledger accrues by then."""
    place.contract("late")
    place.ask("DisburseApplication", "late")
    text = document(place, "late", "DISCLOSURE", "TEXT", "en").decode()
    due_on = place.suite.call("ledger", "GetLoan", loanId="L-late")["instalments"][0]["dueOn"]
    later = (date.fromisoformat(due_on) + timedelta(days=30)).isoformat()

    late = place.suite.call("ledger", "GetLoan", loanId="L-late", effectiveOn=later)
    penalty = int(late["instalments"][0]["penaltyDueMinor"])

    assert late["delinquency"]["daysPastDue"] == 30
    assert f"You then owe {format_amount(penalty, 'CNY')} CNY" in " ".join(text.split())


def test_grades_price_and_several_terms_are_offered(place: Place) -> None:
    """A good risk gets grade A and three terms; choosing another has it shown again."""
    offered = place.offer("graded", **GRADED, amount=cny(380_000))
    assert offered["status"] == "APPLICATION_STATUS_OFFERED", offered
    shown = place.ask("ShowDisclosure", "graded")
    chosen = place.ask("ChooseOffer", "graded", offerId="6m")
    place.refused(
        "DISCLOSURE_NOT_SHOWN",
        "ConfirmDisclosure",
        "graded",
        disclosureSha256=shown["disclosureSha256"],
    )
    place.refused("OFFER_NOT_FOUND", "ChooseOffer", "graded", offerId="7m")

    assert [c["outcome"] for c in offered["checks"]] == ["PASSED", "PASSED"]
    assert [(o["offerId"], o["grade"]) for o in offered["offers"]] == [
        ("12m", "A"),
        ("6m", "A"),
        ("24m", "A"),
    ]
    assert {o["terms"]["rateAnnual"] for o in offered["offers"]} == {"0.09"}
    assert chosen["terms"]["instalments"] == 6
    assert "disclosureSha256" not in chosen
    assert [line["step"] for line in chosen["trail"]] == ["submit", "decide", "show", "choose"]


CHECKED = [
    # what is wrong          | field            | value                | status     | code
    ("a wrong check digit", "identityNumber", "110105199103070023", "DECLINED", "IDENTITY_NUMBER"),
    ("an impossible birthday", "identityNumber", "110105199113310026", "DECLINED", "IDENTITY_NU"),
    (
        "a mistyped account",
        "accountRef",
        "6222020200112233447",
        "DECLINED",
        "BANK_ACCOUNT_NOT_VALID",
    ),
    ("another age", "ageYears", 44, "REFERRED", "AGE_CONTRADICTED"),
]


@pytest.mark.parametrize(("wrong", "field", "value", "status", "code"), CHECKED)
def test_what_checks_find(
    place: Place, wrong: str, field: str, value: Any, status: str, code: str
) -> None:
    """A failed check declines with its reason; a contradiction goes to people."""
    name = f"checked-{field}-{str(value)[-1]}"

    found = place.offer(name, **{**GRADED, field: value})

    assert found["status"] == f"APPLICATION_STATUS_{status}", wrong
    assert code in str(found["checks"])
    if status == "DECLINED":
        notice = document(place, name, "ADVERSE_ACTION", "TEXT", "zh").decode()
        assert "无效" in notice


def test_four_eyes_on_what_was_referred(place: Place) -> None:
    """Two different people approve, one with authority for the amount; each refusal says why."""
    name, rich = "referred", {"amount": cny(4_000_000), "monthlyIncome": cny(5_000_000)}
    found = place.offer(name, **{**GRADED, **rich, "ageYears": 44})
    asked = {"status": "APPLICATION_STATUS_REFERRED"}
    queue = place.suite.call("origination", "ListApplications", **asked)
    said = {"approves": True, "reason": "passport seen"}

    def review(by: str) -> dict[str, Any]:
        body = {**said, "reviewerRef": by, "requestId": f"by-{by}"}
        return place.ask("ReviewApplication", name, **body)

    def refused(reason: str, by: str) -> None:
        place.refused(reason, "ReviewApplication", name, reviewerRef=by, **said)

    refused("REVIEWER_HAS_NO_AUTHORITY", "stranger")
    first = review("officer-1")
    refused("REVIEWER_IS_THE_SAME", "officer-1")
    second = review("officer-2")

    assert found["status"] == first["status"] == "APPLICATION_STATUS_REFERRED"
    assert name in [row["applicationId"] for row in queue["applications"]]
    assert second["status"] == "APPLICATION_STATUS_OFFERED"
    assert second["offers"]
    assert review("officer-2") == second
    refused("APPLICATION_NOT_REFERRED", "committee-1")


def test_people_without_authority_cannot_approve_a_large_loan(place: Place) -> None:
    """Two officers are not enough above their limits; a third with authority is."""
    name = "large"
    place.offer(
        name,
        **{**GRADED, "ageYears": 44, "amount": cny(9_000_000), "monthlyIncome": cny(9_000_000)},
    )
    good = {"approves": True, "reason": "seen"}
    place.ask("ReviewApplication", name, requestId="lev-1", reviewerRef="officer-1", **good)

    place.refused("AUTHORITY_TOO_LOW", "ReviewApplication", name, reviewerRef="officer-2", **good)
    approved = place.ask(
        "ReviewApplication", name, requestId="lev-3", reviewerRef="committee-1", **good
    )

    assert approved["status"] == "APPLICATION_STATUS_OFFERED"


def test_a_declined_applicant_is_told_why_in_two_languages(place: Place) -> None:
    """The notice names at most four reasons, the same in both languages; the end is an end."""
    found = place.offer("declined", attributes=BAD_RISK, monthlyDebtPayments=cny(900_000))
    en = document(place, "declined", "ADVERSE_ACTION", "TEXT", "en").decode()
    zh = document(place, "declined", "ADVERSE_ACTION", "TEXT", "zh").decode()
    place.refused("APPLICATION_IS_DECLINED", "ShowDisclosure", "declined")

    assert found["status"] == "APPLICATION_STATUS_DECLINED"
    reasons = found["decision"]["reasons"]
    assert 1 <= len(reasons) <= 4
    for reason in reasons:
        assert f"- {reason['textEn']}" in en.replace("\\", "")
        assert f"- {reason['textZh']}" in zh.replace("\\", "")


def test_a_contract_is_signed_over_its_hash_by_every_party(place: Place) -> None:
    """Borrower and co-borrower sign with keys; a signature over anything else is refused."""
    name, key = "signed", Ed25519PrivateKey.generate()
    both = {"borrowerRef": "B-co", "name": "Han_Mei*mei", "identityNumber": IDENTITY}
    place.offer(name, coBorrowers=[both])
    place.confirm(name)
    text = document(place, name, "CONTRACT", "TEXT", "en")
    zh = document(place, name, "CONTRACT", "TEXT", "zh")
    sha256 = hashlib.sha256(zh + b"\0" + text).hexdigest()
    proof = {
        "contractSha256": sha256,
        "publicKey": key.public_key().public_bytes_raw().hex(),
        "signature": key.sign(sha256.encode()).hex(),
    }

    place.refused(
        "CONTRACT_DIFFERS",
        "SignContract",
        name,
        partyRef=f"B-{name}",
        **{**proof, "contractSha256": "0" * 64, "signature": key.sign(b"0" * 64).hex()},
    )
    place.refused(
        "SIGNATURE_NOT_VALID",
        "SignContract",
        name,
        partyRef=f"B-{name}",
        **{**proof, "signature": "00" * 64},
    )
    place.refused("PARTY_UNKNOWN", "SignContract", name, partyRef="B-who", **proof)
    place.ask("SignContract", name, requestId="sig-4", partyRef=f"B-{name}", **proof)
    missing = place.refused("CONDITIONS_OUTSTANDING", "DisburseApplication", name)
    signed = place.ask("SignContract", name, requestId="sig-5", partyRef="B-co", **proof)
    paid = place.ask("DisburseApplication", name)

    assert "B-co has not signed" in missing
    assert b"Han\\_Mei\\*mei" in text
    assert signed["signedBy"] == [f"B-{name}", "B-co"]
    assert paid["status"] == "APPLICATION_STATUS_DISBURSED"
    assert document(place, name, "CONTRACT", "TEXT", "en", sha256) == text
