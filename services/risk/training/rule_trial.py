"""The rules in use put to the test: what the alerts of each indicator would have been worth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from services.risk.domain.behaviour import Fact, first_over_thirty
from services.risk.domain.early_warning import Alert, changed
from services.risk.domain.indicators import (
    INDICATORS_OF,
    SIGN_OF,
    Heard,
    Indicator,
    WarningRules,
)
from services.risk.domain.signs import Behaviour, observe
from services.risk.training.warning_trial import HORIZON_DAYS


@dataclass(frozen=True, slots=True)
class RuleResult:
    """
    What the alerts of one indicator were worth; lead times are days, and None is no figure.

    `facts` are the signs that could complete it: without any it was not tried. `too_late` are
    alerts that came when the loan already was more than 30 days late: no warnings.
    """

    name: str
    facts: int
    alerts: int
    too_late: int
    precision: float | None
    recall: float | None
    lead_days_median: float | None


@dataclass(frozen=True, slots=True)
class Learned:
    """An alert, and the business date on which what completed it was learned."""

    alert: Alert
    on: date


def try_rules(
    tape: Sequence[Fact], rules: WarningRules, first: date, last: date
) -> list[RuleResult]:
    """
    Raise the alerts that the rules would have raised, in the order of learning, and count them.

    An alert is right if its loan, never more than 30 days late before, is so within the horizon;
    days count from when the alert could be raised, not from when its event counts. Alerts and
    signs are those after `first`, up to `last`; found are loans that turned bad in those days, by
    an alert of then or before.

    Returns:
        A row per indicator, also of those that no fact of the tape can complete, in order of
        name, and one for all together.
    """
    raised, signs = _raised(tape, rules, first, last)
    loans: dict[str, list[Fact]] = defaultdict(list)
    for fact in tape:
        loans[fact.loan_id].append(fact)
    bad_on = {loan_id: first_over_thirty(facts) for loan_id, facts in loans.items()}
    bads = {n for n, on in bad_on.items() if on is not None and first < on <= last}
    rows = []
    for name in sorted(Indicator):
        alerts = [one for one in raised if one.alert.indicator == name]
        facts = signs[SIGN_OF.get(name, "")]
        rows.append(_rule_result(str(name), facts, alerts, bad_on, bads, (first, last)))
    facts = sum(signs[sign] for sign in INDICATORS_OF)
    return [*rows, _rule_result("all together", facts, raised, bad_on, bads, (first, last))]


def _raised(
    tape: Sequence[Fact], rules: WarningRules, first: date, last: date
) -> tuple[list[Learned], Counter[str]]:
    """Return every alert as it was first raised, and how many signs of each type came."""
    borrowers: dict[str, Behaviour] = {}
    told: dict[str, Learned] = {}
    signs: Counter[str] = Counter()
    for fact in tape:
        heard = _heard(fact)
        before = borrowers.get(fact.loan_id) or Behaviour(borrower_ref=fact.loan_id)
        after = borrowers[fact.loan_id] = observe(before, heard, rules)
        if after == before:
            continue
        if first < fact.known_on <= last:
            signs.update(sign.type for sign in after.signs if sign.event_id == heard.event_id)
        for name, one in changed(before, after, rules).items():
            if one is not None and one.is_open:
                told.setdefault(name, Learned(one, fact.known_on))
    return list(told.values()), signs


def _rule_result(
    name: str,
    facts: int,
    raised: Sequence[Learned],
    bad_on: Mapping[str, date | None],
    bads: set[str],
    window: tuple[date, date],
) -> RuleResult:
    leads: dict[str, int] = {}
    found: set[str] = set()
    hits = alerts = too_late = 0
    for one in raised:
        on, inside = bad_on[one.alert.loan_id], window[0] < one.on <= window[1]
        if on is not None and on <= one.on:
            too_late += inside
            continue
        alerts += inside
        if on is not None and (on - one.on).days <= HORIZON_DAYS:
            found.add(one.alert.loan_id)
            hits += inside
            if inside:
                leads.setdefault(one.alert.loan_id, (on - one.on).days)
    return RuleResult(
        name=name,
        facts=facts,
        alerts=alerts,
        too_late=too_late,
        precision=hits / alerts if alerts else None,
        recall=len(bads & found) / len(bads) if facts and bads else None,
        lead_days_median=median(leads.values()) if leads else None,
    )


def _heard(fact: Fact) -> Heard:
    return Heard(
        loan_id=fact.loan_id,
        borrower_ref=fact.loan_id,
        sequence=fact.sequence,
        type=fact.type,
        effective_on=fact.effective_on,
        known_on=fact.known_on,
        amount_minor=fact.amount_minor,
        reason=fact.reason,
    )
