"""What a loan may cost: ceilings as dated policy rows, checked at quote and at each charge."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.ledger.domain.refusals import CeilingUnknown, CostCeilingExceeded, TermsInvalid
from services.ledger.domain.replay import timeline
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from shared.kernel.rates import all_in_annual

SIX_PLACES = Decimal("0.000001")
ONE_YEAR_LPR = (
    # effective from | one-year loan prime rate, as announced by the PBOC
    (date(2023, 8, 21), Decimal("0.0345")),
    (date(2024, 7, 22), Decimal("0.0335")),
    (date(2024, 10, 21), Decimal("0.0310")),
    (date(2025, 5, 20), Decimal("0.0300")),
)


class Ceiling(NamedTuple):
    """One ceiling: a fixed rate, or a multiple of the prime rate at the contract's date."""

    policy: str
    effective_from: date
    rate: Decimal | None
    lpr_multiple: int = 0


CEILINGS = {
    ceiling.policy: ceiling
    for ceiling in (
        Ceiling("cn-all-in-24/1", date(2025, 10, 1), Decimal("0.24")),
        Ceiling("cn-4-lpr/1", date(2020, 8, 20), None, 4),
    )
}
"""24 % all-in: 金规〔2025〕9号. Four times LPR at contract date: 法释〔2020〕17号, art. 25, 29."""


def ceiling_rate(policy: str, contract_on: date) -> Decimal | None:
    """
    Return the highest annual cost of a contract of this date; None when the row is not in force.

    Raises:
        CeilingUnknown: no such policy, or no prime rate for the date.
    """
    if policy not in CEILINGS:
        raise CeilingUnknown(
            f"{policy[:40]!r} is not a cost ceiling",
            field="terms.cost_ceiling",
            expected=", ".join(CEILINGS),
        )
    row = CEILINGS[policy]
    if contract_on < row.effective_from:
        return None
    if row.rate is not None:
        return row.rate
    known = [rate for since, rate in ONE_YEAR_LPR if since <= contract_on]
    if not known:
        raise CeilingUnknown(
            f"no prime rate is known for {contract_on}",
            field="terms.cost_ceiling",
            expected=f"a contract from {ONE_YEAR_LPR[0][0]}",
        )
    return row.lpr_multiple * known[-1]


def all_in_rate(line: Timeline, more: tuple[date, int] | None = None) -> Decimal:
    """
    Return what a loan costs a year: interest, penalty, charges and fees to others, on net proceeds.

    Args:
        line: The loan on a date.
        more: A further charge, its date and minor units.
    Returns:
        The nominal annual rate (monthly rate of return times twelve), six places.
    """
    flows = [(on, -amount) for on, amount in line.paid_out]
    flows[0] = (flows[0][0], flows[0][1] + line.terms.fees_elsewhere_minor)
    for row in line.rows:
        charges = sum(charge.due for charge in row.charges)
        due = row.principal_due + row.interest_due + charges + line.penalty_due(row)
        flows.append((row.due_on, due))
    flows += [(charge.due_on, charge.due) for charge in line.loan_charges]
    if more is not None:
        flows.append(more)
    return Decimal(all_in_annual(flows)).quantize(SIX_PLACES)


def quote(terms: Terms, value_on: date) -> None:
    """
    Refuse terms whose cost, paid out on a date and kept, is above their ceiling.

    Raises:
        CostCeilingExceeded, CeilingUnknown
        TermsInvalid: the contract is dated after the payout, under a law that is not there yet.
    """
    if terms.cost_ceiling:
        if terms.concluded_on is not None and terms.concluded_on > value_on:
            raise TermsInvalid(
                f"concluded_on is {terms.concluded_on}, after the payout",
                field="terms.concluded_on",
                expected=f"by {value_on}",
            )
        check_ceiling(terms, timeline(terms, value_on, (), value_on))


def check_ceiling(terms: Terms, line: Timeline, more: tuple[date, int] | None = None) -> None:
    """
    Refuse a cost above the ceiling that the terms name, as it stood at the contract's date.

    Terms without that date, as those of loans from before it was kept, go by the payout's.
    Raises:
        CostCeilingExceeded: with the ceiling, the cost, and that no retry can help.
    """
    if not terms.cost_ceiling:
        return
    ceiling = ceiling_rate(terms.cost_ceiling, terms.concluded_on or line.paid_out[0][0])
    if ceiling is None:
        return
    cost = all_in_rate(line, more)
    if cost > ceiling:
        raise CostCeilingExceeded(
            f"the loan would cost {cost} a year",
            field="amount" if more else "terms.rate_annual",
            expected=f"up to {ceiling} a year, everything included",
            cost=cost,
            ceiling=ceiling,
        )
