"""Before every attempt to reach somebody: may we, now? If not: by which rule, and from when on?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from services.collections.domain.contact_rules import (
    CounterKey,
    Hours,
    Party,
    ProtectionKind,
    Purpose,
    Rules,
)
from services.collections.domain.debtor import Attempt, Debtor
from shared.kernel.calendars import calendar_named
from shared.kernel.errors import Refused

DAY = timedelta(days=1)
NEXT_STEPS_MAX = 200
COUNT_DAYS_MAX = 400


class ContactRefused(Refused):
    """An attempt is not allowed then; `until` is when this rule alone would let it pass."""

    def __init__(self, message: str, *, rule: str, until: datetime | None = None) -> None:
        super().__init__(message, field="at", rule=rule)
        self.rule, self.until = rule, until


class ContactOutsideHours(ContactRefused):
    """It is too early or too late, or a day off, where the debtor lives or may live."""


class ContactTooOften(ContactRefused):
    """As many attempts were made as the rules allow."""


class ContactTooSoon(ContactRefused):
    """A conversation has just taken place; the rules want some days of quiet after it."""


class ContactCeased(ContactRefused):
    """The debtor asked not to be contacted."""


class ContactOptedOut(ContactRefused):
    """The debtor asked not to be contacted by this channel."""


class ContactDisputed(ContactRefused):
    """The debtor disputes the debt, and has no answer yet."""


class ContactAwaitsAnswer(ContactRefused):
    """The debtor complained, and has no answer yet."""


class ContactInBreathingSpace(ContactRefused):
    """The law gives the debtor time without being contacted."""


class ContactInDisaster(ContactRefused):
    """The debtor lives where a disaster struck."""


class ContactNeedsSpecialist(ContactRefused):
    """The debtor is vulnerable: only people trained for it reach out."""


class ContactOnlyCounsel(ContactRefused):
    """A lawyer or insolvency court speaks for the debtor."""


class PartyNotAllowed(ContactRefused):
    """This person must not be approached about the debt."""


class VisitNeedsMoreStaff(ContactRefused):
    """Fewer people than the rules want would come."""


_SHIELDED = {
    ProtectionKind.CEASED: ContactCeased,
    ProtectionKind.OPT_OUT: ContactOptedOut,
    ProtectionKind.DISPUTE: ContactDisputed,
    ProtectionKind.COMPLAINT: ContactAwaitsAnswer,
    ProtectionKind.BREATHING_SPACE: ContactInBreathingSpace,
    ProtectionKind.HEALTH_CRISIS: ContactInBreathingSpace,
    ProtectionKind.DISASTER: ContactInDisaster,
    ProtectionKind.VULNERABLE: ContactNeedsSpecialist,
    ProtectionKind.COUNSEL: ContactOnlyCounsel,
    ProtectionKind.BANKRUPTCY: ContactOnlyCounsel,
}


def check_contact(rules: Rules, attempt: Attempt, debtor: Debtor, past: Sequence[Attempt]) -> None:
    """
    Let an attempt pass, or say by which rule not, and when the same would be allowed.

    Args:
        rules: In force on the day of the attempt.
        attempt: What is wished for; `at` with offset.
        debtor: Whom it concerns.
        past: Attempts with this debtor, of all collectors and about all debts, in any order.
    Raises:
        ContactRefused: the first refusal; its fact `next_allowed_at` is empty while only a
            change of the debtor's standing, such as an answered dispute, can open the gate.
    """
    attempt = _moved(attempt, attempt.at.astimezone(UTC))
    refusal = refusal_of(rules, attempt, debtor, past)
    if refusal is None:
        return
    opens = next_allowed(rules, attempt, debtor, past)
    text = opens.astimezone(debtor.zones(rules)[0]).isoformat() if opens else ""
    refusal.expected = f"from {text}" if text else "once what stands in the way is lifted"
    refusal.facts |= {"next_allowed_at": text, "policy": rules.version}
    raise refusal


def next_allowed(
    rules: Rules, attempt: Attempt, debtor: Debtor, past: Sequence[Attempt]
) -> datetime | None:
    """Return the first instant from `attempt.at` at which every rule lets it pass; None: no end."""
    for _ in range(NEXT_STEPS_MAX):
        refusal = refusal_of(rules, attempt, debtor, past)
        if refusal is None:
            return attempt.at
        if refusal.until is None:
            return None
        attempt = _moved(attempt, max(refusal.until, attempt.at))
    return None


def refusal_of(
    rules: Rules, attempt: Attempt, debtor: Debtor, past: Sequence[Attempt]
) -> ContactRefused | None:
    """Return what stands in the way of an attempt; None when nothing does."""
    zones = debtor.zones(rules)
    return (
        _by_shields(rules, attempt, debtor, zones)
        or _by_party(rules, attempt, debtor)
        or _by_hours(rules, attempt, debtor, zones)
        or _by_quiet(rules, attempt, past, zones)
        or _by_counts(rules, attempt, past, zones)
    )


def _moved(attempt: Attempt, at: datetime) -> Attempt:
    return msgspec.structs.replace(attempt, at=at)


def _by_shields(
    rules: Rules, attempt: Attempt, debtor: Debtor, zones: Sequence[ZoneInfo]
) -> ContactRefused | None:
    today = [attempt.at.astimezone(zone).date() for zone in zones]
    for shield in rules.every_shield:
        passes = (
            attempt.purpose in shield.purposes
            or (shield.channels and attempt.channel not in shield.channels)
            or (shield.specialists and attempt.specialist)
            or (shield.counsel and attempt.party is Party.COUNSEL)
        )
        for one in debtor.protections if not passes else ():
            last = one.last_day(shield)
            other_channel = one.channel is not None and one.channel is not attempt.channel
            over = last is not None and last < min(today)
            if one.kind is not shield.kind or other_channel or one.from_on > max(today) or over:
                continue
            opens = last + DAY if last else None
            until = max(_midnight(opens, zone) for zone in zones) if opens else None
            said = f"{shield.kind.lower().replace('_', ' ')} since {one.from_on}"
            return _SHIELDED[shield.kind](said, rule=shield.id, until=until)
    return None


def _by_party(rules: Rules, attempt: Attempt, debtor: Debtor) -> ContactRefused | None:
    seeking = debtor.lost and attempt.purpose is Purpose.LOCATE
    allowed = rules.parties.always + (rules.parties.when_lost if seeking else ())
    if attempt.party not in allowed:
        who = attempt.party.lower()
        return PartyNotAllowed(f"a {who} must not be approached", rule=rules.parties.id)
    if attempt.channel == "VISIT" and attempt.staff < rules.visit_staff_least:
        least = rules.visit_staff_least
        return VisitNeedsMoreStaff(f"{attempt.staff} of {least}", rule=f"{rules.version}/visit")
    return None


def _by_hours(
    rules: Rules, attempt: Attempt, debtor: Debtor, zones: Sequence[ZoneInfo]
) -> ContactRefused | None:
    for rule in rules.hours:
        elsewhere = rule.channels and attempt.channel not in rule.channels
        if elsewhere or (rule.waivable and debtor.hours_waived):
            continue
        opens = max(_next_open(rule, attempt.at, zone) for zone in zones)
        if opens > attempt.at:
            shown = ", ".join(f"{attempt.at.astimezone(z):%H:%M} in {z.key}" for z in zones[:3])
            said = f"it is {shown}; allowed {rule.starts:%H:%M} to {rule.ends:%H:%M}"
            return ContactOutsideHours(said, rule=rule.id, until=opens)
    return None


def _next_open(rule: Hours, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant from `at` within the hours of one zone."""
    local = at.astimezone(zone)
    day, now = local.date(), local.time()
    if _is_open_day(rule, day) and now < rule.ends:
        return at if now >= rule.starts else _instant(day, rule.starts, zone)
    day += DAY
    while not _is_open_day(rule, day):
        day += DAY
    return _instant(day, rule.starts, zone)


