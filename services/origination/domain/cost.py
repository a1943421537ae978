"""What a loan costs, all in: by the internal rate of return, and by the rules of US and EU law."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from shared.kernel.rates import Flow, all_in_annual, apr_actuarial, irr_at
from shared.kernel.unit_periods import months_back, single_period

FOUR_PLACES = Decimal("0.0001")


class Payment(NamedTuple):
    """One amount that the borrower pays, minor units."""

    due_on: date
    amount_minor: int


class Cost(NamedTuple):
    """What a loan costs; rates are fractions of one year, half-up to four places."""

    net_proceeds_minor: int
    total_payable_minor: int
    cost_minor: int
    nominal_annual: Decimal
    effective_annual: Decimal
    apr_us: Decimal
    apr_eu: Decimal

    def apr(self, method: str) -> str:
        """Return the rate that a law asks for, "us" or "eu"; empty where it asks for none."""
        return str({"us": self.apr_us, "eu": self.apr_eu}.get(method, ""))


def all_in_cost(
    principal_minor: int, fees_minor: int, paid_out_on: date, payments: Sequence[Payment]
) -> Cost:
    """
    Return the cost of a loan whose fees are paid when it is paid out.

    Args:
        principal_minor: What is lent.
        fees_minor: Paid to anybody for the loan on the day of payout; not part of the payments.
        paid_out_on: When interest begins.
        payments: Principal and interest by due date, oldest first.
    Returns:
        `nominal_annual` is twelve times the monthly rate of return; a part of a month before the
        first due date counts in thirtieths, as in Appendix J.
    Source:
        PBOC announcement 2021 no. 3: all costs over principal actually outstanding.
    """
    net = principal_minor - fees_minor
    total = sum(payment.amount_minor for payment in payments)
    nominal = all_in_annual([(paid_out_on, -net), *payments])
    return Cost(
        net_proceeds_minor=net,
        total_payable_minor=total + fees_minor,
        cost_minor=total + fees_minor - principal_minor,
        nominal_annual=_rounded(nominal),
        effective_annual=_rounded((1 + nominal / 12) ** 12 - 1),
        apr_us=_rounded(apr_us(net, paid_out_on, payments)),
        apr_eu=_rounded(apr_eu(net, paid_out_on, payments)),
    )


def apr_us(net_minor: int, paid_out_on: date, payments: Sequence[Payment]) -> float:
    """
    Return the annual percentage rate, a fraction: a single payment's unit period is its term.

    Source:
        12 CFR 1026, Appendix J (b)(2) to (b)(5), (c).
    """
    if len(payments) > 1:
        return all_in_annual([(paid_out_on, -net_minor), *payments])
    per_year, whole, odd = single_period(paid_out_on, payments[0].due_on)
    flow = Flow(whole, odd, payments[0].amount_minor)
    return apr_actuarial([Flow(0, 0.0, net_minor)], [flow], per_year)


def apr_eu(net_minor: int, paid_out_on: date, payments: Sequence[Payment]) -> float:
    """
    Return the annual percentage rate of charge, effective, a fraction.

    Source:
        Directive 2008/48/EC, Annex I: whole months are twelfths of a year, odd days 1/365.
    """
    flows: list[tuple[float, int]] = [(0.0, -net_minor)]
    for payment in payments:
        months, odd_days = months_back(paid_out_on, payment.due_on)
        flows.append((months / 12 + odd_days / 365, payment.amount_minor))
    return irr_at(flows)


def _rounded(rate: float) -> Decimal:
    return Decimal(rate).quantize(FOUR_PLACES, ROUND_HALF_UP)
