"""The gates of a jurisdiction as data, and what came of them: one matter per time of being late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from enum import StrEnum

import msgspec

from services.collections.domain.case import Case, Episode, money_of
from services.collections.domain.contact_rules import ProtectionKind
from shared.kernel.dates import add_months
from shared.kernel.errors import Refused

AGREED = ("APPROVED", "SETTLING", "COMPLETED", "FAILED")


class LegalPolicyNotFound(Refused):
    """The debtor's jurisdiction has no legal policy."""


class Step(StrEnum):
    """The rungs in order; reporting, placement and acceleration stand beside them."""

    DEMAND = "DEMAND"
    MEDIATION = "MEDIATION"
    FILING = "FILING"
    JUDGMENT = "JUDGMENT"
    ENFORCEMENT = "ENFORCEMENT"
    CREDIT_REPORT = "CREDIT_REPORT"
    AGENCY = "AGENCY"
    ACCELERATION_NOTICE = "ACCELERATION_NOTICE"
    ACCELERATION = "ACCELERATION"
    ACCELERATION_WITHDRAWAL = "ACCELERATION_WITHDRAWAL"


class AccelerationRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    When everything may be declared due: how late, for how much, after which letter.

    `arrears_share_least` is of what was lent, a plain decimal; the letter of `template` must say
    `words`, by language, gives `notice_days` to pay, and serves for `notice_holds_days` after them.
    """

    days_late_least: int
    arrears_share_least: str
    template: str
    words: dict[str, str]
    notice_days: int
    notice_holds_days: int


class LegalPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One version of the gates of a jurisdiction.

    `after` names the step before each, `days` how long ago it must be; a step is for a day from
    `days_back_most` before today to `days_ahead_most` after it; `notice_templates` demand payment.
    A demand that says `report_words`, by language, is also the notice before a credit report.
    """

    version: str
    jurisdiction: str
    effective_from: date
    sources: tuple[str, ...]
    after: dict[Step, Step]
    days: dict[Step, int]
    attempts_least: int
    help_templates: tuple[str, ...]
    check_days_most: int
    cost_share_most: str
    limitation_months: int
    enforcement_months: int
    days_back_most: int
    days_ahead_most: int
    notice_templates: tuple[str, ...]
    report_words: dict[str, str]
    protections: tuple[ProtectionKind, ...]
    acceleration: AccelerationRules | None = None


