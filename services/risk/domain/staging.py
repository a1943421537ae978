"""IFRS 9: the stage of a loan, and its allowance over scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum

import msgspec

from services.risk.domain.expected_loss import lifetime_loss
from shared.kernel.errors import InvalidArgument

MONTHS_OF_STAGE_ONE = 12


class WeightsDoNotAddUp(InvalidArgument):
    """The weights of all scenarios add up to one."""


class Stage(IntEnum):
    """1 performing, 2 risk has risen significantly, 3 credit-impaired."""

    PERFORMING = 1
    RISK_ROSE = 2
    IMPAIRED = 3


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One future: its weight, and by how much it multiplies odds of default and loss given it."""

    name: str
    weight: Decimal
    odds_times: Decimal
    lgd_times: Decimal


class LossRules(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of the rules; days elapsed, probabilities and losses as fractions.

    For `probation_days` after terms were eased a loan is not performing again; 365 are the year of
    the EBA's ITS on forbearance (2013/03, 163 and 176), as recalled. For `cure_days` after it was
    in default a loan is not performing either; 90 are the three months of the EBA's guidelines on
    default (GL/2016/07, 71), as recalled. Versions without it take back a default at once.
    """

    version: str
    stage_two_from_days: int
    stage_three_from_days: int
    pd_rise_times: Decimal
    lgd: Decimal
    pd_month_min: Decimal
    scenarios: tuple[Scenario, ...]
    provisions: dict[str, dict[str, Decimal]]
    probation_days: int = 365
    cure_days: int = 0

    def check(self) -> None:
        """Raise WeightsDoNotAddUp unless the scenarios' weights add up to one."""
        if sum((one.weight for one in self.scenarios), Decimal(0)) != 1:
            raise WeightsDoNotAddUp("scenario weights", field="scenarios", expected="a sum of 1")


def stage_of(
    rules: LossRules,
    days_past_due: int,
    *,
    pd_now: Decimal,
    pd_at_origination: Decimal,
    watched: bool = False,
    impaired: bool = False,
) -> Stage:
    """
    Return the stage of a loan.

    Args:
        rules: Edges in days, and by how many times the probability of default may rise.
        days_past_due: Elapsed, at the reporting date.
        pd_now: Probability of default over the remaining life.
        pd_at_origination: What was expected, at origination, of that same remaining life.
        watched: An early warning is open, or terms were eased.
        impaired: Charged off, or impaired for another reason.
    Source:
        IFRS 9, 5.5.3, 5.5.5, 5.5.11 (more than 30 days), B5.5.37 (more than 90 days).
    """
    if impaired or days_past_due >= rules.stage_three_from_days:
        return Stage.IMPAIRED
    rose = pd_now >= rules.pd_rise_times * pd_at_origination > 0
    if days_past_due >= rules.stage_two_from_days or rose or watched:
        return Stage.RISK_ROSE
    return Stage.PERFORMING


def scaled(probability: Decimal, times: Decimal) -> Decimal:
    """Return a probability whose odds are multiplied: it stays between 0 and 1."""
    return times * probability / (1 + (times - 1) * probability)


def allowance(
    rules: LossRules,
    stage: Stage,
    *,
    exposures: Sequence[Decimal],
    pds: Sequence[Decimal],
    eir_month: Decimal,
) -> Decimal:
    """
    Return the loss allowance of a loan, weighted over scenarios.

    Args:
        rules: Scenarios and loss given default.
        stage: 1 counts defaults of twelve months, 2 of the whole life, 3 has defaulted.
        exposures: Exposure at default of each remaining month, any unit; the first is today's.
        pds: Probability of defaulting within each month, given that it has not before; as many.
        eir_month: Effective interest rate per month.
    Source:
        IFRS 9, 5.5.3, 5.5.5, 5.5.17; B5.5.41 to B5.5.43 for the weights.
    """
    total = Decimal(0)
    for scenario in rules.scenarios:
        lgd = min(Decimal(1), rules.lgd * scenario.lgd_times)
        if stage is Stage.IMPAIRED:
            loss = exposures[0] * lgd
        else:
            hazards = [scaled(pd, scenario.odds_times) for pd in pds]
            horizon = MONTHS_OF_STAGE_ONE if stage is Stage.PERFORMING else len(hazards)
            marginal = marginals(hazards)[:horizon]
            loss = lifetime_loss(exposures[: len(marginal)], marginal, lgd, eir_month)
        total += scenario.weight * loss
    return total


def marginals(hazards: Sequence[Decimal]) -> list[Decimal]:
    """Return the probability of defaulting in each month, seen from today."""
    alive, found = Decimal(1), []
    for hazard in hazards:
        found.append(alive * hazard)
        alive *= 1 - hazard
    return found


def provision(rules: LossRules, scheme: str, bucket: str, balance_minor: int) -> Decimal:
    """Return the provision that a scheme's table asks for, minor units, not rounded."""
    return balance_minor * rules.provisions[scheme][bucket]
