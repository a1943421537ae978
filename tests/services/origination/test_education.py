"""A text of its own says what lateness with this very loan costs; the event names its hash."""

from __future__ import annotations

import asyncio
import hashlib
import io
from datetime import date, timedelta

import msgspec
import nats
import pytest
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import events_pb2
from pypdf import PdfReader

from services.origination.adapters.documents import to_html
from services.origination.application.educating import education
from shared.kernel.money import format_amount
from tests.services.origination.counterparts import TODAY
from tests.services.origination.killing import contracted
from tests.services.origination.paying import Place
from tests.services.origination.test_review_and_disclosure import document
from tests.services.origination.test_texts import PRODUCT, SECURED, lateness_priced


async def heard(place: Place, subject: str) -> events_pb2.ApplicationChanged:
    """Return what was published last on a subject."""
    client = await nats.connect(f"nats://127.0.0.1:{place.suite.nats_port}")
    try:
        stream = await client.jetstream().find_stream_name_by_subject(subject)
        for _ in range(50):
            try:
                last = await client.jetstream().get_last_msg(stream, subject)
                return events_pb2.ApplicationChanged.FromString(last.data or b"")
            except nats.js.errors.NotFoundError:
                await asyncio.sleep(0.1)
        raise AssertionError(f"nothing on {subject}")
    finally:
        await client.close()


def test_what_lateness_costs_is_worked_out_on_this_offer(place: Place) -> None:
    """Each example is the penalty that the ledger then asks; page and paper say it, zh and en."""
    name = "taught"
    place.offer(name)
    shown = place.ask("ShowDisclosure", name)
    event = asyncio.run(heard(place, f"lending.v1.origination.application_disclosed.{name}"))
    place.confirm(name, "-2")
    place.ask("AcceptContract", name)
    place.ask("DisburseApplication", name)
    first = place.suite.call("ledger", "GetLoan", loanId=f"L-{name}")["instalments"][0]
    texts = {lang: document(place, name, "EDUCATION", "TEXT", lang) for lang in ("zh", "en")}

    sha256 = hashlib.sha256(texts["zh"] + b"\0" + texts["en"]).hexdigest()
    assert sha256 == shown["educationSha256"] == event.application.education_sha256
    assert texts["en"].decode() == shown["educationTextEn"]
    assert shown["disclosureSha256"] in shown["educationTextEn"]
    for days in (30, 60, 90):
        on = (date.fromisoformat(first["dueOn"]) + timedelta(days=days)).isoformat()
        late = place.suite.call("ledger", "GetLoan", loanId=f"L-{name}", effectiveOn=on)
        more = format_amount(int(late["instalments"][0]["penaltyDueMinor"]), "CNY")
        for lang in ("zh", "en"):
            html = document(place, name, "EDUCATION", "HTML", lang).decode()
            pdf = document(place, name, "EDUCATION", "PDF", lang)
            paper = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
            assert f"<td>{more}</td>" in html
            assert on in html
            assert more in paper
            assert sha256 in paper


def test_another_offer_is_taught_anew(place: Place) -> None:
    """An offer chosen again has neither disclosure nor this text until both are shown again."""
    name = "taught-twice"
    place.offer(name)
    first = place.ask("ShowDisclosure", name)
    chosen = place.ask("ChooseOffer", name, offerId=place.get(name)["offers"][0]["offerId"])
    again = place.ask("ShowDisclosure", name, requestId="taught-again")

    assert "educationSha256" not in chosen
    assert place.get(name)["educationSha256"] == again["educationSha256"]
    old = document(place, name, "EDUCATION", "TEXT", "en", first["educationSha256"])
    assert old.decode() == first["educationTextEn"]


OFFERS = [
    # instalments | grace | guaranteed | what it says | what it does not say
    (1, 3, False, "of grace", "of them owes"),
    (3, 0, True, "pays in your place", "of grace"),
    (2, 45, False, "60 days late", "30 days late"),
]


@pytest.mark.parametrize(("count", "grace", "secured", "says", "not_said"), OFFERS)
def test_it_says_what_holds_for_the_offer(
    count: int, grace: int, secured: bool, says: str, not_said: str
) -> None:
    """No grace, no security, one instalment only: nothing is said of what is not there."""
    given = msgspec.structs.replace(contracted(), monthly_income_minor=500_000)
    if secured:
        given = msgspec.structs.replace(given, guarantees=(SECURED,))
    terms = lateness_priced(given)
    terms.grace_days = grace
    rows = [
        loan_pb2.Instalment(number=n, due_on=f"2026-0{n + 1}-05", principal_due_minor=100_000)
        for n in range(1, count + 1)
    ]
    loan = loan_pb2.Loan(terms=terms, instalments=rows, effective_on=TODAY.isoformat())

    text = education(given, PRODUCT, loan, "d" * 64)

    assert says in text.en
    assert not_said not in text.en
    assert "Of each 100 of it, 20 then go" in text.en
    for lang in ("zh", "en"):
        page = to_html(getattr(text, lang), lang, text.sha256).decode()
        assert page.count("<table>") == 1
        assert page.count("<h2>") == 4
        assert "{" not in getattr(text, lang)
