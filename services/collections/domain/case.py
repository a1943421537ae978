"""A case is what the delinquency events of one loan say, in whatever order they were heard."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import lru_cache

import msgspec

from services.collections.domain.currency import same_currency
from services.collections.domain.hardship import Plan
from services.collections.domain.heard import Fact, Heard
from services.collections.domain.promises import Money, Promise, PromiseStatus, Standing, standings
from shared.kernel.errors import NotFound, Refused


class CaseNotFound(NotFound):
    """The loan has never had a case."""


class CaseIsClosed(Refused):
    """The case is closed: nothing is overdue."""


class Ending(StrEnum):
    """How an episode of being late ended."""

    CURED = "CURED"
    RESTRUCTURED = "RESTRUCTURED"
    SETTLED = "SETTLED"
    RESTATED = "RESTATED"


class Episode(msgspec.Struct, frozen=True):
    """One stretch of being late: when it began, which stages it went through, how it ended."""

    opened_on: date
    stages: tuple[tuple[str, date], ...] = ()
    closed_on: date | None = None
    ending: Ending | None = None
    charged_off: bool = False

    @property
    def stage(self) -> str:
        """The worst stage so far; empty when all that was said of it no longer holds."""
        return self.stages[-1][0] if self.stages else ""

    @property
    def is_open(self) -> bool:
        """Whether the loan is still late, or charged off."""
        return self.closed_on is None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """The case of one loan: its facts, and what people agreed; all else follows from them."""

    loan_id: str
    borrower_ref: str
    currency: str = "CNY"
    arm: str = ""
    facts: tuple[Fact, ...] = ()
    promises: tuple[Promise, ...] = ()
    plan: Plan | None = None
    seen_on: date | None = None

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Every stretch of being late, oldest first."""
        return _episodes(self.facts)

    @property
    def open(self) -> bool:
        """Whether it is worked on."""
        found = self.episodes
        return bool(found) and found[-1].is_open

    @property
    def last(self) -> Fact:
        """The newest fact."""
        return self.facts[-1]

    @property
    def acceleration(self) -> Fact | None:
        """By what everything is due; None: nothing declared so, or taken back, or a new plan."""
        last = next((one for one in reversed(self.facts) if one.type in _DUE_OR_NOT), None)
        return last if last is not None and last.accelerated is not None else None

    def promise_standings(self) -> tuple[Standing, ...]:
        """How each promise stands, in the order in which they were made."""
        money = [
            Money(fact.effective_on, money_of(fact)) for fact in self.facts if fact.type in _PAID
        ]
        days = [fact.effective_on for fact in self.facts]
        seen = max([*days, *([self.seen_on] if self.seen_on else [])], default=None)
        free = [one.closed_on for one in self.episodes if one.closed_on is not None]
        return standings(self.promises, money, seen, free)


_STAGES = ("GRACE", "M1", "M2", "M3", "M4", "M5", "M6", "M7")
_ECHOES = ("TIMELINE_RESTATED", "REPAYMENT_POSTED", "REPAYMENT_REVERSED", "RECOVERY_POSTED")
"""They repeat how late the loan was before; what they changed follows in another event."""

_DUE_OR_NOT = ("ACCELERATED", "ACCELERATION_WITHDRAWN", "RESTRUCTURED", "SETTLED")

_PAID = {"REPAYMENT_POSTED": 1, "RECOVERY_POSTED": 1, "REPAYMENT_REVERSED": -1}


def money_of(fact: Fact) -> int:
    """Return the money that a fact brought, below zero when it was taken back; minor units."""
    return _PAID.get(fact.type, 0) * fact.amount_minor


def stage_of(heard: Heard) -> str:
    """Return the stage of treatment: grace while minor, else the bucket; empty when not late."""
    if heard.days_past_due == 0:
        return ""
    return "GRACE" if heard.minor else heard.bucket


def stage_rank(stage: str) -> int:
    """Return how bad a stage is: 0 when not late, 1 in grace, 2 in M1 and so on."""
    return _STAGES.index(stage) + 1 if stage else 0


def follow(case: Case | None, heard: Heard) -> tuple[Case | None, list[str]]:
    """
    Let a case hear one event.

    Args:
        case: The case so far; None when the loan never had one.
        heard: The event; one that was heard before changes nothing, an older one finds its place.
    Returns:
        The case after it, and what happened, see `changes_between`.
    """
    if case is None and heard.days_past_due == 0:
        return None, []
    if case is not None and any(fact.sequence == heard.sequence for fact in case.facts):
        return case, []
    before = case or Case(
        loan_id=heard.loan_id, borrower_ref=heard.borrower_ref, currency=heard.currency
    )
    fact = Fact(
        heard.sequence,
        heard.type,
        heard.effective_on,
        heard.days_past_due,
        stage_of(heard),
        heard.arrears_minor,
        heard.amount_minor,
        heard.kinds,
        heard.log_version,
        heard.superseded,
        heard.accelerated,
    )
    facts = tuple(sorted((*before.facts, fact), key=lambda one: one.sequence))
    after = msgspec.structs.replace(before, facts=facts)
    return after, changes_between(before, after)


