"""Orders of money as payer and ledger get them, made from what is stored."""

from __future__ import annotations

from typing import Any

from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.origination.application import names
from services.origination.application.ports import PayoutOrder
from services.origination.application.terms import terms_of
from services.origination.domain.application import Application
from services.origination.domain.payouts import Payout


def money(amount_minor: int, currency: str) -> Any:
    """Return an amount as the contracts carry it."""
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)


def opening(found: Application, *, validate_only: bool = False) -> ledger_pb.OpenLoanRequest:
    """Return what opens the loan."""
    return ledger_pb.OpenLoanRequest(
        request_id=names.open_id(found.application_id),
        loan_id=found.loan_id,
        borrower_ref=found.borrower_ref,
        product=found.product,
        terms=terms_of(found),
        validate_only=validate_only,
    )


def disbursal(found: Application, *, validate_only: bool = False) -> ledger_pb.DisburseLoanRequest:
    """Return what tells the ledger of the last order."""
    payout = found.payouts[-1]
    return ledger_pb.DisburseLoanRequest(
        request_id=names.disbursal_id_of(found),
        loan_id=found.loan_id,
        value_on=payout.value_on.isoformat(),
        amount=money(payout.lent_minor, found.currency),
        validate_only=validate_only,
    )


def order(found: Application, payout: Payout) -> PayoutOrder:
    """Return an order as the payer gets it."""
    return PayoutOrder(
        payout.payout_id,
        payout.account_ref,
        payout.amount_minor,
        found.currency,
        payout.value_on,
    )


def rest_order(found: Application, payout: Payout) -> PayoutOrder:
    """Return the order of what a refinanced loan did not need."""
    return order(found, payout)._replace(
        payout_id=names.rest_id(payout), amount_minor=payout.rest_minor
    )
