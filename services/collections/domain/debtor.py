"""The person behind the cases: where they live, how they may be reached, what shields them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from services.collections.domain.contact_rules import (
    Channel,
    Counted,
    Outcome,
    Party,
    ProtectionKind,
    Purpose,
    Rules,
    Shield,
)
from shared.kernel.errors import InvalidArgument, NotFound, Refused

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_REGION = re.compile(r"[A-Z0-9-]{1,20}")
_PHONE = re.compile(r"\+[1-9][0-9]{4,14}")


class TimeZoneUnknown(InvalidArgument):
    """No time zone has this name."""


class DebtorNotFound(NotFound):
    """No case has ever named this borrower."""


class ProtectionIdReserved(InvalidArgument):
    """The id names the wish not to be contacted: another shield under it would lift that."""


class ProtectionNotFound(NotFound):
    """The debtor has no such protection in force."""


class EmailNotValid(InvalidArgument):
    """No mail can be sent to this address."""


class PhoneNotValid(InvalidArgument):
    """A phone number is a plus sign and 5 to 15 digits."""


class RegionNotValid(InvalidArgument):
    """A region is up to 20 capital letters, digits and hyphens: cut, it would be another one."""


class ContactNotNow(InvalidArgument):
    """An attempt that did not happen already is recorded as it is made, not for another time."""


class AttemptHasEnded(Refused):
    """How the attempt ended was said already."""


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """Something that shields a debtor from one day to another, both included, or until lifted."""

    protection_id: str
    kind: ProtectionKind
    from_on: date
    until_on: date | None = None
    channel: Channel | None = None
    note: str = ""

    def last_day(self, shield: Shield) -> date | None:
        """Return the last day on which a shield stops contact; None while it is open-ended."""
        if self.until_on is not None:
            return self.until_on + timedelta(days=shield.after_days)
        return self.from_on + timedelta(days=shield.days - 1) if shield.days else None


class Debtor(msgspec.Struct, frozen=True, kw_only=True):
    """One borrower across all loans."""

    borrower_ref: str
    jurisdiction: str
    language: str = "zh"
    time_zone: str = ""
    region: str = ""
    email: str = ""
    phone: str = ""
    lost: bool = False
    hours_waived: bool = False
    protections: tuple[Protection, ...] = ()
    loans: tuple[str, ...] = ()

    def zones(self, rules: Rules) -> tuple[ZoneInfo, ...]:
        """Return where the debtor may be: the zone if known, else every one that is possible."""
        return tuple(
            a_time_zone(name) for name in ([self.time_zone] if self.time_zone else rules.zones)
        )

    def address(self, channel: Channel) -> str:
        """Return the number or address of a channel; empty where none is known."""
        if channel is Channel.EMAIL:
            return self.email
        return self.phone if channel in (Channel.CALL, Channel.VOICE, Channel.SMS) else ""

    def protected_by(self, kind: ProtectionKind, on: date) -> bool:
        """Say whether a protection of a kind has begun and was not ended by a date."""
        return any(
            p.kind is kind and p.from_on <= on and (p.until_on is None or on <= p.until_on)
            for p in self.protections
        )

    def shielded_on(self, kind: ProtectionKind, on: date, shields: Sequence[Shield]) -> bool:
        """Say whether a protection shields on a date, for as long as the rules say it lasts."""
        rows = [shield for shield in shields if shield.kind is kind]
        for one in self.protections:
            if one.kind is kind and one.from_on <= on:
                ends = [one.last_day(row) for row in rows] or [one.until_on]
                if any(last is None or on <= last for last in ends):
                    return True
        return False


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to reach somebody about a debt, made or wished for."""

    borrower_ref: str
    loan_id: str
    at: datetime
    channel: Channel
    party: Party = Party.DEBTOR
    purpose: Purpose = Purpose.COLLECT
    outcome: Outcome = Outcome.IN_PROGRESS
    address: str = ""
    staff: int = 1
    specialist: bool = False
    attempt_id: str = ""
    by: str = ""
    breach: str = ""

    def is_counted(self, counted: Counted, channels: Sequence[Channel]) -> bool:
        """Say whether a rule counts it; in progress, it counts as all that it may become."""
        if (channels and self.channel not in channels) or self.outcome is Outcome.NOT_SENT:
            return False
        match counted:
            case Counted.ATTEMPT:
                return True
            case Counted.UNANSWERED:
                return self.outcome in (Outcome.IN_PROGRESS, Outcome.NO_ANSWER)
            case Counted.CONVERSATION:
                return self.outcome in (Outcome.IN_PROGRESS, Outcome.REACHED)
            case Counted.CONNECTED:
                return self.outcome not in (Outcome.NO_ANSWER, Outcome.BOUNCED)


def an_email(text: str) -> str:
    """Return an e-mail address that a mail can be sent to, or raise EmailNotValid."""
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise EmailNotValid(f"{text[:40]!r}", field="email", expected="such as li@example.com")
    return text


def a_phone(text: str) -> str:
    """Return a phone number in E.164, or raise PhoneNotValid."""
    if not _PHONE.fullmatch(text):
        raise PhoneNotValid(f"{text[:20]!r}", field="phone", expected="such as +8613800000000")
    return text


def a_region(text: str) -> str:
    """Return a region, empty if none is stated; raise RegionNotValid for one that is no code."""
    if text and not _REGION.fullmatch(text):
        raise RegionNotValid(f"{text[:40]!r}", field="region", expected="such as CN-51 or CN-51-01")
    return text


def a_time_zone(name: str) -> ZoneInfo:
    """Return a time zone, or raise TimeZoneUnknown."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise TimeZoneUnknown(
            f"{name[:40]!r} is unknown", field="time_zone", expected="such as Asia/Shanghai"
        ) from None


ASKED = "asked-not-to-be-contacted"
"""Names the wish not to be contacted."""


def not_reserved(protection_id: str) -> str:
    """Return an id under which somebody may be shielded, or raise ProtectionIdReserved."""
    if protection_id == ASKED:
        raise ProtectionIdReserved("reserved", field="request_id", expected="another id")
    return protection_id


def with_protection(debtor: Debtor, protection: Protection) -> Debtor:
    """Add a protection, or replace the one of the same id."""
    others = tuple(p for p in debtor.protections if p.protection_id != protection.protection_id)
    return msgspec.structs.replace(debtor, protections=(*others, protection))


def without_protection(debtor: Debtor, protection_id: str, last_on: date) -> Debtor:
    """
    End a protection after a day.

    Raises:
        ProtectionNotFound: it is not there.
    """
    for one in debtor.protections:
        if one.protection_id == protection_id:
            return with_protection(debtor, msgspec.structs.replace(one, until_on=last_on))
    raise ProtectionNotFound(f"no protection {protection_id[:64]!r}", field="protection_id")
