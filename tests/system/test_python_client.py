"""The Python client as an internal system uses it, against a ledger process."""

from __future__ import annotations

import pytest
from lending import refusals
from lending.common.v1.money_pb2 import Money
from lending.common.v1.page_pb2 import Page
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.ledger_service_client import LedgerBlockingClient, LedgerClient

from services.ledger.wire_terms import terms_message
from shared.kernel.errors import Conflict
from tests.services.ledger.domain.desk import TERMS
from tests.system.conftest import Desk
from tests.system.processes import free_port

pytestmark = pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
DAY = TERMS.first_due_on.replace(day=1).isoformat()


def _open(ledger: LedgerBlockingClient, count: int) -> list[str]:
    """Open and pay out loans; no request has an id of its own."""
    ledger.advance_business_date(pb.AdvanceBusinessDateRequest(to=DAY))
    ids = [f"L-{number:03}" for number in range(count)]
    money = Money(amount_minor=TERMS.principal_minor, currency=TERMS.currency)
    for loan_id in ids:
        about = {"loan_id": loan_id, "borrower_ref": "B-1", "product": "p"}
        ledger.open_loan(pb.OpenLoanRequest(**about, terms=terms_message(TERMS)))
        ledger.disburse_loan(pb.DisburseLoanRequest(loan_id=loan_id, value_on=DAY, amount=money))
    return ids


def test_a_request_gets_an_id_once_and_has_one_effect(desk: Desk) -> None:
    """Sent again after an unknown outcome, the same message is the same request."""
    with LedgerBlockingClient(f"127.0.0.1:{desk.ledger.port}") as ledger:
        [loan_id] = _open(ledger, 1)
        asked = pb.PostRepaymentRequest(
            loan_id=loan_id, value_on=DAY, amount=Money(amount_minor=10_000, currency="CNY")
        )
        first = ledger.post_repayment(asked)
        assert asked.request_id == first.repayment_id

        desk.ledger.kill()
        desk.ledger.start()
        again = ledger.post_repayment(asked)
        assert again.repayment_id == first.repayment_id
        assert again.loan.version == first.loan.version
        events = ledger.list_loan_events(pb.ListLoanEventsRequest(loan_id=loan_id)).events
        assert sum("RepaymentPosted" in event.topic for event in events) == 1


async def test_every_page_is_read(desk: Desk) -> None:
    """The caller's request keeps its first page, and can be read again."""
    target = f"127.0.0.1:{desk.ledger.port}"
    with LedgerBlockingClient(target) as ledger:
        ids = _open(ledger, 5)
        asked = pb.ListLoansRequest(page=Page(size=2))
        assert [row.loan_id for row in ledger.list_loans_rows(asked)] == ids
    async with LedgerClient(target) as ledger:
        assert [row.loan_id async for row in ledger.list_loans_rows(asked)] == ids
    assert asked.page.token == ""


async def test_a_refusal_has_the_class_of_its_reason(desk: Desk) -> None:
    """With the field, what was expected, and whether the same request can succeed later."""
    target = f"127.0.0.1:{desk.ledger.port}"
    async with LedgerClient(target) as ledger:
        with pytest.raises(refusals.LoanNotFound) as missing:
            await ledger.get_loan(pb.GetLoanRequest(loan_id="loans/L-404"))
        assert (missing.value.field, missing.value.retry) == ("loan_id", False)
        with pytest.raises(refusals.DateNotValid) as wrong:
            await ledger.advance_business_date(pb.AdvanceBusinessDateRequest(to="tomorrow"))
        assert wrong.value.expected == "such as 2026-03-05"
    with LedgerBlockingClient(target) as ledger:
        [loan_id] = _open(ledger, 1)
        stale = pb.PostRepaymentRequest(
            loan_id=loan_id,
            value_on=DAY,
            amount=Money(amount_minor=1, currency="CNY"),
            etag="1",
        )
        with pytest.raises(refusals.LoanChangedMeanwhile) as changed:
            ledger.post_repayment(stale)
        assert changed.value.retry and isinstance(changed.value, Conflict)


def test_nobody_there_is_an_error_to_retry(desk: Desk) -> None:
    """After the retries that the client makes by itself."""
    nobody = f"127.0.0.1:{free_port()}"
    with (
        LedgerBlockingClient(nobody, deadline_seconds=2) as ledger,
        pytest.raises(refusals.ServiceUnavailable) as away,
    ):
        ledger.get_business_date(pb.GetBusinessDateRequest())
    assert away.value.retry
