"""Settlement: one sum by a day instead of all that is owed, agreed by two, kept or not."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import msgspec

from services.collections.domain.hardship import Measure, Plan
from shared.kernel.errors import NotFound, Refused


class SettlementTooLow(Refused):
    """The sum is a smaller part of what is owed than the house lets go of."""


class SettlementNotAgreed(NotFound):
    """No settlement was agreed for the loan, or its money is on its way already."""


class SettlementTooLate(Refused):
    """The money came after the last day of the settlement."""


class SettlementNotMet(Refused):
    """The money is less than the agreed sum."""


def offered(plan: Plan, payoff_minor: int, share_least: str) -> Plan:
    """
    Return a proposed settlement with what it would let go of.

    Args:
        plan: Its sum and last day.
        payoff_minor: All that is owed, minor units.
        share_least: Plain decimal: at least this part of it is to be paid.
    Raises:
        SettlementTooLow
    """
    least = Fraction(share_least) * payoff_minor
    if plan.settlement_minor < least:
        raise SettlementTooLow(
            f"{plan.settlement_minor} of {payoff_minor}",
            field="settlement",
            expected=f"at least {-(-least.numerator // least.denominator)}",
        )
    let_go = max(0, payoff_minor - plan.settlement_minor)
    return msgspec.structs.replace(plan, let_go_minor=let_go)


def agreed(plan: Plan) -> Plan:
    """Agree to an approved settlement; raise SettlementTooLate where its last day has gone by."""
    if plan.effective_on is not None and plan.effective_on > plan.first_due_on:
        raise SettlementTooLate(
            f"{plan.effective_on}", field="effective_on", expected=f"until {plan.first_due_on}"
        )
    return msgspec.structs.replace(plan, status="APPROVED")


def taken(plan: Plan | None, value_on: date, amount_minor: int) -> Plan:
    """
    Let the money of a settlement go to the ledger.

    In time by its value date: one that was given up on the day after is met by money of the day.

    Raises:
        SettlementNotAgreed, SettlementTooLate, SettlementNotMet
    """
    is_one = plan is not None and plan.measure is Measure.SETTLEMENT
    if plan is None or not is_one or plan.status not in ("APPROVED", "FAILED"):
        raise SettlementNotAgreed("no settlement waits for its money", field="loan_id")
    if value_on > plan.first_due_on:
        raise SettlementTooLate(f"{value_on}", field="value_on", expected=f"{plan.first_due_on}")
    if amount_minor < plan.settlement_minor:
        raise SettlementNotMet(
            f"{amount_minor}", field="amount", expected=f"at least {plan.settlement_minor}"
        )
    return msgspec.structs.replace(plan, status="SETTLING", refusal="", tries=plan.tries + 1)


def settled(plan: Plan, refusal: str) -> Plan:
    """Write down whether the ledger took the money; refused, the settlement stays agreed."""
    if refusal:
        return msgspec.structs.replace(plan, status="APPROVED", refusal=refusal)
    return msgspec.structs.replace(plan, status="COMPLETED", refusal="")


def standing(plan: Plan, is_settled: bool, on: date) -> str:
    """Return how an agreed settlement stands on a day: until its last day it is waited for."""
    if is_settled:
        return "COMPLETED"
    return "FAILED" if on > plan.first_due_on else "APPROVED"
