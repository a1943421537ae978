"""Rules of contact as rows: one row per jurisdiction and version, in force from a date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from enum import StrEnum

import msgspec

from shared.kernel.errors import InvalidArgument


class RulesNotFound(InvalidArgument):
    """This jurisdiction has no contact rules."""


class Channel(StrEnum):
    """How somebody is reached."""

    CALL = "CALL"
    VOICE = "VOICE"
    SMS = "SMS"
    EMAIL = "EMAIL"
    LETTER = "LETTER"
    VISIT = "VISIT"


class Party(StrEnum):
    """Who is reached."""

    DEBTOR = "DEBTOR"
    GUARANTOR = "GUARANTOR"
    COUNSEL = "COUNSEL"
    RELATIVE = "RELATIVE"
    EMPLOYER = "EMPLOYER"
    OTHER = "OTHER"


class Purpose(StrEnum):
    """Why somebody is reached."""

    COLLECT = "COLLECT"
    ANSWER = "ANSWER"
    LEGAL_NOTICE = "LEGAL_NOTICE"
    LOCATE = "LOCATE"


class Outcome(StrEnum):
    """How an attempt ended."""

    IN_PROGRESS = "IN_PROGRESS"
    REACHED = "REACHED"
    THIRD_PARTY = "THIRD_PARTY"
    NO_ANSWER = "NO_ANSWER"
    SENT = "SENT"
    BOUNCED = "BOUNCED"
    NOT_SENT = "NOT_SENT"


class Counted(StrEnum):
    """Which attempts a rule counts; one in progress counts as everything it may become."""

    ATTEMPT = "ATTEMPT"
    CONNECTED = "CONNECTED"
    UNANSWERED = "UNANSWERED"
    CONVERSATION = "CONVERSATION"


class CounterKey(StrEnum):
    """Over what a rule counts: the person across all debts, one debt, or one number."""

    DEBTOR = "DEBTOR"
    DEBT = "DEBT"
    ADDRESS = "ADDRESS"


class ProtectionKind(StrEnum):
    """What shields a debtor from being contacted."""

    CEASED = "CEASED"
    OPT_OUT = "OPT_OUT"
    DISPUTE = "DISPUTE"
    COMPLAINT = "COMPLAINT"
    BREATHING_SPACE = "BREATHING_SPACE"
    HEALTH_CRISIS = "HEALTH_CRISIS"
    DISASTER = "DISASTER"
    VULNERABLE = "VULNERABLE"
    COUNSEL = "COUNSEL"
    BANKRUPTCY = "BANKRUPTCY"


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    When contact is allowed, in the debtor's local time.

    `starts` is allowed and `ends` is not; `weekdays` are ISO (1 Monday to 7 Sunday); `calendar`
    names a calendar whose days off are closed too; `waivable` by the debtor's consent.
    """

    id: str
    starts: time
    ends: time
    channels: tuple[Channel, ...] = ()
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    calendar: str = ""
    waivable: bool = False


class Count(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `most` counted attempts in any `days` consecutive local days."""

    id: str
    counts: Counted
    per: CounterKey
    most: int
    days: int = 1
    channels: tuple[Channel, ...] = ()


class Quiet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing for `days` local days from a counted attempt, its own day being the first."""

    id: str
    after: Counted
    per: CounterKey
    days: int
    channels: tuple[Channel, ...] = ()


class Shield(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What a protection of a debtor stops.

    `days` is how long it lasts when no end is known; `after_days` are added to a known end;
    `channels` are those it stops (none named: all); `purposes` go through in spite of it;
    `specialists` may reach out in spite of it; `counsel` may be reached instead.
    """

    id: str
    kind: ProtectionKind
    days: int = 0
    after_days: int = 0
    channels: tuple[Channel, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    specialists: bool = False
    counsel: bool = False


class Parties(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may be reached, and for what: any purpose, or only to find a debtor who is lost."""

    id: str
    always: tuple[Party, ...]
    when_lost: tuple[Party, ...] = ()


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the rules of one jurisdiction; `zones` are where its debtors may live."""

    version: str
    jurisdiction: str
    effective_from: date
    sources: tuple[str, ...]
    zones: tuple[str, ...]
    hours: tuple[Hours, ...]
    parties: Parties
    counts: tuple[Count, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    shields: tuple[Shield, ...] = ()
    visit_staff_least: int = 1
    reply_working_days: int = 7
    keep_years: int = 5

    @property
    def every_shield(self) -> tuple[Shield, ...]:
        """Its shields; a kind without a row stops everything but answers: the house's rule."""
        known = {shield.kind for shield in self.shields}
        missing = [kind for kind in ProtectionKind if kind not in known]
        return self.shields + tuple(
            Shield(
                id=f"house-{kind.lower().replace('_', '-')}-default",
                kind=kind,
                purposes=(Purpose.ANSWER,),
                counsel=kind in (ProtectionKind.COUNSEL, ProtectionKind.BANKRUPTCY),
            )
            for kind in missing
        )


def rules_in_force(rows: Sequence[Rules], jurisdiction: str, on: date) -> Rules:
    """
    Return the newest rules of a jurisdiction in force on a date; the oldest before any is.

    Raises:
        RulesNotFound: the jurisdiction has none.
    """
    found = [r for r in rows if r.jurisdiction == jurisdiction]
    if not found:
        raise RulesNotFound(
            f"no contact rules for {jurisdiction[:20]!r} on {on}",
            field="jurisdiction",
            expected=", ".join(sorted({r.jurisdiction for r in rows})),
        )
    begun = [r for r in found if r.effective_from <= on]
    if not begun:
        return min(found, key=lambda rules: rules.effective_from)
    return max(begun, key=lambda rules: rules.effective_from)
