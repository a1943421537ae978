"""Call another service: retries while it is away, a deadline on every call, one trace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc

from shared.runtime.grpc_errors import ServiceUnavailable, error_from_rpc
from shared.runtime.telemetry import current_traceparent
from shared.runtime.tls import PLAIN, Tls

ANSWER_BYTES_MAX = 64 * 1024 * 1024
RETRY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


class Caller(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds traceparent and a deadline; turns status back into refusals."""

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Send one call."""
        timeout = details.timeout if details.timeout is not None else self.deadline_seconds
        call = await continuation(_asked(details, timeout), request)
        try:
            await call
        except grpc.aio.AioRpcError as failure:
            raise error_from_rpc(failure) from None
        # Not its answer: the caller may ask the call for the metadata that came with it.
        return call


class StreamCaller(grpc.aio.UnaryStreamClientInterceptor):
    """The same of an answer in parts, where the deadline is that of each part."""

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """Send one call."""
        return self._parts(await continuation(_asked(details, details.timeout), request))

    async def _parts(self, call: Any) -> AsyncIterator[Any]:
        try:
            while True:
                part = await asyncio.wait_for(call.read(), self.deadline_seconds)
                if part is grpc.aio.EOF:
                    return
                yield part
        except TimeoutError:
            raise ServiceUnavailable(f"no part within {self.deadline_seconds} s") from None
        except grpc.aio.AioRpcError as failure:
            raise error_from_rpc(failure) from None
        finally:
            call.cancel()


def _asked(details: Any, timeout: float | None) -> grpc.aio.ClientCallDetails:
    """Return what is sent with a call: the trace, and how long it may take."""
    metadata = list(details.metadata or ())
    traceparent = current_traceparent()
    if traceparent:
        metadata.append(("traceparent", traceparent))
    return grpc.aio.ClientCallDetails(
        details.method,
        timeout,
        grpc.aio.Metadata(*metadata),
        details.credentials,
        details.wait_for_ready,
    )


def open_channel(target: str, deadline_seconds: float = 10.0, tls: Tls = PLAIN) -> grpc.aio.Channel:
    """
    Open a channel to `host:port`; calls raise LendingErrors.

    Args:
        target: With TLS the host must be one that the server's certificate names.
        deadline_seconds: Of a call that does not state its own, and of each part of a stream.
        tls: Who calls; PLAIN in development.
    Raises:
        ServiceUnavailable: from a call, when nobody answers after the retries or in time.
    """
    options = [
        ("grpc.service_config", json.dumps(RETRY)),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ]
    ours = [Caller(deadline_seconds), StreamCaller(deadline_seconds)]
    if tls is PLAIN:
        return grpc.aio.insecure_channel(target, options=options, interceptors=ours)
    return grpc.aio.secure_channel(target, tls.client(), options=options, interceptors=ours)
