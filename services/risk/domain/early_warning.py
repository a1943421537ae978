"""Early warning: small signs of one borrower, seen together, before the loan is lost."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from services.risk.domain.indicators import (
    SIGN_OF,
    TEXTS,
    Heard,
    Indicator,
    Sign,
    WarningRules,
    clears,
    seen,
)
from shared.kernel.errors import InvalidArgument, Refused

SIGNS_KEPT = 60
"""Signs remembered per borrower; far more than one window can hold of monthly instalments."""


class AlertOutcome(StrEnum):
    """How an alert ended; unspecified while it is open."""

    UNSPECIFIED = "UNSPECIFIED"
    CONFIRMED = "CONFIRMED"
    FALSE_ALARM = "FALSE_ALARM"
    WITHDRAWN = "WITHDRAWN"
    STALE = "STALE"


class AlertIsClosed(Refused):
    """What ended stays ended."""


class AlertNotYetRaised(InvalidArgument):
    """Nobody takes over what was not yet there."""


class Raised(msgspec.Struct, frozen=True):
    """One alert of a borrower: its name, what it saw, and when."""

    alert_id: str
    indicator: str
    on: date


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """
    What we remember of a borrower: signs in the order heard, and the alerts of late.

    `up` are the indicators that warned and are not clear yet, with the date of their last sign;
    `raised` is what earlier versions kept: the last date of each indicator.
    """

    borrower_ref: str
    signs: tuple[Sign, ...] = ()
    raised: dict[str, date] = {}
    alerts: tuple[Raised, ...] = ()
    up: dict[str, date] = {}


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
    known_on: date | None = None

    @property
    def learned_on(self) -> date:
        """Return the business date on which it could first be seen."""
        return self.known_on or self.raised_on


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

    An indicator that warned is up, and warns no more, until it is clear: by an event, or because
    none of its signs came for the rules' `clear_days`. What is heard too late to warn of anything
    is an alert that is closed from the start, as STALE.

    Args:
        before: The borrower so far; the caller passes each event once.
        heard: The event; its effective date may lie before others heard earlier.
        rules: Windows, counts and thresholds.
    Returns:
        The borrower after it, and the alerts that it raises, at most one per indicator.
    """
    signs, stale = _with(before.signs, heard), heard.is_stale(rules)
    up = _still_up(before, signs, heard, rules)
    alerts = []
    for indicator, evidence in seen(signs, heard, rules):
        on = heard.effective_on
        if _is_up(before, up, indicator, on, rules) or _cooling(before, indicator, on, rules):
            continue
        alerts.append(_alert(indicator, evidence, heard, rules))
        if not stale and rules.clear_days:
            up[indicator] = max(up.get(indicator, on), on)
    told = [Raised(one.alert_id, str(one.indicator), one.raised_on) for one in alerts]
    kept = before.alerts if stale else (*before.alerts, *told)[-SIGNS_KEPT:]
    return msgspec.structs.replace(before, signs=signs, alerts=kept, up=up), alerts


def _still_up(
    before: Behaviour, signs: tuple[Sign, ...], heard: Heard, rules: WarningRules
) -> dict[str, date]:
    found: dict[str, date] = {}
    for name, last in before.up.items():
        indicator = Indicator(name)
        if (heard.effective_on - last).days >= rules.clear_days:
            continue
        if clears(indicator, signs, heard, rules):
            continue
        again = heard.type == SIGN_OF[indicator]
        found[name] = max(last, heard.effective_on) if again else last
    return found


def _is_up(
    before: Behaviour, up: dict[str, date], indicator: Indicator, on: date, rules: WarningRules
) -> bool:
    """Say whether a date belongs to what is up; what is heard later may lie long before it."""
    if indicator not in up:
        return False
    last = up[indicator]
    since = [one.on for one in before.alerts if one.indicator == indicator and one.on <= last]
    return (max(since, default=last) - on).days < rules.clear_days


def _cooling(before: Behaviour, indicator: Indicator, on: date, rules: WarningRules) -> bool:
    """Say whether any alert of an indicator, heard earlier or later, is too near."""
    dates = [one.on for one in before.alerts if one.indicator == indicator]
    dates += [before.raised[indicator]] if indicator in before.raised else []
    return any(abs((on - one).days) < rules.cool_down_days for one in dates)


def restated(
    before: Behaviour, loan_id: str, superseded: frozenset[int]
) -> tuple[Behaviour, frozenset[str]]:
    """
    Return a borrower without a loan's signs that no longer hold, and the events they were.

    What was up because of such signs is not: the next one may warn.
    """
    gone = [s for s in before.signs if s.loan_id == loan_id and s.log_version in superseded]
    names = frozenset(sign.event_id for sign in gone)
    kept = tuple(sign for sign in before.signs if sign.event_id not in names)
    types = {sign.type for sign in gone}
    up = {name: on for name, on in before.up.items() if SIGN_OF[Indicator(name)] not in types}
    return msgspec.structs.replace(before, signs=kept, up=up), names


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


def _alert(indicator: Indicator, evidence: list[Sign], heard: Heard, rules: WarningRules) -> Alert:
    text_en, text_zh = TEXTS[indicator]
    stale = heard.is_stale(rules)
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
        known_on=heard.learned_on,
        outcome=AlertOutcome.STALE if stale else AlertOutcome.UNSPECIFIED,
        closed_on=heard.learned_on if stale else None,
    )
