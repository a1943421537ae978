"""Delinquency events into what a case hears, requests into promises and plans, cases out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import events_pb2 as told_pb
from lending.ledger.v1 import events_pb2

from services.collections.domain.case import Episode
from services.collections.domain.debtor import Attempt
from services.collections.domain.hardship import (
    Budget,
    Circumstance,
    IncomeNotStated,
    Measure,
    Plan,
)
from services.collections.domain.heard import Accelerated, Fact, Heard
from services.collections.domain.message import Message, MessageState
from services.collections.domain.promises import Part, Promise, a_promise
from services.collections.domain.treatment import Strategy, score
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.kernel.money import AMOUNT_MINOR_MAX, plain_decimal
from shared.runtime.requests import a_number, a_text, an_amount, an_id

if TYPE_CHECKING:
    from services.collections.application.desk import View

PARTS_MAX = 36
SENT = (MessageState.SENT, MessageState.DELIVERED, MessageState.BOUNCED)


class DateOutOfOrder(InvalidArgument):
    """The date lies before one that it must follow."""


def heard(event: events_pb2.DelinquencyEvent) -> Heard:
    """Read a delinquency event."""
    late = event.delinquency
    name = events_pb2.DelinquencyEventType.Name(event.type)
    kinds = ("partial", "full", "continuous", "minor", "major")
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
        currency=event.currency,
        kinds=tuple(kind.upper() for kind in kinds if getattr(late, kind)),
        log_version=event.log_version,
        superseded=tuple(event.restated.superseded_log_versions),
        accelerated=_accelerated(event),
    )


def _accelerated(event: events_pb2.DelinquencyEvent) -> Accelerated | None:
    if event.type != events_pb2.DELINQUENCY_EVENT_TYPE_ACCELERATED:
        return None
    told, due = event.acceleration.notified_on, event.acceleration.fell_due
    on = date.fromisoformat(told) if told else None
    return Accelerated(on, due.principal_minor, due.interest_minor)


def promise(request: pb.RecordPromiseRequest, strategy: Strategy) -> Promise:
    """Read a promise; tolerance and bounds are the strategy's."""
    made_on = parse_date(request.made_on, field="made_on")
    if request.parts:
        parts = _parts(request.parts)
    else:
        due_on = parse_date(request.due_on, field="due_on")
        if due_on < made_on:
            raise DateOutOfOrder("due before made", field="due_on", expected=f"from {made_on}")
        parts = (Part(due_on, an_amount(request.amount, "amount")),)
    return a_promise(
        Promise(
            promise_id=an_id(request.request_id, "request_id"),
            made_on=made_on,
            parts=parts,
            tolerance_minor=min(
                strategy.promise_tolerance_minor, min(part.amount_minor for part in parts) - 1
            ),
            tolerance_days=strategy.promise_tolerance_days,
            taken_by=request.taken_by[:64].strip(),
        ),
        strategy.promise_days_most,
    )


def _parts(given: Sequence[pb.PromisePart]) -> tuple[Part, ...]:
    a_number(len(given), "parts", 1, PARTS_MAX)
    return tuple(
        Part(
            parse_date(part.due_on, field="parts.due_on"),
            a_number(part.amount_minor, "parts.amount_minor", 1, AMOUNT_MINOR_MAX),
        )
        for part in given
    )


def budget(given: pb.Budget, *, stated: bool) -> Budget | None:
    """Read a budget; None when it was not stated."""
    if not stated:
        return None
    if given.income_minor <= 0:
        raise IncomeNotStated("income is not stated", field="budget.income_minor")
    amounts = (given.income_minor, given.expenses_minor, given.other_debt_minor)
    for amount in amounts:
        a_number(amount, "budget", 0, AMOUNT_MINOR_MAX)
    return Budget(income_minor=amounts[0], expenses_minor=amounts[1], other_debt_minor=amounts[2])


def plan(request: pb.ProposeHardshipPlanRequest) -> Plan:
    """Read a proposed plan."""
    measure = pb.Measure.Name(request.measure).removeprefix("MEASURE_")
    is_settlement = measure == "SETTLEMENT"
    if not is_settlement:
        plain_decimal(request.rate_annual, field="rate_annual")
    cause = pb.Circumstance.Name(request.circumstance).removeprefix("CIRCUMSTANCE_")
    return Plan(
        status="PROPOSED",
        instalments=1 if is_settlement else a_number(request.instalments, "instalments", 1, 480),
        first_due_on=parse_date(request.first_due_on, field="first_due_on"),
        rate_annual="0" if is_settlement else request.rate_annual,
        settlement_minor=an_amount(request.settlement, "settlement") if is_settlement else 0,
        reason=a_text(request.reason, "reason"),
        proposed_by=a_text(request.proposed_by, "proposed_by").strip(),
        number=1,
        measure=Measure("RESCHEDULE" if measure == "UNSPECIFIED" else measure),
        circumstance=Circumstance("NOT_STATED" if cause == "UNSPECIFIED" else cause),
        budget=budget(request.budget, stated=request.HasField("budget")),
    )


