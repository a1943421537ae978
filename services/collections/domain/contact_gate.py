"""Before every attempt to reach a borrower: may we, now?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.kernel.errors import InvalidArgument, Refused


class ContactOutsideHours(Refused):
    """It is too early or too late where the borrower lives."""


class ContactTooOften(Refused):
    """The borrower was contacted as often as allowed today, by all collectors together."""


class ContactCeased(Refused):
    """The borrower asked not to be contacted."""


class TimeZoneUnknown(InvalidArgument):
    """No time zone has this name."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the contact and treatment rules; hours are the borrower's local time."""

    version: str
    contact_from_hour: int
    contact_until_hour: int
    contacts_per_day_max: int
    time_zone: str
    reminder_hour: int
    templates: dict[str, str]


def a_time_zone(name: str) -> ZoneInfo:
    """Return a time zone, or raise TimeZoneUnknown."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise TimeZoneUnknown(
            f"{name[:40]!r} is unknown", field="time_zone", expected="such as Asia/Shanghai"
        ) from None


def check_contact(
    policy: Policy, at: datetime, earlier: Sequence[datetime], time_zone: str, *, ceased: bool
) -> None:
    """
    Let an attempt to reach a borrower pass, or say why not.

    Args:
        policy: The rules.
        at: When, with offset.
        earlier: Attempts before, of all collectors together.
        time_zone: Where the borrower lives.
        ceased: Whether the borrower asked not to be contacted.
    Raises:
        ContactCeased, ContactOutsideHours, ContactTooOften: in this order.
    """
    if ceased:
        raise ContactCeased("the borrower asked not to be contacted")
    zone = a_time_zone(time_zone)
    local = at.astimezone(zone)
    if not policy.contact_from_hour <= local.hour < policy.contact_until_hour:
        raise ContactOutsideHours(
            f"it is {local:%H:%M} where the borrower lives",
            field="at",
            expected=f"{policy.contact_from_hour:02}:00 to {policy.contact_until_hour:02}:00",
        )
    today = [one for one in earlier if one.astimezone(zone).date() == local.date()]
    if len(today) >= policy.contacts_per_day_max:
        raise ContactTooOften(
            f"contacted {len(today)} times on {local.date()}",
            field="at",
            expected=f"at most {policy.contacts_per_day_max} a day",
        )
