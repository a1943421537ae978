"""What a published event says of why a loan is that late, of charges and of where money went."""

from __future__ import annotations

from datetime import date

from lending.ledger.v1 import events_pb2, loan_pb2
from msgspec import UNSET

from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import Transition
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.reasons import OwedInstalment
from services.ledger.domain.timeline import Allocation


def say_why(
    body: events_pb2.DelinquencyEvent,
    event: ev.TransitionRecorded,
    transition: Transition,
    account: LoanAccount,
) -> None:
    """
    Add arrears by component, the reason chain and the direction to a message.

    A change that was stored without its reasons is told as it was told then: the same bytes.
    """
    if event.owed is UNSET:
        return
    overdue = [item for item in event.owed if item.due_on < event.effective_on]
    body.arrears.CopyFrom(_sum(overdue))
    chain = body.reason_chain
    chain.instalments.extend(_owed(item, event) for item in event.owed)
    chain.delinquency_policy = event.delinquency_policy
    chain.request_id = event.request_id
    if event.cause is not UNSET:
        chain.cause_log_version, chain.cause = event.cause
    policy = _policy(account, event.effective_on)
    if scheme := next((one for one in policy.schemes if one.name == transition.scheme), None):
        before, after = transition.bucket_from, transition.bucket_to
        if policy.better(scheme.name, before, after):
            body.direction = events_pb2.DIRECTION_BETTER
        elif policy.better(scheme.name, after, before):
            body.direction = events_pb2.DIRECTION_WORSE
        first_day = scheme.first_day(after)
        chain.bucket_from_days = first_day + policy.uncounted_days if first_day > 0 else 0


def say_what(body: events_pb2.DelinquencyEvent, event: ev.Fact, account: LoanAccount) -> None:
    """Add to a message which charge it is about, which policies, where its money went."""
    if isinstance(event, ev.ChargeApplied):
        body.charge_id = event.request_id
        body.component = loan_pb2.Component.Value(f"COMPONENT_{event.component}")
        body.due_on = event.due_on.isoformat() if event.due_on else ""
    elif isinstance(event, ev.ChargeWaived) and event.component is not UNSET:
        body.charge_id = event.charge_id
        body.component = loan_pb2.Component.Value(f"COMPONENT_{event.component}")
    elif isinstance(event, ev.DelinquencyPolicyChanged):
        body.delinquency_policy = event.policy.policy
        body.delinquency_policy_before = event.before
    elif isinstance(event, ev.LoanAccelerated):
        _say_accelerated(body, event, account)
    elif isinstance(event, ev.AccelerationWithdrawn):
        body.acceleration.acceleration_id = event.acceleration_id
    elif isinstance(event, ev.RepaymentPosted | ev.RecoveryPosted) and event.told is True:
        body.repayment_id = event.repayment_id
        body.allocations.extend(allocation_message(slot) for slot in event.allocations)
    elif isinstance(event, ev.RepaymentReversed) and event.taken_back is not UNSET:
        body.repayment_id = event.repayment_id
        body.taken_back.extend(allocation_message(slot) for slot in event.taken_back)


def _say_accelerated(
    body: events_pb2.DelinquencyEvent, event: ev.LoanAccelerated, account: LoanAccount
) -> None:
    """Add what fell due early, on which ground, and what was overdue before."""
    said = body.acceleration
    said.acceleration_id, said.instalment = event.request_id, event.instalment
    said.ground = loan_pb2.AccelerationGround.Value(f"ACCELERATION_GROUND_{event.ground}")
    said.notified_on = event.notified_on.isoformat()
    said.fell_due.principal_minor = event.principal_minor
    said.fell_due.interest_minor = event.interest_minor
    body.arrears.CopyFrom(_sum([one for one in event.owed if one.due_on < event.effective_on]))
    chain = body.reason_chain
    chain.instalments.extend(_owed(item, event) for item in event.owed)
    chain.delinquency_policy = _policy(account, event.effective_on).policy
    chain.cause, chain.cause_log_version = type(event).__name__, body.log_version
    chain.request_id = event.request_id


def _policy(account: LoanAccount, on: date) -> DelinquencyPolicy:
    """Return the policy that classified a loan on a date."""
    changed = (fact.policy for fact in reversed(account.counting) if fact.effective_on <= on)
    return next((one for one in changed if one is not None), account.terms.delinquency)


def allocation_message(slot: Allocation) -> loan_pb2.Allocation:
    """Return one slot that money went to as its message."""
    return loan_pb2.Allocation(
        instalment=slot.instalment,
        component=loan_pb2.Component.Value(f"COMPONENT_{slot.component}"),
        amount_minor=slot.amount_minor,
    )


def _owed(item: OwedInstalment, event: ev.Fact) -> events_pb2.OwedInstalment:
    return events_pb2.OwedInstalment(
        number=item.number,
        due_on=item.due_on.isoformat(),
        unpaid=_sum([item]),
        days_past_due=max(0, (event.effective_on - item.due_on).days),
    )


def _sum(items: list[OwedInstalment]) -> events_pb2.Arrears:
    return events_pb2.Arrears(
        principal_minor=sum(item.principal_minor for item in items),
        interest_minor=sum(item.interest_minor for item in items),
        penalty_minor=sum(item.penalty_minor for item in items),
        fee_minor=sum(item.fee_minor for item in items),
        cost_minor=sum(item.cost_minor for item in items),
    )