def case_message(view: View) -> pb.Case:
    """Return a case as its message."""
    case = view.case
    episode = case.episodes[-1]
    message = pb.Case(
        loan_id=case.loan_id,
        borrower_ref=case.borrower_ref,
        status=pb.CASE_STATUS_OPEN if case.open else pb.CASE_STATUS_CLOSED,
        stage=episode.stage,
        opened_on=episode.opened_on.isoformat(),
        days_past_due=case.last.days_past_due,
        arrears_minor=case.last.arrears_minor,
        language=view.debtor.language if view.debtor else "",
        last_sequence=case.last.sequence,
        arm=case.arm,
        score=score(case),
        currency=case.currency,
        charged_off=episode.charged_off,
        episodes=[_episode(one) for one in case.episodes],
        contacts=[contact_message(one) for one in view.attempts if not _is_ours(one)],
        reminders=[_reminder(one) for one in view.messages if one.state in SENT],
    )
    for given, standing in zip(case.promises, case.promise_standings(), strict=True):
        message.promises.add(
            promise_id=given.promise_id,
            amount_minor=given.amount_minor,
            due_on=given.due_on.isoformat(),
            status=pb.PromiseStatus.Value(f"PROMISE_STATUS_{standing.status}"),
            paid_minor=standing.paid_minor,
            made_on=given.made_on.isoformat(),
            parts=[
                pb.PromisePart(due_on=part.due_on.isoformat(), amount_minor=part.amount_minor)
                for part in given.parts
            ],
        )
    if case.plan is not None:
        message.plan.CopyFrom(_plan_message(case.plan))
    if case.acceleration is not None:
        message.acceleration.CopyFrom(_acceleration(case.acceleration))
    return message


def _acceleration(fact: Fact) -> pb.Acceleration:
    assert fact.accelerated is not None
    told_on = fact.accelerated.notified_on
    return pb.Acceleration(
        accelerated_on=fact.effective_on.isoformat(),
        notified_on=told_on.isoformat() if told_on else "",
        principal_minor=fact.accelerated.principal_minor,
        interest_minor=fact.accelerated.interest_minor,
    )


def case_changed(view: View, happened: str) -> told_pb.CaseChanged:
    """
    Return what is published of a case to which something happened.

    What the borrower told and who of the house dealt with it is nobody's business on the bus.
    """
    told = case_message(view)
    if told.HasField("plan"):
        for personal in ("reason", "circumstance", "assessed", "proposed_by", "approved_by"):
            told.plan.ClearField(personal)
    return told_pb.CaseChanged(event=happened, case=told)


def case_evidence(view: View) -> dict[str, Any]:
    """Return a case as it stands in the evidence."""
    return MessageToDict(case_message(view))


def _is_ours(attempt: Attempt) -> bool:
    """Say whether an attempt was a message of ours: shown as a reminder, not as a contact."""
    return attempt.by == "collections"


def _episode(episode: Episode) -> pb.Episode:
    return pb.Episode(
        opened_on=episode.opened_on.isoformat(),
        stage=episode.stage,
        closed_on=episode.closed_on.isoformat() if episode.closed_on else "",
        ending=f"EPISODE_ENDING_{episode.ending or 'UNSPECIFIED'}",
        charged_off=episode.charged_off,
    )


def contact_message(attempt: Attempt) -> pb.Contact:
    """Return an attempt as its message."""
    return pb.Contact(
        at=attempt.at.isoformat(),
        channel=attempt.channel.lower(),
        outcome=attempt.outcome.lower().replace("_", " "),
        attempt_id=attempt.attempt_id,
        breach=attempt.breach,
    )


def _reminder(message: Message) -> pb.Reminder:
    sent_on = message.sent_at.date() if message.sent_at else message.because_on
    return pb.Reminder(
        stage=message.stage,
        sent_on=sent_on.isoformat(),
        language=message.language,
        message_name=message.name,
    )


def _plan_message(given: Plan) -> pb.HardshipPlan:
    cause = "UNSPECIFIED" if given.circumstance == "NOT_STATED" else given.circumstance
    return pb.HardshipPlan(
        status=pb.PlanStatus.Value(f"PLAN_STATUS_{given.status}"),
        instalments=given.instalments,
        first_due_on=given.first_due_on.isoformat(),
        rate_annual=given.rate_annual,
        reason=given.reason,
        proposed_by=given.proposed_by,
        approved_by=given.approved_by,
        effective_on=given.effective_on.isoformat() if given.effective_on else "",
        measure=f"MEASURE_{given.measure}",
        circumstance=f"CIRCUMSTANCE_{cause}",
        instalment_minor=given.instalment_minor,
        affordable={True: "yes", False: "no", None: ""}[given.affordable],
        assessed=given.assessed,
        refusal=given.refusal,
        probation_months=given.probation_months,
        settlement_minor=given.settlement_minor,
        let_go_minor=given.let_go_minor,
    )
