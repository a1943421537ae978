"""The auditors' questions as messages and back."""

from __future__ import annotations

from google.protobuf.message import Message
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.domain.counterfactual import Supposed, Supposition
from services.ledger.domain.delinquency import past_due_table, standing_of
from services.ledger.domain.explain import FIGURES, explain, figures
from services.ledger.domain.timeline import Timeline
from services.ledger.wire_events import delinquency_message
from services.ledger.wire_loan import explanation_message, past_due_message
from services.ledger.wire_terms import delinquency_policy, waterfall
from shared.audit.packing import BLOCKS, MANIFEST, packed, unpacked
from shared.kernel.dates import parse_date
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
    )


def supposed_message(found: Supposed, what: Supposition) -> pb.SupposeLoanResponse:
    """Return a loan as it is and as it would be as its message."""
    changed = [name for name in sorted(FIGURES) if name in found.changes]
    return pb.SupposeLoanResponse(
        actual=_look(found.actual, changed),
        supposed=_look(found.supposed, changed),
        changes=found.changes,
        supposition_sha256=what.sha256,
        effective_on=found.actual.on.isoformat(),
    )


def answer_bytes(answer: Message) -> bytes:
    """
    Return the bytes of an answer whose hash is recorded; its read_id is not yet set.

    Of a pack they are its files without signatures, keys and programs: the same evidence stays
    the same when the key or the checking program is another.
    """
    if not isinstance(answer, pb.EvidencePack):
        return answer.SerializeToString(deterministic=True)
    files = unpacked(answer.pack)
    return packed({k: v for k, v in files.items() if k not in _OF_TODAY})


_OF_TODAY = (
    MANIFEST,
    BLOCKS,
    "verifier.txt",
    "rotations.json",
    "__main__.py",
    "verify.py",
    "README.txt",
)


def _look(line: Timeline, explained: list[str]) -> pb.LoanLook:
    return pb.LoanLook(
        figures=figures(line),
        delinquency=delinquency_message(standing_of(line)),
        past_due=[past_due_message(row) for row in past_due_table(line)],
        explanations=[explanation_message(explain(line, figure)) for figure in explained],
    )
