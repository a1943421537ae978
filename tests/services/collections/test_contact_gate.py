"""The contact gate at its edges: hours, counters, shields and parties by jurisdiction."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from services.collections.domain.contact_gate import (
    ContactRefused,
    check_contact,
    next_allowed,
    refusal_of,
)
from services.collections.domain.contact_rules import Outcome, Party, Purpose, RulesNotFound
from services.collections.domain.debtor import Attempt, Protection
from tests.services.collections.people import HOME, attempt, debtor, rules, shielded

HOURS = [
    # where | local time                                  | rule            | next allowed
    ("CN", "2026-02-10 07:59:59 in Asia/Shanghai", "cn-hours", "2026-02-10 08:00"),
    ("CN", "2026-02-10 08:00 in Asia/Shanghai", "", ""),
    ("CN", "2026-02-10 21:59:59 in Asia/Shanghai", "", ""),
    ("CN", "2026-02-10 22:00 in Asia/Shanghai", "cn-hours", "2026-02-11 08:00"),
    ("US", "2026-02-10 07:59:59 in America/New_York", "us-hours", "2026-02-10 08:00"),
    ("US", "2026-02-10 20:59:59 in America/New_York", "", ""),
    ("US", "2026-02-10 21:00 in America/New_York", "us-hours", "2026-02-11 08:00"),
    # Clocks go forward on 8 March and back on 1 November 2026.
    ("US", "2026-03-07 21:00 in America/New_York", "us-hours", "2026-03-08 08:00"),
    ("US", "2026-03-08 07:59 in America/New_York", "us-hours", "2026-03-08 08:00"),
    ("US", "2026-03-08 08:00 in America/New_York", "", ""),
    ("US", "2026-11-01 01:30 in America/New_York", "us-hours", "2026-11-01 08:00"),
    ("US", "2026-10-31 21:00 in America/New_York", "us-hours", "2026-11-01 08:00"),
    ("IN", "2026-02-10 18:59:59 in Asia/Kolkata", "", ""),
    ("IN", "2026-02-10 19:00 in Asia/Kolkata", "in-hours", "2026-02-11 08:00"),
    ("UK", "2026-03-29 12:00 in Europe/London", "house-hours", "2026-03-30 08:00"),
    ("UK", "2026-03-28 20:59:59 in Europe/London", "", ""),
    ("UK", "2026-03-28 21:00 in Europe/London", "house-hours", "2026-03-30 08:00"),
    # Good Friday and Easter Monday are days off.
    ("EU", "2026-04-02 20:00 in Europe/Paris", "house-hours", "2026-04-04 08:00"),
    ("EU", "2026-04-06 12:00 in Europe/Paris", "house-hours", "2026-04-07 08:00"),
    ("EU", "2026-04-04 19:59:59 in Europe/Paris", "", ""),
]


@pytest.mark.parametrize(("where", "at", "rule", "opens"), HOURS)
def test_hours_are_the_debtors_own(where: str, at: str, rule: str, opens: str) -> None:
    """Nobody is reached before or after the hours of where they live, nor on a day off."""
    given_attempt = attempt(at)
    refusal = refusal_of(rules(where, at[:10]), given_attempt, debtor(where), [])

    assert (refusal.rule if refusal else "") == rule
    if refusal is not None:
        opened = next_allowed(rules(where, at[:10]), given_attempt, debtor(where), [])
        assert opened is not None
        assert f"{opened.astimezone(ZoneInfo(HOME[where])):%Y-%m-%d %H:%M}" == opens


ZONES = [
    # where | instant in New York, or Paris   | allowed when the zone is not known
    ("US", "2026-02-10 12:59:59 in America/New_York", False),  # 07:59 in Honolulu
    ("US", "2026-02-10 13:00 in America/New_York", True),
    ("US", "2026-02-10 20:59:59 in America/New_York", True),
    ("US", "2026-02-10 21:00 in America/New_York", False),
    ("US", "2026-07-10 13:59:59 in America/New_York", False),  # Honolulu keeps winter time
    ("US", "2026-07-10 14:00 in America/New_York", True),
    ("EU", "2026-02-10 08:59:59 in Europe/Paris", False),  # 07:59 in Lisbon
    ("EU", "2026-02-10 09:00 in Europe/Paris", True),
    ("EU", "2026-02-10 19:00 in Europe/Paris", False),  # 20:00 in Athens
]


@pytest.mark.parametrize(("where", "at", "allowed"), ZONES)
def test_an_unknown_zone_is_every_zone(where: str, at: str, allowed: bool) -> None:
    """Whose zone is not known is reached only when it is a fit hour in all that are possible."""
    unknown = debtor(where, time_zone="")

    assert (refusal_of(rules(where), attempt(at), unknown, []) is None) is allowed


def calls(day: str, times: list[str], outcome: str, zone: str, **more: object) -> list[Attempt]:
    return [attempt(f"{day} {time} in {zone}", outcome=Outcome(outcome), **more) for time in times]


SHANGHAI, NEW_YORK = HOME["CN"], HOME["US"]
SIX = [f"{hour:02}:00" for hour in range(9, 15)]
SEVEN = [f"2026-02-{day:02}" for day in range(2, 9)]
COUNTS = [
    # where | past attempts | the attempt now | rule | next allowed, local
    ("CN", calls("2026-02-10", SIX[:2], "REACHED", SHANGHAI), {}, "", ""),
    ("CN", calls("2026-02-10", SIX[:3], "REACHED", SHANGHAI), {}, "cn-connected-3-a-day", "02-11"),
    (
        "CN",
        calls("2026-02-10", SIX[:3], "REACHED", SHANGHAI, loan_id="L-2"),
        {},
        "cn-connected-3-a-day",
        "02-11",
    ),
    ("CN", calls("2026-02-09", SIX[:3], "REACHED", SHANGHAI), {}, "", ""),
    ("CN", calls("2026-02-10", SIX[:5], "NO_ANSWER", SHANGHAI), {}, "", ""),
    ("CN", calls("2026-02-10", SIX, "NO_ANSWER", SHANGHAI), {}, "cn-unanswered-6-a-day", "02-11"),
    ("CN", calls("2026-02-10", SIX, "NO_ANSWER", SHANGHAI), {"address": "2"}, "", ""),
    (
        "US",
        [c for day in SEVEN[1:] for c in calls(day, ["09:00"], "NO_ANSWER", NEW_YORK)],
        {},
        "",
        "",
    ),
    (
        "US",
        [
            c
            for day in ("2026-02-04", *SEVEN[2:], "2026-02-09")
            for c in calls(day, ["09:00"], "NO_ANSWER", NEW_YORK)
        ],
        {},
        "us-7-in-7",
        "02-11",
    ),
    (
        "US",
        [
            c
            for day in ("2026-02-04", *SEVEN[2:], "2026-02-09")
            for c in calls(day, ["09:00"], "NO_ANSWER", NEW_YORK)
        ],
        {"loan_id": "L-2"},
        "",
        "",
    ),
    (
        "US",
        calls("2026-02-04", ["09:00"], "REACHED", NEW_YORK),
        {},
        "us-7-after-conversation",
        "02-11",
    ),
    ("US", calls("2026-02-03", ["09:00"], "REACHED", NEW_YORK), {}, "", ""),
    ("US", calls("2026-02-04", ["09:00"], "REACHED", NEW_YORK), {"channel": "EMAIL"}, "", ""),
    (
        "IN",
        calls("2026-02-10", SIX[:3], "NO_ANSWER", HOME["IN"]),
        {},
        "house-attempts-3-a-day",
        "02-11",
    ),
]


@pytest.mark.parametrize(("where", "past", "more", "rule", "opens"), COUNTS)
def test_counters_at_their_edges(
    where: str, past: list[Attempt], more: dict[str, object], rule: str, opens: str
) -> None:
    """China counts per person across lenders, the United States per debt, over seven days."""
    now = attempt(f"2026-02-10 15:00 in {HOME[where]}", **more)

    refusal = refusal_of(rules(where), now, debtor(where), past)

    assert (refusal.rule if refusal else "") == rule
    if refusal is not None and refusal.until is not None:
        assert f"{refusal.until.astimezone(ZoneInfo(HOME[where])):%m-%d %H:%M}" == f"{opens} 00:00"


SHIELDS = [
    # where | protection | attempt | reason | next allowed
    ("CN", shielded("CEASED"), {}, "CONTACT_CEASED", ""),
    ("CN", shielded("CEASED"), {"purpose": Purpose.LEGAL_NOTICE}, "", ""),
    ("CN", shielded("OPT_OUT", None, "SMS"), {"channel": "SMS"}, "CONTACT_OPTED_OUT", ""),
    ("CN", shielded("OPT_OUT", None, "SMS"), {}, "", ""),
    ("CN", shielded("DISPUTE"), {}, "CONTACT_DISPUTED", ""),
    ("CN", shielded("DISPUTE"), {"purpose": Purpose.ANSWER}, "", ""),
    ("CN", shielded("DISPUTE", "2026-02-12"), {}, "CONTACT_DISPUTED", "2026-02-13T08:00:00+08:00"),
    ("CN", shielded("DISPUTE", "2026-02-09"), {}, "", ""),
    ("CN", shielded("COMPLAINT"), {}, "CONTACT_AWAITS_ANSWER", ""),
    ("CN", shielded("DISASTER"), {}, "CONTACT_IN_DISASTER", "2026-05-02T08:00:00+08:00"),
    ("CN", shielded("VULNERABLE"), {}, "CONTACT_NEEDS_SPECIALIST", ""),
    ("CN", shielded("VULNERABLE"), {"specialist": True}, "", ""),
    (
        "UK",
        shielded("BREATHING_SPACE"),
        {},
        "CONTACT_IN_BREATHING_SPACE",
        "2026-04-02T08:00:00+01:00",
    ),
    ("UK", shielded("HEALTH_CRISIS"), {}, "CONTACT_IN_BREATHING_SPACE", ""),
    (
        "UK",
        shielded("HEALTH_CRISIS", "2026-02-10"),
        {},
        "CONTACT_IN_BREATHING_SPACE",
        "2026-03-13T08:00:00+00:00",
    ),
    ("US", shielded("COUNSEL"), {}, "CONTACT_ONLY_COUNSEL", ""),
    ("US", shielded("COUNSEL"), {"party": Party.COUNSEL}, "", ""),
    ("US", shielded("BANKRUPTCY"), {}, "CONTACT_ONLY_COUNSEL", ""),
]


@pytest.mark.parametrize(("where", "protection", "more", "reason", "opens"), SHIELDS)
def test_what_shields_a_debtor(
    where: str, protection: Protection, more: dict[str, object], reason: str, opens: str
) -> None:
    """A dispute, a moratorium, a disaster, a lawyer: each stops contact in its own way."""
    now = attempt(f"2026-02-10 15:00 in {HOME[where]}", **more)
    person = debtor(where, protections=(protection,))

    try:
        check_contact(rules(where), now, person, [])
        refused, facts = "", {"next_allowed_at": ""}
    except ContactRefused as refusal:
        refused, facts = refusal.reason, refusal.facts
        assert facts["policy"] == rules(where).version

    assert (refused, facts["next_allowed_at"]) == (reason, opens)


PARTIES = [
    # where | who, and what is known | allowed
    ("CN", {"party": Party.RELATIVE}, False, False),
    ("CN", {"party": Party.RELATIVE, "purpose": Purpose.LOCATE}, False, False),
    ("CN", {"party": Party.RELATIVE, "purpose": Purpose.LOCATE}, True, True),
    ("CN", {"party": Party.RELATIVE, "purpose": Purpose.COLLECT}, True, False),
    ("CN", {"party": Party.GUARANTOR}, False, True),
    ("IN", {"party": Party.RELATIVE, "purpose": Purpose.LOCATE}, True, False),
    ("CN", {"channel": "VISIT"}, False, False),
    ("CN", {"channel": "VISIT", "staff": 2}, False, True),
]


@pytest.mark.parametrize(("where", "more", "lost", "allowed"), PARTIES)
def test_who_may_be_approached(
    where: str, more: dict[str, object], lost: bool, allowed: bool
) -> None:
    """Relatives are asked only where a debtor is lost, if at all; nobody visits alone."""
    now = attempt(f"2026-02-10 15:00 in {HOME[where]}", **more)

    assert (refusal_of(rules(where), now, debtor(where, lost=lost), []) is None) is allowed


def test_rules_are_those_of_the_day() -> None:
    """An attempt is judged by the rules in force on its day, by the oldest before any."""
    six = calls("2025-02-10", SIX, "NO_ANSWER", SHANGHAI)
    then = attempt("2025-02-10 15:00 in Asia/Shanghai")

    assert refusal_of(rules("CN", "2025-02-10"), then, debtor("CN"), six) is None
    assert rules("CN", "2026-01-29").version == "cn/2018-03-28"
    assert rules("CN", "2026-01-30").version == "cn/2026-01-30"
    assert rules("CN", "2017-01-01").version == "cn/2018-03-28"
    with pytest.raises(RulesNotFound):
        rules("MARS")
