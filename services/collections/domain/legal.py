"""The legal ladder: what must have been tried, by when, for how much, and with whose word."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

import msgspec

from services.collections.domain.case import Case
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Debtor
from services.collections.domain.hardship import ApproverIsProposer
from shared.kernel.dates import add_months
from shared.kernel.errors import NotFound, Refused


class LegalStepNotFound(NotFound):
    """No legal step waits for approval."""


class LegalStepAlreadyOpen(Refused):
    """A legal step waits for approval."""


class LegalStepOutOfOrder(Refused):
    """The step before it was not taken, or not long enough ago."""


class LegalNotTried(Refused):
    """Contact and help come before the law: too little of either was tried."""


class LegalTooSmall(Refused):
    """What is overdue does not bear the cost."""


class LegalTooLate(Refused):
    """The limitation period has passed."""


class LegalPersonNotChecked(Refused):
    """Nobody looked at hardship, vulnerability and disaster lately, or said that it may go on."""


class LegalPersonProtected(Refused):
    """The debtor is protected from legal steps now."""


class Step(StrEnum):
    """The rungs in order; reporting and placement stand beside them."""

    DEMAND = "DEMAND"
    MEDIATION = "MEDIATION"
    FILING = "FILING"
    JUDGMENT = "JUDGMENT"
    ENFORCEMENT = "ENFORCEMENT"
    CREDIT_REPORT = "CREDIT_REPORT"
    AGENCY = "AGENCY"


class LegalPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the gates; `after` names the step before each, `days` how long ago."""

    version: str
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
    protections: tuple[ProtectionKind, ...]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One step, proposed or approved."""

    step: Step
    on: date
    proposed_by: str
    cost_minor: int = 0
    approved_by: str = ""


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """How far a loan is on the ladder."""

    loan_id: str
    due_on: date
    steps: tuple[Taken, ...] = ()
    checked_on: date | None = None
    may_go_on: bool = False

    def taken(self, step: Step) -> Taken | None:
        """Return the last approved step of a kind."""
        return next((t for t in reversed(self.steps) if t.step is step and t.approved_by), None)

    @property
    def waiting(self) -> Taken | None:
        """The step that waits for approval."""
        return next((t for t in self.steps if not t.approved_by), None)

    def limitation_on(self, policy: LegalPolicy) -> date:
        """Return the last day to sue; a demand starts the period anew."""
        demand = self.taken(Step.DEMAND)
        return add_months(demand.on if demand else self.due_on, policy.limitation_months)

    def enforcement_until(self, policy: LegalPolicy) -> date | None:
        """Return the last day to apply for enforcement; None before judgment."""
        judgment = self.taken(Step.JUDGMENT)
        return add_months(judgment.on, policy.enforcement_months) if judgment else None


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried before: attempts and messages, and whether help was offered."""

    attempts: int
    help_offered: bool


def proposed(
    matter: Matter, taken: Taken, policy: LegalPolicy, case: Case, debtor: Debtor, tried: Tried
) -> Matter:
    """Propose a step through every gate; raise what stands in the way."""
    if matter.waiting is not None:
        raise LegalStepAlreadyOpen(f"{matter.waiting.step} waits", field="step")
    check_gates(matter, taken, policy, case, debtor, tried)
    return msgspec.structs.replace(matter, steps=(*matter.steps, taken))


def approved(
    matter: Matter, by: str, policy: LegalPolicy, case: Case, debtor: Debtor, tried: Tried
) -> Matter:
    """Approve the step that waits, by another person, through every gate again."""
    waiting = matter.waiting
    if waiting is None:
        raise LegalStepNotFound("no step waits for approval", field="loan_id")
    if waiting.proposed_by == by:
        raise ApproverIsProposer("another person approves", field="approved_by")
    check_gates(matter, waiting, policy, case, debtor, tried)
    done = msgspec.structs.replace(waiting, approved_by=by)
    return msgspec.structs.replace(matter, steps=(*matter.steps[:-1], done))


def check_gates(
    matter: Matter, taken: Taken, policy: LegalPolicy, case: Case, debtor: Debtor, tried: Tried
) -> None:
    """
    Let a step pass, or say what stands in the way.

    Raises:
        LegalPersonProtected, LegalPersonNotChecked, LegalNotTried, LegalStepOutOfOrder,
        LegalTooLate, LegalTooSmall: in this order.
    """
    shields = [kind for kind in policy.protections if debtor.protected_by(kind, taken.on)]
    if shields:
        raise LegalPersonProtected(", ".join(shields).lower(), field="loan_id")
    oldest = taken.on - timedelta(days=policy.check_days_most)
    if matter.checked_on is None or matter.checked_on < oldest or not matter.may_go_on:
        raise LegalPersonNotChecked("not checked", field="loan_id", expected=f"since {oldest}")
    if tried.attempts < policy.attempts_least or not tried.help_offered:
        raise LegalNotTried(
            f"{tried.attempts} attempts, help offered: {'yes' if tried.help_offered else 'no'}",
            field="loan_id",
            expected=f"{policy.attempts_least} attempts and an offer of help",
        )
    _check_order(matter, taken, policy)
    _check_dates(matter, taken, policy)
    if taken.cost_minor > Fraction(policy.cost_share_most) * case.last.arrears_minor:
        raise LegalTooSmall(
            f"{taken.cost_minor} for {case.last.arrears_minor}",
            field="cost",
            expected=f"at most {policy.cost_share_most} of what is overdue",
        )


def _check_order(matter: Matter, taken: Taken, policy: LegalPolicy) -> None:
    before = policy.after.get(taken.step)
    if before is None:
        return
    last, days = matter.taken(before), policy.days.get(taken.step, 0)
    if last is None or taken.on < last.on + timedelta(days=days):
        raise LegalStepOutOfOrder(
            f"{taken.step} too early", field="step", expected=f"{days} days after {before}"
        )


def _check_dates(matter: Matter, taken: Taken, policy: LegalPolicy) -> None:
    limits = {
        Step.FILING: matter.limitation_on(policy),
        Step.ENFORCEMENT: matter.enforcement_until(policy),
    }
    last = limits.get(taken.step)
    if last is not None and taken.on > last:
        raise LegalTooLate(f"{taken.on} is after {last}", field="on", expected=f"until {last}")
