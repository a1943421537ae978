"""Terms made of a product; terms and decisions as they are kept in a record."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
from google.protobuf.json_format import MessageToJson, Parse
from lending.ledger.v1 import loan_pb2
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination.domain.application import Application
from services.origination.domain.products import Product
from shared.kernel.dates import add_months


def terms_on_offer(
    given: Application, product: Product, rate_annual: Decimal, instalments: int, on: date
) -> loan_pb2.Terms:
    """Return the terms that the product offers, were the offer made and paid out on a date."""
    return loan_pb2.Terms(
        currency=given.currency,
        principal_minor=given.amount_minor,
        rate_annual=str(rate_annual),
        method=loan_pb2.RepaymentMethod.Value(given.method),
        day_count=loan_pb2.DayCount.Value(product.day_count),
        instalments=instalments,
        months_per_instalment=1,
        first_due_on=add_months(on, 1).isoformat(),
        grace_days=product.grace_days,
        penalty_rate_annual=str(product.penalty_rate_annual),
        cost_ceiling=product.cost_ceiling,
        fees_elsewhere_minor=given.fees_elsewhere_minor,
        disbursements_max=product.tranches_max if product.tranches_max > 1 else 0,
    )


def terms_of(given: Application) -> loan_pb2.Terms:
    """Return the terms of the chosen offer; empty before an offer."""
    return terms_from(given.terms_json)


def terms_from(text: str) -> loan_pb2.Terms:
    """Return terms as they are kept in a record."""
    return Parse(text or "{}", loan_pb2.Terms())


def decision_from(text: str) -> risk_pb.Decision:
    """Return a decision as it is kept in a record."""
    return Parse(text or "{}", risk_pb.Decision(), ignore_unknown_fields=True)


def as_json(message: loan_pb2.Terms | risk_pb.Decision) -> str:
    """Return a contract's message as it is kept in a record."""
    return MessageToJson(message, indent=None)


def concluded(given: Application, on: date) -> Application:
    """Return an application with terms that bear the contract's date: by it the law is chosen."""
    terms = terms_of(given)
    terms.concluded_on = on.isoformat()
    return msgspec.structs.replace(given, terms_json=as_json(terms))


def matures_on(given: Application) -> date:
    """Return the last due date of the chosen terms, by the calendar of the contract's months."""
    terms = terms_of(given)
    first = date.fromisoformat(terms.first_due_on)
    return add_months(first, (terms.instalments - 1) * terms.months_per_instalment)
