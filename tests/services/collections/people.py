"""Debtors, attempts and shields in few words, and the house's own contact rules."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.collections.adapters.policy_files import read_policies
from services.collections.config import HERE
from services.collections.domain.contact_rules import (
    Channel,
    ProtectionKind,
    Rules,
    rules_in_force,
)
from services.collections.domain.debtor import Attempt, Debtor, Protection
from services.collections.domain.hardship import Plan
from services.collections.domain.promises import Part, Promise

POLICIES = read_policies(HERE / "policies")
HOME = {
    "CN": "Asia/Shanghai",
    "US": "America/New_York",
    "UK": "Europe/London",
    "EU": "Europe/Paris",
    "IN": "Asia/Kolkata",
}


def rules(where: str, on: str = "2026-02-10") -> Rules:
    return rules_in_force(POLICIES.rules, where, date.fromisoformat(on))


def debtor(where: str, **known: object) -> Debtor:
    known = {"time_zone": HOME[where], **known}
    return Debtor(borrower_ref="B-1", jurisdiction=where, **known)


def attempt(at: datetime | str, channel: str = "CALL", **more: object) -> Attempt:
    if isinstance(at, str):
        local, _, zone = at.partition(" in ")
        at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    known = {"borrower_ref": "B-1", "loan_id": "L-1", "address": "1", **more}
    return Attempt(at=at, channel=Channel(channel), **known)


def shielded(kind: str, until: str | None = None, channel: str | None = None) -> Protection:
    return Protection(
        protection_id="p",
        kind=ProtectionKind(kind),
        from_on=date(2026, 2, 1),
        until_on=date.fromisoformat(until) if until else None,
        channel=Channel(channel) if channel else None,
    )


def proposed(**different: Any) -> Plan:
    """Return a plan of a year that somebody proposed, but for what is different."""
    usual: dict[str, Any] = {"instalments": 12, "first_due_on": date(2026, 4, 1)}
    usual |= {"rate_annual": "0.1", "reason": "ill", "proposed_by": "o-1", "number": 1}
    return Plan(**{"status": "PROPOSED", **usual, **different})


def promised(amount_minor: int, made_on: str, due_on: str, by: str = "o-1") -> Promise:
    """Return a promise of one sum by a day, kept only if all of it comes by then."""
    return Promise(
        promise_id="p-1",
        made_on=date.fromisoformat(made_on),
        parts=(Part(date.fromisoformat(due_on), amount_minor),),
        tolerance_minor=0,
        tolerance_days=0,
        taken_by=by,
    )