def changes_between(before: Case, after: Case) -> list[str]:
    """
    Name what is new in a case.

    Returns:
        In this order: case_opened, promise_kept, promise_part_kept, promise_broken, promise_void,
        stage_entered, history_restated, case_charged_off, loan_accelerated, acceleration_withdrawn,
        case_closed.
    """
    old, new = before.episodes, after.episodes
    happened = []
    if after.open and (not before.open or len(new) > len(old)):
        happened.append("case_opened")
    happened += _promise_changes(before, after)
    was = old[-1] if old else None
    now = new[-1] if new else None
    entered = was.stages if was is not None and was.is_open else ()
    if now is not None and now.is_open and now.stages and now.stages[-1] not in entered:
        happened.append("stage_entered")
    known = {fact.sequence for fact in before.facts}
    if any(f.type == "TIMELINE_RESTATED" and f.sequence not in known for f in after.facts):
        happened.append("history_restated")
    if now is not None and now.charged_off and not (was is not None and was.charged_off):
        happened.append("case_charged_off")
    if after.acceleration is not None and before.acceleration is None:
        happened.append("loan_accelerated")
    if before.acceleration is not None and after.acceleration is None and after.open:
        happened.append("acceleration_withdrawn")
    if before.open and not after.open:
        happened.append("case_closed")
    return happened


def _promise_changes(before: Case, after: Case) -> list[str]:
    old = {s.promise_id: s.status for s in before.promise_standings()}
    return [
        f"promise_{new.status.lower()}"
        for new in after.promise_standings()
        if new.status is not PromiseStatus.OPEN and old.get(new.promise_id) is not new.status
    ]


@lru_cache(maxsize=4096)
def _episodes(facts: tuple[Fact, ...]) -> tuple[Episode, ...]:
    """
    Fold facts, oldest first, into episodes.

    What a restated timeline supersedes entered no stage; that the case was open stays true.
    """
    gone = {version for fact in facts for version in fact.superseded}
    done: list[Episode] = []
    episode: Episode | None = None
    for place, fact in enumerate(facts):
        late = fact.days_past_due > 0
        if episode is None and late:
            episode = Episode(fact.effective_on)
        if episode is None:
            if fact.type == "SETTLED" and done and done[-1].closed_on == fact.effective_on:
                # The ledger says first that nothing is overdue any more, then that all is paid.
                done[-1] = msgspec.structs.replace(done[-1], ending=Ending.SETTLED)
            continue
        off = episode.charged_off or fact.type == "CHARGED_OFF"
        stages = episode.stages
        holds = fact.type not in _ECHOES and fact.log_version not in gone
        if late and holds and stage_rank(fact.stage) > stage_rank(episode.stage):
            stages = (*stages, (fact.stage, fact.effective_on))
        episode = msgspec.structs.replace(episode, stages=stages, charged_off=off)
        if fact.type == "SETTLED" or not (late or off):
            ending = _ending(fact, facts[place - 1] if place else None)
            episode = msgspec.structs.replace(episode, closed_on=fact.effective_on, ending=ending)
            done.append(episode)
            episode = None
    return (*done, episode) if episode else tuple(done)


def _ending(fact: Fact, before: Fact | None) -> Ending:
    if fact.type == "SETTLED":
        return Ending.SETTLED
    causes = {fact.type, before.type if before else ""}
    if "RESTRUCTURED" in causes:
        return Ending.RESTRUCTURED
    return Ending.RESTATED if "TIMELINE_RESTATED" in causes else Ending.CURED


def case_on(case: Case, day: date) -> Case:
    """Return a case as it was on a day; as it is where it has not been late by then."""
    facts = tuple(fact for fact in case.facts if fact.effective_on <= day)
    before = msgspec.structs.replace(case, facts=facts)
    return before if before.episodes else case


def see_date(case: Case, on: date) -> tuple[Case, list[str]]:
    """Let a case know how far the book has come; a promise whose date went by may be broken."""
    if case.seen_on is not None and case.seen_on >= on:
        return case, []
    after = msgspec.structs.replace(case, seen_on=on)
    return after, _promise_changes(case, after)


def with_promise(case: Case, promise: Promise, currency: str) -> Case:
    """Add a promise; raise AmountCurrencyDiffers."""
    same_currency(currency or case.currency, case.currency, "amount")
    return msgspec.structs.replace(case, promises=(*case.promises, promise))


def require_open(case: Case | None, loan_id: str) -> Case:
    """Return an open case; raise CaseNotFound or CaseIsClosed."""
    if case is None:
        raise CaseNotFound(f"loan {loan_id} has no case", field="loan_id")
    if not case.open:
        raise CaseIsClosed(f"the case of loan {loan_id} is closed", field="loan_id")
    return case
