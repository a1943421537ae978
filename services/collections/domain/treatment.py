"""Treatment as data: which step for whom and when; champion and challenger by a stable hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

import msgspec

from services.collections.domain.case import Case, stage_rank
from services.collections.domain.contact_rules import Channel
from services.collections.domain.promises import PromiseStatus
from shared.kernel.errors import InvalidArgument


class StrategyInvalid(InvalidArgument):
    """The strategy's shares are not 1 in all, or a step names an arm that is not there."""


class Doing(StrEnum):
    """What a step does."""

    MESSAGE = "MESSAGE"
    CALL = "CALL"
    REVIEW = "REVIEW"


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom a step is; what is not stated does not matter. Amounts in minor units."""

    arms: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    arrears_least: int = 0
    arrears_most: int = 10**15
    score_least: int = 0
    vulnerable: bool | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a stage, `after_days` from entering it; `sla_days` are for a person's work."""

    id: str
    stages: tuple[str, ...]
    doing: Doing
    after_days: int = 0
    template: str = ""
    channel: Channel = Channel.EMAIL
    sla_days: int = 2
    when: When = When()


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm of the experiment and its share, a plain decimal fraction."""

    name: str
    share: str


class Strategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One version of how cases are treated.

    `experiment` salts the hash, so that a new experiment deals the arms anew; `stale_days` is how
    old a message's reason may be, then it is asked about anew; `pay_within_days` is what a letter
    gives; a promise is of the last `promise_days_back_most` days, and no part of it is more than
    `promise_days_most` after the one before. `price_minor` is what an attempt costs; the rest are
    the house's numbers for promises and plans.
    """

    version: str
    effective_from: date
    experiment: str
    arms: tuple[Arm, ...]
    steps: tuple[Step, ...]
    reminder_hour: int = 10
    stale_days: int = 7
    promise_tolerance_minor: int = 0
    promise_tolerance_days: int = 0
    promise_days_most: int = 90
    promise_days_back_most: int = 30
    pay_within_days: int = 15
    affordable_share: str = "0.8"
    probation_months: int = 3
    settlement_share_least: str = "0.5"
    jurisdiction_of_currency: dict[str, str] = {}
    price_currency: str = "CNY"
    price_minor: dict[Channel, int] = {}

    def step(self, step_id: str) -> Step | None:
        """Return a step by its id; None where there is none."""
        return next((step for step in self.steps if step.id == step_id), None)


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is due for a case since a day; `name` is the same for ever."""

    name: str
    step: Step
    stage: str
    since_on: date


def checked(strategy: Strategy) -> Strategy:
    """Return a strategy that holds together, or raise StrategyInvalid."""
    names = [arm.name for arm in strategy.arms]
    strangers = [s.id for s in strategy.steps if not set(s.when.arms) <= set(names)]
    ids = [step.id for step in strategy.steps]
    if sum(Fraction(arm.share) for arm in strategy.arms) != 1 or len(set(names)) != len(names):
        raise StrategyInvalid("shares of arms", field="arms", expected="distinct, 1 in all")
    long = [step_id for step_id in ids if not 1 <= len(step_id) <= 16]
    if strangers or long or len(set(ids)) != len(ids):
        raise StrategyInvalid(
            f"steps {strangers + long}", field="steps", expected="known arms, own ids of 1 to 16"
        )
    return strategy


def arm_of(strategy: Strategy, borrower_ref: str) -> str:
    """Deal a borrower to an arm: the same for ever within an experiment, whatever else happens."""
    digest = hashlib.sha256(f"{strategy.experiment}/{borrower_ref}".encode()).digest()
    place, upto = Fraction(int.from_bytes(digest[:8]), 2**64), Fraction(0)
    for arm in strategy.arms:
        upto += Fraction(arm.share)
        if place < upto:
            return arm.name
    return strategy.arms[-1].name


def score(case: Case) -> int:
    """
    Return how urgent a case is, 0 to 100: stage, arrears and broken promises; not a model.

    Source:
        House rule: 8 a stage up to 56, 1 for each 500.00 overdue up to 24, 10 a broken promise.
    """
    if not case.open:
        return 0
    broken = [s for s in case.promise_standings() if s.status is PromiseStatus.BROKEN]
    stage = min(56, 8 * stage_rank(case.episodes[-1].stage))
    return min(100, stage + min(24, case.last.arrears_minor // 50_000) + min(20, 10 * len(broken)))


def steps_due(strategy: Strategy, case: Case, on: date, *, vulnerable: bool) -> list[Due]:
    """
    Return the steps of a case's present stage that are due on a day, in the strategy's order.

    While a promise is open or a plan waits for its answer, nobody is reminded.

    Args:
        strategy: The version in force.
        case: The case; a closed one has none.
        on: The day.
        vulnerable: Whether the debtor is known to be.
    """
    if not case.open or not case.episodes[-1].stages:
        return []
    episode = case.episodes[-1]
    stage, entered_on = episode.stages[-1]
    found = []
    for step in strategy.steps:
        if step.doing is Doing.MESSAGE and has_word(case):
            continue
        since = entered_on + timedelta(days=step.after_days)
        if (
            stage in step.stages
            and since <= on
            and concerns(step.when, case, vulnerable=vulnerable)
        ):
            name = f"{case.loan_id}.{episode.opened_on}.{stage}.{step.id}"
            found.append(Due(name=name, step=step, stage=stage, since_on=since))
    return found


def has_word(case: Case) -> bool:
    """Say whether a promise is open, or a plan waits for its answer."""
    promised = any(one.status is PromiseStatus.OPEN for one in case.promise_standings())
    return promised or (case.plan is not None and case.plan.waits)


def concerns(when: When, case: Case, *, vulnerable: bool) -> bool:
    """Say whether a step is for a case as it stands."""
    return (
        (not when.arms or case.arm in when.arms)
        and (not when.kinds or bool(set(when.kinds) & set(case.last.kinds)))
        and when.arrears_least <= case.last.arrears_minor <= when.arrears_most
        and score(case) >= when.score_least
        and (when.vulnerable is None or when.vulnerable is vulnerable)
    )


def strategy_in_force(rows: Sequence[Strategy], on: date) -> Strategy:
    """Return the newest strategy in force on a date; the oldest before any is."""
    begun = [row for row in rows if row.effective_from <= on]
    if not begun:
        return min(rows, key=lambda row: row.effective_from)
    return max(begun, key=lambda row: row.effective_from)
