"""Delinquency events into what a case hears; cases into messages."""

from __future__ import annotations

from datetime import date

from lending.collections.v1 import collections_service_pb2 as pb
from lending.ledger.v1 import events_pb2

from services.collections.domain.case import Case, Heard, Plan, Promise
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.kernel.money import plain_decimal
from shared.runtime.requests import a_number, a_text, an_amount, an_id


class DateOutOfOrder(InvalidArgument):
    """The date lies before one that it must follow."""


def heard(event: events_pb2.DelinquencyEvent) -> Heard:
    """Read a delinquency event."""
    late = event.delinquency
    name = events_pb2.DelinquencyEventType.Name(event.type)
    return Heard(
        loan_id=event.loan_id,
        borrower_ref=event.borrower_ref,
        sequence=event.sequence,
        type=name.removeprefix("DELINQUENCY_EVENT_TYPE_"),
        effective_on=date.fromisoformat(event.effective_on),
        days_past_due=late.days_past_due,
        minor=late.minor,
        bucket=dict(late.buckets).get("m", ""),
        arrears_minor=late.principal_overdue_minor + late.interest_overdue_minor,
        amount_minor=event.amount_minor,
    )


def promise(request: pb.RecordPromiseRequest) -> Promise:
    """Read a promise."""
    made_on = parse_date(request.made_on, field="made_on")
    due_on = parse_date(request.due_on, field="due_on")
    if due_on < made_on:
        raise DateOutOfOrder("due before made", field="due_on", expected=f"from {made_on}")
    return Promise(
        promise_id=an_id(request.request_id, "request_id"),
        amount_minor=an_amount(request.amount, "amount"),
        made_on=made_on,
        due_on=due_on,
        known_on=made_on,
    )


def plan(request: pb.ProposeHardshipPlanRequest, number: int) -> Plan:
    """Read a proposed plan."""
    plain_decimal(request.rate_annual, field="rate_annual")
    return Plan(
        status="PROPOSED",
        instalments=a_number(request.instalments, "instalments", 1, 480),
        first_due_on=parse_date(request.first_due_on, field="first_due_on"),
        rate_annual=request.rate_annual,
        reason=a_text(request.reason, "reason"),
        proposed_by=a_text(request.proposed_by, "proposed_by"),
        number=number,
    )


def case_message(case: Case) -> pb.Case:
    """Return a case as its message."""
    message = pb.Case(
        loan_id=case.loan_id,
        borrower_ref=case.borrower_ref,
        status=pb.CASE_STATUS_OPEN if case.open else pb.CASE_STATUS_CLOSED,
        stage=case.stage,
        opened_on=case.opened_on.isoformat(),
        days_past_due=case.days_past_due,
        arrears_minor=case.arrears_minor,
        language=case.language,
        last_sequence=case.last_sequence,
    )
    for one in case.reminders:
        message.reminders.add(
            stage=one.stage, sent_on=one.sent_on.isoformat(), language=one.language
        )
    for contact in case.contacts:
        message.contacts.add(
            at=contact.at.isoformat(), channel=contact.channel, outcome=contact.outcome
        )
    for given in case.promises:
        message.promises.add(
            promise_id=given.promise_id,
            amount_minor=given.amount_minor,
            due_on=given.due_on.isoformat(),
            status=pb.PromiseStatus.Value(f"PROMISE_STATUS_{given.status}"),
            paid_minor=given.paid_minor,
        )
    if case.plan is not None:
        message.plan.CopyFrom(_plan_message(case.plan))
    return message


def _plan_message(given: Plan) -> pb.HardshipPlan:
    return pb.HardshipPlan(
        status=pb.PlanStatus.Value(f"PLAN_STATUS_{given.status}"),
        instalments=given.instalments,
        first_due_on=given.first_due_on.isoformat(),
        rate_annual=given.rate_annual,
        reason=given.reason,
        proposed_by=given.proposed_by,
        approved_by=given.approved_by,
        effective_on=given.effective_on.isoformat() if given.effective_on else "",
    )
