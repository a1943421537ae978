"""Early warning: small signs of one borrower, seen together, before the loan is lost."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import msgspec

from shared.kernel.errors import InvalidArgument, Refused

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
    WITHDRAWN = "WITHDRAWN"


class AlertIsClosed(Refused):
    """What ended stays ended."""


class AlertNotYetRaised(InvalidArgument):
    """Nobody takes over what was not yet there."""


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
    log_version: int = 0

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
    log_version: int = 0


class Raised(msgspec.Struct, frozen=True):
    """One alert of a borrower: its name, what it saw, and when."""

    alert_id: str
    indicator: str
    on: date


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """
    What we remember of a borrower: signs in the order heard, and the alerts of late.

    `raised` is what earlier versions kept: the last date of each indicator.
    """

    borrower_ref: str
    signs: tuple[Sign, ...] = ()
    raised: dict[str, date] = {}
    alerts: tuple[Raised, ...] = ()


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


WATCHED_DAYS = 365
"""For how long a confirmed warning keeps its borrower under watch after it was closed."""


def watched_on(alert: Alert, on: date) -> bool:
    """
    Say whether an alert had its borrower watched on a date, by what was known then.

    It counts from when it was taken over; a false alarm ends with its finding, a confirmed one a
    year later: being right is no reason to look away.
    """
    if alert.acknowledged_on is None or alert.acknowledged_on > on or alert.raised_on > on:
        return False
    if alert.closed_on is None or alert.closed_on > on:
        return True
    confirmed = alert.outcome is AlertOutcome.CONFIRMED
    return confirmed and (on - alert.closed_on).days < WATCHED_DAYS


def acknowledged(alert: Alert, owner: str, on: date, outcome: AlertOutcome) -> Alert:
    """
    Return an alert taken over by an officer, and closed if there is an outcome.

    Raises:
        AlertIsClosed: it ended before.
        AlertNotYetRaised: it was raised later than that.
    """
    if on < alert.raised_on:
        raise AlertNotYetRaised(
            f"raised on {alert.raised_on}", field="on", expected=f"{alert.raised_on} or later"
        )
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
    alerts = [
        _alert(indicator, evidence, heard, rules)
        for indicator, evidence in seen
        if not _cooling(before, indicator, heard.effective_on, rules)
    ]
    told = [Raised(one.alert_id, str(one.indicator), one.raised_on) for one in alerts]
    kept = (*before.alerts, *told)[-SIGNS_KEPT:]
    return msgspec.structs.replace(before, signs=signs, alerts=kept), alerts


def _cooling(before: Behaviour, indicator: Indicator, on: date, rules: WarningRules) -> bool:
    """Say whether any alert of an indicator, heard earlier or later, is too near."""
    dates = [one.on for one in before.alerts if one.indicator == indicator]
    dates += [before.raised[indicator]] if indicator in before.raised else []
    return any(abs((on - one).days) < rules.cool_down_days for one in dates)


def restated(
    before: Behaviour, loan_id: str, superseded: frozenset[int]
) -> tuple[Behaviour, frozenset[str]]:
    """Return a borrower without a loan's signs that no longer hold, and the events they were."""
    gone = [s for s in before.signs if s.loan_id == loan_id and s.log_version in superseded]
    names = frozenset(sign.event_id for sign in gone)
    kept = tuple(sign for sign in before.signs if sign.event_id not in names)
    return msgspec.structs.replace(before, signs=kept), names


def withdrawal(alert: Alert, gone: frozenset[str], on: str) -> Alert | None:
    """Return an alert withdrawn because what it rests on did not happen; None if it stands."""
    if alert.owner or alert.closed_on is not None or gone.isdisjoint(alert.evidence):
        return None
    closed_on = max(alert.raised_on, date.fromisoformat(on))
    return msgspec.structs.replace(alert, outcome=AlertOutcome.WITHDRAWN, closed_on=closed_on)


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
    return (*signs, Sign(heard.type, heard.loan_id, on, heard.event_id, amount, heard.log_version))[
        -SIGNS_KEPT:
    ]


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