def _is_open_day(rule: Hours, day: date) -> bool:
    if day.isoweekday() not in rule.weekdays:
        return False
    if not rule.calendar or day.weekday() >= 5:
        return True
    return calendar_named(rule.calendar).is_business_day(day)


def _by_quiet(
    rules: Rules, attempt: Attempt, past: Sequence[Attempt], zones: Sequence[ZoneInfo]
) -> ContactRefused | None:
    for rule in rules.quiet:
        if rule.channels and attempt.channel not in rule.channels:
            continue
        for one in _relevant(attempt, past, rule.per):
            if one.at > attempt.at or not one.is_counted(rule.after, rule.channels):
                continue
            length = timedelta(days=rule.days)
            ends = max(_midnight(one.at.astimezone(z).date() + length, z) for z in zones)
            if attempt.at < ends:
                said = f"spoken to on {one.at:%Y-%m-%d}; {rule.days} days of quiet"
                return ContactTooSoon(said, rule=rule.id, until=ends)
    return None


def _by_counts(
    rules: Rules, attempt: Attempt, past: Sequence[Attempt], zones: Sequence[ZoneInfo]
) -> ContactRefused | None:
    for rule in rules.counts:
        if rule.channels and attempt.channel not in rule.channels:
            continue
        counted = [
            one.at
            for one in _relevant(attempt, past, rule.per)
            if one.is_counted(rule.counts, rule.channels)
        ]
        opens = attempt.at
        for zone in zones:
            days = [at.astimezone(zone).date() for at in counted]
            free = _first_free_day(days, attempt.at.astimezone(zone).date(), rule.most, rule.days)
            if free > attempt.at.astimezone(zone).date():
                opens = max(opens, _midnight(free, zone))
        if opens > attempt.at:
            said = f"{rule.most} within {rule.days} days is the most ({rule.counts.lower()})"
            return ContactTooOften(said, rule=rule.id, until=opens)
    return None


def _first_free_day(days: Sequence[date], wanted: date, most: int, length: int) -> date:
    """Return the first day from `wanted` on which one more keeps every window at `most`."""
    for ahead in range(COUNT_DAYS_MAX):
        day = wanted + ahead * DAY
        ends = [day + k * DAY for k in range(length)]
        if all(sum(end - length * DAY < one <= end for one in days) < most for end in ends):
            return day
    return wanted + COUNT_DAYS_MAX * DAY


def _relevant(attempt: Attempt, past: Sequence[Attempt], per: CounterKey) -> list[Attempt]:
    same: dict[CounterKey, Callable[[Attempt], bool]] = {
        CounterKey.DEBTOR: lambda one: one.borrower_ref == attempt.borrower_ref,
        CounterKey.DEBT: lambda one: one.loan_id == attempt.loan_id,
        CounterKey.ADDRESS: lambda one: one.address == attempt.address,
    }
    return [one for one in past if same[per](one)]


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    # In UTC: times of one zone compare by their wall clock, wrong where clocks go back.
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return _instant(day, time(0), zone)
