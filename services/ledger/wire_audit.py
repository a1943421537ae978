"""The auditors' questions as messages and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from google.protobuf.message import Message
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.application.book_questions import BookDifference, LoanCompared
from services.ledger.application.log_events import Read, kind_of
from services.ledger.application.sealing import leaf_of
from services.ledger.application.story import days_by_month, money_placed, story, told_facts
from services.ledger.domain.counterfactual import Step, Supposed, Supposition
from services.ledger.domain.delinquency import past_due_table, standing_of
from services.ledger.domain.events import Fact
from services.ledger.domain.explain import FIGURES, explain, figures
from services.ledger.domain.timeline import Timeline
from services.ledger.wire_events import delinquency_message
from services.ledger.wire_loan import explanation_message, past_due_message, step_message
from services.ledger.wire_reasons import allocation_message
from services.ledger.wire_terms import chosen, delinquency_policy, waterfall
from shared.audit.merkle import leaf_hash
from shared.audit.packing import BLOCKS, MANIFEST, packed, unpacked
from shared.kernel.dates import DayCount, parse_date
from shared.kernel.money import plain_decimal


def supposition(request: pb.SupposeLoanRequest) -> Supposition:
    """Read what is supposed otherwise."""
    rate, allocation = request.penalty_rate_annual, request.allocation_policy
    named = loan_pb2.Terms(allocation_policy=allocation)
    policy = request.delinquency_policy
    return Supposition(
        without=tuple(sorted(set(request.without))),
        value_dates=tuple(
            (moved.version, parse_date(moved.effective_on, field="value_dates.effective_on"))
            for moved in request.value_dates
        ),
        recorded_on_time=tuple(sorted(set(request.recorded_on_time))),
        grace_days=request.grace_days if request.HasField("grace_days") else None,
        penalty_rate_annual=plain_decimal(rate, field="penalty_rate_annual") if rate else None,
        waterfall=waterfall(named) if allocation else None,
        delinquency=delinquency_policy(policy, "") if policy else None,
        day_count=chosen(DayCount, loan_pb2.DayCount, request.day_count, "day_count")
        if request.day_count
        else None,
        scheme_edges=tuple(
            (one.scheme, tuple((edge.first_day, edge.bucket) for edge in one.edges))
            for one in request.scheme_edges
        ),
    )


def supposed_message(
    found: Supposed, steps: Sequence[Step], what: Supposition
) -> pb.SupposeLoanResponse:
    """Return a loan as it is and as it would be as its message."""
    changed = [name for name in sorted(FIGURES) if name in found.changes]
    return pb.SupposeLoanResponse(
        actual=_look(found.actual, changed),
        supposed=_look(found.supposed, changed),
        changes=found.changes,
        supposition_sha256=what.sha256,
        effective_on=found.actual.on.isoformat(),
        label=what.label,
        steps=[
            pb.SupposedStep(what=one.what, changes=one.changes, buckets=_buckets(one.buckets))
            for one in steps
        ],
        buckets=_buckets(found.bucket_changes),
    )


def _buckets(changed: Mapping[str, tuple[str, str]]) -> list[pb.SupposedBucket]:
    return [
        pb.SupposedBucket(scheme=scheme, before=before, after=after)
        for scheme, (before, after) in changed.items()
    ]


def lateness_message(
    loan_id: str, line: Timeline, events: Sequence[Fact]
) -> pb.ExplainLatenessResponse:
    """Return why a loan is as late as it is, as a page and as its parts."""
    return pb.ExplainLatenessResponse(
        page=story(loan_id, line, events),
        effective_on=line.on.isoformat(),
        delinquency=delinquency_message(standing_of(line)),
        past_due=[past_due_message(row) for row in past_due_table(line)],
        months=[pb.DaysOfMonth(month=month, days=days) for month, days in days_by_month(line)],
        money=[
            pb.MoneyPlaced(
                id=placed.fact_id,
                effective_on=placed.on.isoformat() if placed.on else "",
                allocations=[allocation_message(slot) for slot in placed.slots],
            )
            for placed in money_placed(line, events)
        ],
        facts=[
            pb.FactTold(
                version=version,
                event=type(event).__name__,
                effective_on=event.effective_on.isoformat(),
                recorded_at=event.recorded_at.isoformat(),
                amount_minor=getattr(event, "amount_minor", 0),
                reason=event.reason,
            )
            for version, event in told_facts(events)
        ],
        explanations=[explanation_message(explain(line, name)) for name in LATENESS],
    )


LATENESS = ("days_past_due", "arrears")
"""The figures that say how late a loan is."""


def answer_bytes(answer: Message) -> bytes:
    """
    Return the bytes of an answer whose hash is recorded; its read_id is not yet set.

    Of a pack they are its files without signatures, keys and programs: the same evidence stays
    the same when the key or the checking program is another. Of a counterfactual it is what answers
    had from the beginning, so that those recorded long ago can be asked again.
    """
    if isinstance(answer, pb.SupposeLoanResponse):
        told = pb.SupposeLoanResponse()
        told.CopyFrom(answer)
        for field in _SINCE:
            told.ClearField(field)
        return told.SerializeToString(deterministic=True)
    if not isinstance(answer, pb.EvidencePack):
        return answer.SerializeToString(deterministic=True)
    files = unpacked(answer.pack)
    return packed({k: v for k, v in files.items() if k not in _OF_TODAY})


def answer_sha256(answer: Message) -> str:
    """Return the hash that is recorded of an answer."""
    return hashlib.sha256(answer_bytes(answer)).hexdigest()


_SINCE: tuple[Literal["label", "steps", "buckets"], ...] = ("label", "steps", "buckets")
"""What answers did not have when the first were recorded; it follows from the rest of them."""

_OF_TODAY = (
    MANIFEST,
    BLOCKS,
    "verifier.txt",
    "rotations.json",
    "__main__.py",
    "verify.py",
    "README.txt",
    "approvals.json",
)
"""Files of a pack whose bytes the hash of a read leaves out. The last came later; it is proven."""


def _look(line: Timeline, explained: list[str]) -> pb.LoanLook:
    return pb.LoanLook(
        figures=figures(line),
        delinquency=delinquency_message(standing_of(line)),
        past_due=[past_due_message(row) for row in past_due_table(line)],
        explanations=[explanation_message(explain(line, figure)) for figure in explained],
    )


def logged_event(read: Read) -> pb.LoggedEvent:
    """Return a stored event as its message."""
    row, event = read.row, read.event
    on, recorded_at = getattr(event, "effective_on", None), getattr(event, "recorded_at", None)
    return pb.LoggedEvent(
        position=row.position,
        stream=row.originator_id,
        version=row.version,
        topic=row.topic,
        kind=kind_of(row.topic),
        loan_id=getattr(event, "loan_id", ""),
        effective_on=on.isoformat() if on else "",
        recorded_at=recorded_at.isoformat() if recorded_at else "",
        request_id=getattr(event, "request_id", ""),
        actor=getattr(event, "actor", ""),
        amount_minor=getattr(event, "amount_minor", 0),
        body_json=row.state.decode(),
        sha256=hashlib.sha256(row.state).hexdigest(),
        leaf_hash=leaf_hash(leaf_of(row)),
    )


def loan_difference(one: LoanCompared) -> pb.LoanDifference:
    """Return what changed of a loan as its message."""
    return pb.LoanDifference(
        loan_id=one.loan_id,
        currency=one.currency,
        changes=one.changes,
        steps=[step_message(step) for step in one.steps],
    )


def book_difference(currency: str, found: BookDifference) -> pb.BookDifference:
    """Return what changed of all loans of a currency as its message."""
    return pb.BookDifference(
        currency=currency,
        loans=found.compared,
        loans_changed=found.changed,
        before=found.before,
        after=found.after,
        causes=[
            pb.DifferenceCause(cause=cause, loans=found.loans[cause], changes=changes)
            for cause, changes in sorted(found.causes.items())
        ],
        unexplained=found.unexplained(),
    )
