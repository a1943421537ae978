"""What every call of a client does: a request id of its own, pages to the end, errors by reason."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import grpc
from lending import refusals

from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import RETRY
from shared.runtime.grpc_errors import error_from_rpc

ANSWER_BYTES_MAX = 64 << 20
OPTIONS = [
    ("grpc.service_config", json.dumps(RETRY)),
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
]
DEADLINE_SECONDS = 10.0


def with_id(request: Any) -> Any:
    """
    Give a request that has none its request id, in place.

    The id stays in the caller's message: sent again after an unknown outcome, it has one effect.
    """
    if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
        request.request_id = f"r-{uuid4()}"
    for item in getattr(request, "requests", ()):
        with_id(item)
    return request


def refusal_of(failure: grpc.RpcError) -> LendingError:
    """Return the refusal under its reason's own class; one that is not known keeps its kind."""
    general = error_from_rpc(failure)
    kind = refusals.BY_REASON.get(general.reason)
    if kind is None:
        return general
    own = kind(general.message, field=general.field, **general.facts)
    own.expected = general.facts.get("expected", "")
    return own
