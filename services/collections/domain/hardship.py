"""Hardship: what happened to the borrower, what is affordable, who approved, how the plan went."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from fractions import Fraction
from unicodedata import normalize

import msgspec

from shared.kernel.dates import add_months
from shared.kernel.errors import InvalidArgument, NotFound, Refused


class PlanAlreadyOpen(Refused):
    """A hardship plan waits for approval."""


class PlanNotFound(NotFound):
    """No hardship plan waits for approval."""


class ApproverIsProposer(Refused):
    """Who proposed a plan does not approve it."""


class PlanNotAffordable(Refused):
    """The new instalment is above what the borrower has left each month."""


class PlanNotAssessed(Refused):
    """Risk could not say whether the plan can be paid: a person must have looked, and say so."""


class IncomeNotStated(InvalidArgument):
    """Affordability wants income and expenses of a month."""


class Measure(StrEnum):
    """What a plan does; as the ledger's kinds of restructuring, and settlement."""

    RESCHEDULE = "RESCHEDULE"
    EXTENSION = "EXTENSION"
    RATE_CHANGE = "RATE_CHANGE"
    PAYMENT_HOLIDAY = "PAYMENT_HOLIDAY"
    RE_AGE = "RE_AGE"
    SETTLEMENT = "SETTLEMENT"


class Circumstance(StrEnum):
    """What happened to the borrower."""

    NOT_STATED = "NOT_STATED"
    INCOME_FELL = "INCOME_FELL"
    UNEMPLOYED = "UNEMPLOYED"
    ILLNESS = "ILLNESS"
    DISASTER = "DISASTER"
    BEREAVEMENT = "BEREAVEMENT"
    OTHER = "OTHER"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """A month of the borrower, minor units; `other_debt_minor` is what other lenders get."""

    income_minor: int
    expenses_minor: int
    other_debt_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What is left for this loan."""
        return self.income_minor - self.expenses_minor - self.other_debt_minor


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    A proposed new schedule; `probation_months` from the day it counts decide how it went.

    A settlement is one sum by `first_due_on`; `tries` is how often its money went to the ledger.
    """

    status: str
    instalments: int
    first_due_on: date
    rate_annual: str
    reason: str
    proposed_by: str
    number: int
    measure: Measure = Measure.RESCHEDULE
    circumstance: Circumstance = Circumstance.NOT_STATED
    budget: Budget | None = None
    instalment_minor: int = 0
    affordable: bool | None = None
    assessed: str = ""
    probation_months: int = 0
    refusal: str = ""
    approved_by: str = ""
    proposed_on: date | None = None
    effective_on: date | None = None
    settlement_minor: int = 0
    let_go_minor: int = 0
    tries: int = 0

    @property
    def waits(self) -> bool:
        """Whether it waits for approval, the ledger or money; one not affordable does not."""
        proposed = self.status == "PROPOSED" and self.affordable is not False
        return proposed or self.status in ("APPROVING", "SETTLING") or self.is_agreed

    @property
    def is_agreed(self) -> bool:
        """Whether it is a settlement that waits for its money."""
        return self.measure is Measure.SETTLEMENT and self.status == "APPROVED"


def affordability(budget: Budget, instalment_minor: int, share_most: str) -> bool:
    """
    Say whether an instalment takes at most a share of what the borrower has left each month.

    Args:
        budget: A month of the borrower.
        instalment_minor: The highest new instalment, minor units.
        share_most: Plain decimal fraction, such as "0.8".
    """
    return instalment_minor <= Fraction(share_most) * budget.left_minor


def same_person(one: str, other: str) -> bool:
    """Say whether two names are the same but for blanks around them, case and width."""
    first, second = (normalize("NFKC", name).strip().casefold() for name in (one, other))
    return first == second


def withdrawn(plan: Plan | None) -> Plan:
    """Withdraw a plan that waits for approval, or a settlement for money; raise PlanNotFound."""
    if plan is None or not (plan.status == "PROPOSED" or plan.is_agreed):
        raise PlanNotFound("no plan waits for approval", field="loan_id")
    return msgspec.structs.replace(plan, status="WITHDRAWN")


def approved(plan: Plan | None, approved_by: str, effective_on: date, looked: str = "") -> Plan:
    """
    Approve a plan.

    Args:
        plan: One that waits.
        approved_by: Another person than proposed it.
        effective_on: From when it counts.
        looked: What that person found about affordability, where risk could not say.
    Raises:
        PlanNotFound, ApproverIsProposer, PlanNotAffordable, PlanNotAssessed
    """
    if plan is None or plan.status != "PROPOSED":
        raise PlanNotFound("no plan waits for approval", field="loan_id")
    if same_person(plan.proposed_by, approved_by):
        raise ApproverIsProposer("another person approves", field="approved_by")
    if plan.affordable is False:
        raise PlanNotAffordable(
            f"{plan.instalment_minor} a month is not affordable",
            field="instalments",
            expected="a plan within what is left each month",
        )
    if plan.budget is not None and plan.affordable is None and not looked:
        raise PlanNotAssessed(
            plan.assessed or "not assessed", field="affordability_note", expected="what was found"
        )
    return msgspec.structs.replace(
        plan, status="APPROVING", approved_by=approved_by, effective_on=effective_on
    )


def probation(plan: Plan, stages: Iterable[tuple[str, date]], on: date) -> str:
    """
    Return how an approved plan goes: APPROVED while watched, then COMPLETED; FAILED when missed.

    Args:
        plan: The plan; without probation it stays APPROVED.
        stages: Stages entered since it counts, with their days; grace does not fail a plan.
        on: How far the book has come.
    """
    if plan.status != "APPROVED" or not plan.probation_months or plan.effective_on is None:
        return plan.status
    ends = add_months(plan.effective_on, plan.probation_months)
    missed = [day for stage, day in stages if stage != "GRACE" and plan.effective_on < day <= ends]
    if missed:
        return "FAILED"
    return "COMPLETED" if on > ends else "APPROVED"
