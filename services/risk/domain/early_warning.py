"""Early warning: small signs of one borrower, seen together, before the loan is lost."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import msgspec

from shared.kernel.errors import Refused

SIGNS_KEPT = 60
"""Signs remembered per borrower; far more than one window can hold of monthly instalments."""


class Indicator(StrEnum):
    """What was seen."""

    GRACE_AGAIN = "GRACE_AGAIN"
    GRACE_EXPIRED = "GRACE_EXPIRED"
    PART_PAYMENT_AGAIN = "PART_PAYMENT_AGAIN"
    REPAYMENTS_FALLING = "REPAYMENTS_FALLING"


TEXTS = {
    Indicator.GRACE_AGAIN: ("Late again within a short time", "短期内再次逾期"),
    Indicator.GRACE_EXPIRED: ("Still late after the grace period", "宽限期满仍未还清"),
    Indicator.PART_PAYMENT_AGAIN: ("Paid only a part again", "再次只还部分欠款"),
    Indicator.REPAYMENTS_FALLING: ("Repays less and less", "还款金额持续下降"),
}


class AlertOutcome(StrEnum):
    """How an alert ended; unspecified while it is open."""

    UNSPECIFIED = "UNSPECIFIED"
    CONFIRMED = "CONFIRMED"
    FALSE_ALARM = "FALSE_ALARM"


class AlertIsClosed(Refused):
    """What ended stays ended."""


class WarningRules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules; counts are within the window."""

    version: str
    window_days: int
    cool_down_days: int
    graces_min: int
    part_payments_min: int
    fall_share_max: Decimal
    falls_min: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A delinquency event as early warning needs it; the amount in minor units."""

    loan_id: str
    borrower_ref: str
    sequence: int
    type: str
    effective_on: date
    amount_minor: int = 0

    @property
    def event_id(self) -> str:
        """Name the event, such as "L-1/7"."""
        return f"{self.loan_id}/{self.sequence}"


class Sign(msgspec.Struct, frozen=True):
    """One thing that a borrower did or failed to do."""

    type: str
    loan_id: str
    on: date
    event_id: str
    amount_minor: int = 0


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What we remember of a borrower: signs in the order heard, and when each alert was raised."""

    borrower_ref: str
    signs: tuple[Sign, ...] = ()
    raised: dict[str, date] = {}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody should look at this borrower."""

    alert_id: str
    borrower_ref: str
    loan_id: str
    indicator: Indicator
    raised_on: date
    text_en: str
    text_zh: str
    evidence: tuple[str, ...]
    policy_version: str
    owner: str = ""
    acknowledged_on: date | None = None
    outcome: AlertOutcome = AlertOutcome.UNSPECIFIED
    closed_on: date | None = None


def acknowledged(alert: Alert, owner: str, on: date, outcome: AlertOutcome) -> Alert:
    """
    Return an alert taken over by an officer, and closed if there is an outcome.

    Raises:
        AlertIsClosed: it ended before.
    """
    if alert.closed_on is not None:
        raise AlertIsClosed("the alert is closed", field="alert_id", closed_on=alert.closed_on)
    return msgspec.structs.replace(
        alert,
        owner=owner,
        acknowledged_on=alert.acknowledged_on or on,
        outcome=outcome,
        closed_on=None if outcome is AlertOutcome.UNSPECIFIED else on,
    )


def observe(before: Behaviour, heard: Heard, rules: WarningRules) -> tuple[Behaviour, list[Alert]]:
    """
    Add one event to what we know of a borrower.

    Args:
        before: The borrower so far; the caller passes each event once.
        heard: The event; its effective date may lie before others heard earlier.
        rules: Windows and counts.
    Returns:
        The borrower after it, and the alerts that it raises, at most one per indicator.
    """
    signs = _with(before.signs, heard)
    seen = _seen(signs, heard, rules)
    raised, alerts = dict(before.raised), []
    for indicator, evidence in seen:
        last = raised.get(indicator)
        if last is not None and abs((heard.effective_on - last).days) < rules.cool_down_days:
            continue
        raised[str(indicator)] = heard.effective_on
        alerts.append(_alert(indicator, evidence, heard, rules))
    return msgspec.structs.replace(before, signs=signs, raised=raised), alerts


def _with(signs: tuple[Sign, ...], heard: Heard) -> tuple[Sign, ...]:
    if heard.type == "REPAYMENT_REVERSED":
        # Money taken back was never a repayment: the newest one of that amount is forgotten.
        for place in range(len(signs) - 1, -1, -1):
            one = signs[place]
            paid = one.type == "REPAYMENT_POSTED" and one.loan_id == heard.loan_id
            if paid and one.amount_minor == heard.amount_minor:
                return signs[:place] + signs[place + 1 :]
        return signs
    on, amount = heard.effective_on, heard.amount_minor
    return (*signs, Sign(heard.type, heard.loan_id, on, heard.event_id, amount))[-SIGNS_KEPT:]


def _seen(
    signs: tuple[Sign, ...], heard: Heard, rules: WarningRules
) -> list[tuple[Indicator, list[Sign]]]:
    """Return the indicators that this event completes, each with its evidence, oldest first."""
    since = heard.effective_on - timedelta(days=rules.window_days)
    same = [s for s in signs if s.type == heard.type and since < s.on <= heard.effective_on]
    if heard.type == "GRACE_ENTERED" and len(same) >= rules.graces_min:
        return [(Indicator.GRACE_AGAIN, same)]
    if heard.type == "GRACE_EXPIRED":
        return [(Indicator.GRACE_EXPIRED, same[-1:])]
    if heard.type == "PARTIALLY_CURED" and len(same) >= rules.part_payments_min:
        return [(Indicator.PART_PAYMENT_AGAIN, same)]
    if heard.type == "REPAYMENT_POSTED":
        last = [s for s in same if s.loan_id == heard.loan_id][-rules.falls_min - 1 :]
        if len(last) > rules.falls_min and _falling(last, rules.fall_share_max):
            return [(Indicator.REPAYMENTS_FALLING, last)]
    return []


def _falling(paid: list[Sign], share_max: Decimal) -> bool:
    return all(b.amount_minor <= a.amount_minor * share_max for a, b in pairwise(paid))


def _alert(indicator: Indicator, evidence: list[Sign], heard: Heard, rules: WarningRules) -> Alert:
    text_en, text_zh = TEXTS[indicator]
    return Alert(
        alert_id=f"{heard.effective_on}.{heard.loan_id}.{indicator}",
        borrower_ref=heard.borrower_ref,
        loan_id=heard.loan_id,
        indicator=indicator,
        raised_on=heard.effective_on,
        text_en=text_en,
        text_zh=text_zh,
        evidence=tuple(sign.event_id for sign in evidence),
        policy_version=rules.version,
    )
