"""One mapping between refusals and gRPC status, both ways, with a reason that machines can read."""

from __future__ import annotations

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from shared.kernel import errors

DOMAIN, MESSAGE_CHARACTERS_MAX = "duebook", 300
"""What is said of a wrong value quotes it; with too much metadata a call ends as another error."""

_CODES: list[tuple[type[errors.LendingError], int]] = [
    (errors.NotFound, code_pb2.NOT_FOUND),
    (errors.InvalidArgument, code_pb2.INVALID_ARGUMENT),
    (errors.Refused, code_pb2.FAILED_PRECONDITION),
    (errors.NotAuthenticated, code_pb2.UNAUTHENTICATED),
    (errors.NotPermitted, code_pb2.PERMISSION_DENIED),
    (errors.Conflict, code_pb2.ABORTED),
    (errors.Unavailable, code_pb2.UNAVAILABLE),
    (errors.Exhausted, code_pb2.RESOURCE_EXHAUSTED),
]


class ServiceUnavailable(errors.Unavailable):
    """Another service does not answer: the same request may be sent again."""


def status_of(refusal: errors.LendingError) -> status_pb2.Status:
    """Return the rich status of a refusal: ErrorInfo, and BadRequest when a field is named."""
    code = next((c for kind, c in _CODES if isinstance(refusal, kind)), code_pb2.INTERNAL)
    said = refusal.message[:MESSAGE_CHARACTERS_MAX]
    status = status_pb2.Status(code=code, message=said)
    facts = {**refusal.facts, "retry": "yes" if refusal.retry else "no"}
    if refusal.expected:
        facts["expected"] = refusal.expected
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN, metadata=facts)
    status.details.add().Pack(info)
    if refusal.field:
        bad = error_details_pb2.BadRequest()
        text = f"{said}; expected {refusal.expected or 'another value'}"
        bad.field_violations.add(field=refusal.field, description=text, reason=refusal.reason)
        status.details.add().Pack(bad)
    return status


def error_from_rpc(call: grpc.aio.AioRpcError) -> errors.LendingError:
    """Turn another service's answer back into the refusal that it was; the reason is kept."""
    if call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return ServiceUnavailable(f"no answer: {call.details()}")
    status = rpc_status.from_call(call)
    kinds = {code: kind for kind, code in _CODES}
    refusal = kinds.get(call.code().value[0], errors.LendingError)(call.details() or "")
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            refusal.reason, refusal.facts = info.reason, dict(info.metadata)
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(bad) and bad.field_violations:
            refusal.field = bad.field_violations[0].field
    return refusal
