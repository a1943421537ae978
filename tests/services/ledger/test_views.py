"""An answer shows all of a loan, or its balances and lateness alone."""

from __future__ import annotations

from datetime import date

from lending.ledger.v1 import loan_pb2

from services.ledger.wire_loan import loan_message
from tests.services.ledger.domain.desk import Desk


def test_the_basic_view_is_the_full_one_without_terms_and_instalments() -> None:
    """Of a loan that is late and paid in part; the full view is what is not stated."""
    desk = Desk()
    desk.go_to(date(2026, 3, 9))
    desk.repay("500.00")

    full = loan_message(desk.account, desk.on, loan_pb2.LOAN_VIEW_FULL)
    basic = loan_message(desk.account, desk.on, loan_pb2.LOAN_VIEW_BASIC)

    assert loan_message(desk.account, desk.on, loan_pb2.LOAN_VIEW_UNSPECIFIED) == full
    assert len(full.instalments) == 12 and full.HasField("terms")
    assert basic.delinquency.days_past_due == 32
    full.ClearField("terms")
    full.ClearField("instalments")
    assert basic == full
