"""What a loan would be, had something been otherwise; computed, compared, never stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import NamedTuple

import msgspec

from services.ledger.domain.difference import Look
from services.ledger.domain.events import Fact, LoanOpened
from services.ledger.domain.explain import figures
from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.refusals import LoanNotActive, LoanNotFound, SuppositionInvalid
from services.ledger.domain.replay import timeline
from services.ledger.domain.terms import Terms, check_terms
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.waterfall import Waterfall


class Supposition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What is supposed otherwise; nothing stated is as it is. Events are named by version.

    `without`: had they not happened. `value_dates`: had they counted from another date.
    `recorded_on_time`: had they been learned on the date from which they count. The others:
    had the contract, or a new plan of it, had this term.
    """

    without: tuple[int, ...] = ()
    value_dates: tuple[tuple[int, date], ...] = ()
    recorded_on_time: tuple[int, ...] = ()
    grace_days: int | None = None
    penalty_rate_annual: Decimal | None = None
    waterfall: Waterfall | None = None
    delinquency: DelinquencyPolicy | None = None

    @property
    def sha256(self) -> str:
        """The hash that names what was supposed, hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def terms(self) -> dict[str, object]:
        """The terms that are supposed otherwise."""
        names = ("grace_days", "penalty_rate_annual", "waterfall", "delinquency")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Supposed(NamedTuple):
    """A loan on one date as it is, and as it would be."""

    actual: Timeline
    supposed: Timeline

    @property
    def changes(self) -> dict[str, int]:
        """What the supposition adds to each figure, minor units or days; none that stays."""
        before, after = figures(self.actual), figures(self.supposed)
        return {name: after[name] - before[name] for name in before if after[name] != before[name]}


def suppose(events: Sequence[Fact], look: Look, supposition: Supposition) -> Supposed:
    """
    Look at a loan as it is and as it would be.

    Args:
        events: The loan's whole stream, in recorded order.
        look: About which date, as known when.
        supposition: What is supposed otherwise.
    Returns:
        Both timelines, by the same code that posting uses; with nothing supposed they are equal.
    Raises:
        SuppositionInvalid: it names an event that is not there, or that opens the loan.
        TermsInvalid: a supposed term leaves its range.
        LoanNotFound: nothing of the loan was known then.
        LoanNotActive: it was, or would be, not paid out on the date.
    """
    _check(events, supposition)
    changed = [
        (at, _moved(event, version, supposition))
        for version, event in enumerate(events, start=1)
        if version not in supposition.without
        for at in (_learned(event, version, supposition),)
    ]
    actual = [(event.recorded_at, event) for event in events]
    return Supposed(_line(actual, look, {}), _line(changed, look, supposition.terms))


def _check(events: Sequence[Fact], supposition: Supposition) -> None:
    moved = [version for version, _ in supposition.value_dates]
    for version in (*supposition.without, *moved, *supposition.recorded_on_time):
        if not 1 <= version <= len(events):
            raise SuppositionInvalid(
                f"there is no event {version}", field="without", expected=f"1 to {len(events)}"
            )
        if isinstance(events[version - 1], LoanOpened):
            raise SuppositionInvalid(
                f"event {version} opens the loan", field="without", expected="a later event"
            )


def _moved(event: Fact, version: int, supposition: Supposition) -> Fact:
    on = dict(supposition.value_dates).get(version)
    return msgspec.structs.replace(event, effective_on=on) if on else event


def _learned(event: Fact, version: int, supposition: Supposition) -> datetime:
    if version not in supposition.recorded_on_time:
        return event.recorded_at
    on_time = datetime.combine(event.effective_on, time.min, UTC)
    return min(event.recorded_at, on_time)


def _line(
    events: Iterable[tuple[datetime, Fact]], look: Look, terms: dict[str, object]
) -> Timeline:
    account = fold(event for at, event in events if at <= look.known_at)
    if account is None:
        raise LoanNotFound("nothing of the loan was known then", field="known_at")
    if account.disbursed_on is None or look.on < account.disbursed_on:
        raise LoanNotActive(f"it is not paid out on {look.on}", field="effective_on")
    return timeline(
        with_terms(account.terms, terms),
        account.disbursed_on,
        [_fact(fact, terms) for fact in _live(account)],
        look.on,
        account.disbursed_minor,
    )


def _live(account: LoanAccount) -> list[MoneyFact]:
    return [fact for fact in account.facts if fact.fact_id not in account.reversed_ids]


def _fact(fact: MoneyFact, terms: dict[str, object]) -> MoneyFact:
    """Return a fact whose new plan, if it brings one, has the supposed terms too."""
    if fact.terms is None or not terms:
        return fact
    return msgspec.structs.replace(fact, terms=with_terms(fact.terms, terms))


def with_terms(terms: Terms, changed: dict[str, object]) -> Terms:
    """
    Return terms with some of them otherwise.

    Raises:
        TermsInvalid: a supposed term leaves its range.
    """
    if not changed:
        return terms
    supposed = msgspec.structs.replace(terms, **changed)
    check_terms(supposed)
    return supposed
