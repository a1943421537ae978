"""The legal ladder: what must have been tried, by when, for how much, and with whose word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import msgspec

from services.collections.domain import acceleration
from services.collections.domain.acceleration import OF_THE_LEDGER, Owing
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import ProtectionKind, Shield
from services.collections.domain.debtor import Debtor
from services.collections.domain.hardship import ApproverIsProposer, same_person
from services.collections.domain.matter import LegalPolicy, Matter, Step, Taken
from shared.kernel.errors import InvalidArgument, NotFound, Refused


class LegalStepNotFound(NotFound):
    """No legal step waits for approval."""


class LegalStepAlreadyOpen(Refused):
    """A legal step waits for approval."""


class LegalDateTooFar(InvalidArgument):
    """The day of a legal step is too far from today."""


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


class LegalSettlementAgreed(Refused):
    """A settlement was agreed, and its last day has not gone by."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried before: attempts and messages, and whether help was offered."""

    attempts: int
    help_offered: bool


class Grounds(NamedTuple):
    """
    By what a step is judged.

    `shields` are the contact rules' of the debtor's jurisdiction, `owing` is what the ledger says.
    """

    policy: LegalPolicy
    case: Case
    debtor: Debtor
    tried: Tried
    today: date
    shields: tuple[Shield, ...] = ()
    owing: Owing = Owing(None)


def proposed(matter: Matter, taken: Taken, grounds: Grounds) -> Matter:
    """Propose a step for a day about today through every gate; raise what stands in the way."""
    if matter.waiting is not None:
        raise LegalStepAlreadyOpen(f"{matter.waiting.step} waits", field="step")
    if matter.ordered is not None:
        said = f"the ledger is being told of {matter.ordered.step}"
        raise LegalStepAlreadyOpen(said, field="step")
    policy, today = grounds.policy, grounds.today
    # A judgment is a court's deed, of the court's day, however late its news.
    court = taken.step is Step.JUDGMENT
    first = date.min if court else today - timedelta(days=policy.days_back_most)
    ahead = 0 if court or taken.step in OF_THE_LEDGER else policy.days_ahead_most
    last = today + timedelta(days=ahead)
    if not first <= taken.on <= last:
        raise LegalDateTooFar(f"{taken.on}", field="on", expected=f"{first} to {last}")
    check_gates(matter, taken, grounds)
    return msgspec.structs.replace(matter, steps=(*matter.steps, taken))


def approved(matter: Matter, by: str, grounds: Grounds) -> Matter:
    """Approve the step that waits, by another person, through every gate as they are today."""
    waiting = _waiting(matter)
    if same_person(waiting.proposed_by, by):
        raise ApproverIsProposer("another person approves", field="approved_by")
    on = waiting.on if waiting.step is Step.JUDGMENT else max(waiting.on, grounds.today)
    done = msgspec.structs.replace(waiting, on=on, approved_by=by)
    check_gates(matter, done, grounds)
    return msgspec.structs.replace(matter, steps=(*matter.steps[:-1], done))


def withdrawn(matter: Matter) -> Matter:
    """Take back the step that waits; raise LegalStepNotFound."""
    waiting = _waiting(matter)
    return msgspec.structs.replace(matter, steps=tuple(t for t in matter.steps if t != waiting))


def _waiting(matter: Matter) -> Taken:
    if matter.waiting is None:
        raise LegalStepNotFound("no step waits for approval", field="loan_id")
    return matter.waiting


def check_gates(matter: Matter, taken: Taken, grounds: Grounds) -> None:
    """
    Let a step pass, or say what stands in the way, on its day or today, whichever is later.

    A judgment is not our step: it only follows its filing. What is taken back harms nobody.

    Raises:
        LegalPersonProtected, LegalSettlementAgreed, LegalPersonNotChecked, LegalNotTried,
        LegalStepOutOfOrder, LegalTooLate, LegalTooSmall: in this order; then what
        `acceleration.check` raises.
    """
    policy, case, debtor, tried, today, shields, owing = grounds
    if taken.step is Step.JUDGMENT:
        return _check_order(matter, taken, policy)
    if taken.step is Step.ACCELERATION_WITHDRAWAL:
        return acceleration.require_accelerated(case)
    on = max(taken.on, today)
    require_free(debtor, policy.protections, on, shields)
    require_no_settlement(case, on)
    oldest = on - timedelta(days=policy.check_days_most)
    known = matter.checked_on is not None and oldest <= matter.checked_on <= on
    if not known or not matter.may_go_on:
        raise LegalPersonNotChecked("not checked", field="loan_id", expected=f"since {oldest}")
    if tried.attempts < policy.attempts_least or not tried.help_offered:
        raise LegalNotTried(
            f"{tried.attempts} attempts, help offered: {'yes' if tried.help_offered else 'no'}",
            field="loan_id",
            expected=f"{policy.attempts_least} attempts and an offer of help",
        )
    _check_order(matter, taken, policy)
    _check_dates(matter, taken, on, policy)
    if taken.cost_minor > Fraction(policy.cost_share_most) * case.last.arrears_minor:
        raise LegalTooSmall(
            f"{taken.cost_minor} for {case.last.arrears_minor}",
            field="cost",
            expected=f"at most {policy.cost_share_most} of what is overdue",
        )
    if taken.step in acceleration.STEPS:
        acceleration.check(matter, taken, policy, case, owing, on)


def require_free(
    debtor: Debtor, kinds: Sequence[ProtectionKind], on: date, shields: Sequence[Shield]
) -> None:
    """Raise LegalPersonProtected when a protection of these kinds shields a debtor on a day."""
    shielded = [kind for kind in kinds if debtor.shielded_on(kind, on, shields)]
    if shielded:
        raise LegalPersonProtected(", ".join(shielded).lower(), field="loan_id")


def require_no_settlement(case: Case, on: date) -> None:
    """Raise LegalSettlementAgreed while an agreed settlement may still be met on a day."""
    plan = case.plan
    if plan is None or not (plan.is_agreed or plan.status == "SETTLING"):
        return
    if on <= plan.first_due_on:
        until = f"until {plan.first_due_on}"
        raise LegalSettlementAgreed(until, field="loan_id", expected="after that day")


def _check_order(matter: Matter, taken: Taken, policy: LegalPolicy) -> None:
    before = policy.after.get(taken.step)
    if before is None:
        return
    last, days = matter.done_on(before, taken.step), policy.days.get(taken.step, 0)
    if last is None or taken.on < last + timedelta(days=days):
        raise LegalStepOutOfOrder(
            f"{taken.step} too early", field="step", expected=f"{days} days after {before}"
        )


def _check_dates(matter: Matter, taken: Taken, on: date, policy: LegalPolicy) -> None:
    limits = dict.fromkeys((Step.DEMAND, Step.MEDIATION, Step.FILING), matter.limitation_on(policy))
    until = matter.enforcement_until(policy)
    last = until if taken.step is Step.ENFORCEMENT else limits.get(taken.step)
    if last is not None and on > last:
        raise LegalTooLate(f"{on} is after {last}", field="on", expected=f"until {last}")
