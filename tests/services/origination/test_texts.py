"""What is written for borrowers, as it is then laid out: a sentence is no row of a table."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from lending.ledger.v1 import loan_pb2

from services.origination.adapters.documents import to_html
from services.origination.application.offering import cost_of
from services.origination.application.terms import concluded, terms_of
from services.origination.application.writing import Written, contract, disclosure
from services.origination.domain.application import Application
from services.origination.domain.securities import GUARANTOR, Guarantee
from tests.services.origination.counterparts import OLD, TODAY
from tests.services.origination.killing import POLICIES, contracted

PRODUCT = POLICIES.product_on("consumer-2026", TODAY)
SECURED = Guarantee(
    guarantee_id="G-1", kind=GUARANTOR, provider_ref="G-1", amount_minor=100_000, fee_minor=500
)
KINDS = [
    # what the text says beside the usual
    contracted(),
    contracted(parts_max=3),
    msgspec.structs.replace(contracted(), guarantees=(SECURED,)),
    msgspec.structs.replace(contracted(), refinances=OLD),
    msgspec.structs.replace(contracted(parts_max=2), refinances=OLD, guarantees=(SECURED,)),
]


def lateness_priced(given: Application) -> loan_pb2.Terms:
    terms = terms_of(given)
    terms.penalty_rate_annual = "0.18"
    return terms


def shown(given: Application) -> Written:
    terms = lateness_priced(given)
    row = loan_pb2.Instalment(number=1, due_on="2026-02-05", principal_due_minor=100_000)
    loan = loan_pb2.Loan(terms=terms, instalments=[row], effective_on=TODAY.isoformat())
    return disclosure(given, PRODUCT, loan, cost_of(loan), 30_000 if given.refinances else 0)


@pytest.mark.parametrize("given", KINDS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_sentence_becomes_a_row(given: Application, language: str) -> None:
    """A table ends with an empty line; the all-in annual cost is a sentence of its own."""
    dated = concluded(given, TODAY)
    for text in (shown(given), contract(dated, PRODUCT, lateness_priced(dated))):
        lines = getattr(text, language).splitlines()
        ends = [(a, b) for a, b in pairwise(lines) if a.startswith("|")]
        assert [after for _, after in ends if after.strip() and not after.startswith("|")] == []

    page = to_html(getattr(shown(given), language), language, "0" * 64).decode()
    cost = {"zh": "年化综合融资成本", "en": "All-in annual cost"}[language]
    assert cost in page
    assert f"<td>{cost}" not in page