def legal_in_force(rows: Sequence[LegalPolicy], jurisdiction: str, on: date) -> LegalPolicy:
    """
    Return the newest legal policy of a jurisdiction on a date, or the oldest it has.

    Raises:
        LegalPolicyNotFound: it has none: no step may be taken there.
    """
    ours = [row for row in rows if row.jurisdiction == jurisdiction]
    if not ours:
        known = ", ".join(sorted({row.jurisdiction for row in rows}))
        raise LegalPolicyNotFound(
            f"none for {jurisdiction[:20]!r}", field="loan_id", expected=f"a debtor of {known}"
        )
    begun = [row for row in ours if row.effective_from <= on]
    return max(begun or ours, key=lambda row: row.effective_from)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """
    One step, proposed or approved.

    `order_id` is the request that the ledger is told it by, `outcome` how that ended: "DONE" or
    "REFUSED"; empty while it is on its way.
    """

    step: Step
    on: date
    proposed_by: str
    cost_minor: int = 0
    approved_by: str = ""
    order_id: str = ""
    outcome: str = ""
    refusal: str = ""


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """
    How far a loan is on the ladder in one time of being late.

    `notices` are the days on which a demand left the house, in writing, `report_notices` those that
    also spoke of the credit registry, `acceleration_notices` those of letters that said that
    everything would be declared due. `final_due_on` is when the last instalment falls due;
    `acknowledged` are the days on which the debtor promised, paid, or agreed to a plan.
    """

    loan_id: str
    due_on: date
    matter_id: str = ""
    steps: tuple[Taken, ...] = ()
    checked_on: date | None = None
    may_go_on: bool = False
    notices: tuple[date, ...] = ()
    report_notices: tuple[date, ...] = ()
    final_due_on: date | None = None
    acknowledged: tuple[date, ...] = ()
    acceleration_notices: tuple[date, ...] = ()

    def taken(self, step: Step) -> Taken | None:
        """Return the last approved step of a kind."""
        return next((t for t in reversed(self.steps) if t.step is step and t.approved_by), None)

    def done_on(self, step: Step, wanted_by: Step | None = None) -> date | None:
        """Return when a kind of step was last done; a demand when it was sent, or told so much."""
        taken = self.taken(step)
        if taken is None or step is not Step.DEMAND:
            return taken.on if taken else None
        notices = self.report_notices if wanted_by is Step.CREDIT_REPORT else self.notices
        return min((day for day in notices if day >= taken.on), default=None)

    @property
    def ordered(self) -> Taken | None:
        """The step that the ledger is being told."""
        return next((t for t in self.steps if t.order_id and not t.outcome), None)

    @property
    def waiting(self) -> Taken | None:
        """The step that waits for approval."""
        return next((t for t in self.steps if not t.approved_by), None)

    def limitation_on(self, policy: LegalPolicy) -> date:
        """
        Return the last day to sue.

        The period runs from the day on which the last instalment falls due, and anew from every
        demand that was sent, promise, payment, plan agreed to and suit within it.

        Source:
            Civil Code (CN) arts 188 (three years), 189 (instalments), 195 (restarts).
        """
        first = self.final_due_on or self.due_on
        last = add_months(first, policy.limitation_months)
        for day in sorted((*self._demands(), *self.acknowledged, *self._suits())):
            if first <= day <= last:
                last = max(last, add_months(day, policy.limitation_months))
        return last

    def _demands(self) -> Iterable[date]:
        for taken in self.steps:
            if taken.step is Step.DEMAND and taken.approved_by:
                sent = min((day for day in self.notices if day >= taken.on), default=None)
                if sent is not None:
                    yield sent

    def _suits(self) -> Iterable[date]:
        return (t.on for t in self.steps if t.step is Step.FILING and t.approved_by)

    def enforcement_until(self, policy: LegalPolicy) -> date | None:
        """Return the last day to apply for enforcement; None before judgment."""
        judgment = self.taken(Step.JUDGMENT)
        return add_months(judgment.on, policy.enforcement_months) if judgment else None

    def is_of(self, episode: Episode) -> bool:
        """Say whether some of its days lie in a time of being late, whatever number that has."""
        first = self.due_on + timedelta(days=1)
        days = [first, *(taken.on for taken in self.steps)]
        last = max([*days, *([self.checked_on] if self.checked_on else [])])
        ends = episode.closed_on
        return episode.opened_on <= last and (ends is None or first <= ends)


def matter_of(case: Case, matters: Iterable[Matter]) -> Matter | None:
    """
    Return the matter of a case's last time of being late, newest first; None where there is none.

    Each belongs to the first time that it meets: what is heard later of an older time, or of the
    day on which this one began, takes no check, cost or approval away.
    """
    ours = []
    for matter in matters:
        met = next((one for one in case.episodes if matter.is_of(one)), None)
        if met == case.episodes[-1]:
            ours.append(matter)
    return max(ours, key=lambda matter: matter.due_on, default=None)


def acknowledged(case: Case) -> tuple[date, ...]:
    """Return the days on which a debtor owned up to the debt: promised, paid, agreed to a plan."""
    days = set(paid_days(case))
    days |= {promise.made_on for promise in case.promises}
    plan = case.plan
    if plan is not None and plan.effective_on and plan.status in AGREED:
        days.add(plan.effective_on)
    return tuple(sorted(days))


def paid_days(case: Case) -> list[date]:
    """Return the days of which money came that was not taken back, oldest first."""
    paid: Counter[date] = Counter()
    for fact in case.facts:
        if fact.type in ("REPAYMENT_POSTED", "REPAYMENT_REVERSED"):
            paid[fact.effective_on] += money_of(fact)
    return sorted(day for day, minor in paid.items() if minor > 0)
