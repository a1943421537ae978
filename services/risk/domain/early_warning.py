"""Early warning: small signs of one borrower, seen together, before the loan is lost."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

import msgspec

from services.risk.domain.indicators import TEXTS, Indicator, Seen, WarningRules
from services.risk.domain.signs import Behaviour, is_stale, warnings, warnings_of_both
from shared.kernel.errors import InvalidArgument, Refused


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


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """
    Somebody should look at this borrower; `tellings` is how often that was published.

    Without a borrower and a loan it is of a `group` of loans, such as "region SH".
    """

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
    tellings: int = 0
    group: str = ""

    @property
    def is_open(self) -> bool:
        """Say whether somebody should still look at it."""
        return self.closed_on is None

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
        AlertNotYetRaised: it was raised, or taken over, later than that.
    """
    first = max(alert.raised_on, alert.acknowledged_on or alert.raised_on)
    if on < first:
        raise AlertNotYetRaised(
            f"raised on {alert.raised_on}", field="on", expected=f"{first} or later"
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


def alerts_of(borrower: Behaviour, rules: WarningRules) -> dict[str, Alert]:
    """
    Return the alerts that a borrower's signs raise, by id; of one id, the one that is in time.

    What is known too late to warn of anything is an alert closed from the start, as STALE.
    """
    return _alerts(borrower.borrower_ref, warnings(borrower, rules), rules)


def _alerts(
    borrower_ref: str, warned: Iterable[tuple[Indicator, Seen]], rules: WarningRules
) -> dict[str, Alert]:
    found: dict[str, Alert] = {}
    for indicator, one in warned:
        alert = _alert(borrower_ref, indicator, one, rules)
        if alert.alert_id not in found or alert.is_open:
            found[alert.alert_id] = alert
    return found


def changed(before: Behaviour, after: Behaviour, rules: WarningRules) -> dict[str, Alert | None]:
    """Return the alerts that come, change, or go, as None, between what is known of a borrower."""
    both = warnings_of_both(before, after, rules)
    was, now = (_alerts(after.borrower_ref, warned, rules) for warned in both)
    if before.since != after.since:
        # What was summed up is settled: it is neither raised again nor taken back.
        was = {name: one for name, one in was.items() if one.raised_on >= after.since}
    return {name: now.get(name) for name in sorted(was | now) if was.get(name) != now.get(name)}


def settled(stored: Alert | None, now: Alert | None, on: date) -> Alert | None:
    """
    Return what becomes of an alert: raised, changed, withdrawn, or raised again.

    Args:
        stored: As it was kept; None if it is new.
        now: As the borrower's signs raise it; None if they do not, or no longer.
        on: When that was heard.
    Returns:
        What is to be kept; what an officer has, or ended, stays as it is.
    """
    if stored is None:
        return now
    if stored.owner or stored.outcome in (AlertOutcome.CONFIRMED, AlertOutcome.FALSE_ALARM):
        return stored
    if now is not None:
        return msgspec.structs.replace(now, tellings=stored.tellings)
    if stored.outcome is AlertOutcome.WITHDRAWN:
        return stored
    closed_on = max(stored.raised_on, on)
    return msgspec.structs.replace(stored, outcome=AlertOutcome.WITHDRAWN, closed_on=closed_on)


def _alert(borrower_ref: str, indicator: Indicator, found: Seen, rules: WarningRules) -> Alert:
    text_en, text_zh = TEXTS[indicator]
    stale, last = is_stale(found, rules), found.evidence[-1]
    return Alert(
        alert_id=f"{last.on}.{last.loan_id}.{indicator}",
        borrower_ref=borrower_ref,
        loan_id=last.loan_id,
        indicator=indicator,
        raised_on=last.on,
        text_en=text_en,
        text_zh=text_zh,
        evidence=tuple(sign.event_id for sign in found.evidence),
        policy_version=rules.version,
        known_on=found.known_on,
        outcome=AlertOutcome.STALE if stale else AlertOutcome.UNSPECIFIED,
        closed_on=found.known_on if stale else None,
    )
