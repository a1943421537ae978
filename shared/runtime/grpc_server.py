"""Serve an API: health, reflection, traces, metrics, one error mapping, and a graceful stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from time import perf_counter
from typing import Any

import grpc
import structlog
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc
from grpc_status import rpc_status
from prometheus_client import start_http_server

from shared.kernel.errors import LendingError
from shared.runtime.grpc_errors import status_of
from shared.runtime.guard import Guard, methods_of
from shared.runtime.roles import OURS, RoleBook, Roles
from shared.runtime.settings import ServiceSettings
from shared.runtime.telemetry import CALL_SECONDS, CALLS, span
from shared.runtime.tls import PLAIN

GRACE_SECONDS = 5.0
CANNOT_START = {
    "PortInUse",
    "DatabaseNotOurs",
    "TlsMissing",
    "RolesNotValid",
    "VaultKeyMissing",
    "LogNotAppendOnly",
}
Background = Callable[[asyncio.Event], Awaitable[None]]


class PortInUse(Exception):
    """Somebody else listens on the port; set another one."""


class ByName:
    """
    What servicers are added to, so that a server looks a method up by its name at each call.

    Generated code registers each method as well, and grpc.aio 1.85 then waits for one future per
    registered method anew at each call: of 40 methods that was a quarter of an empty call's CPU.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.server = server

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Add handlers that are asked by name."""
        self.server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Register nothing: the same handlers are asked by name."""


class Edge(grpc.aio.ServerInterceptor):
    """Wraps every call of one request: one span, one count, refusals as status, nothing leaks."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wrap the handler of a call, once; streams of others pass through, asked for each time."""
        handler = self.handlers.get(details.method)
        if handler is None:
            handler = await continuation(details)
            if handler is None or handler.request_streaming:
                return handler
            if handler.unary_unary is not None:
                kind, inner = grpc.unary_unary_rpc_method_handler, handler.unary_unary
                wrapped: Any = self._wrap(inner, details.method)
            elif details.method.startswith(OURS):
                kind, inner = grpc.unary_stream_rpc_method_handler, handler.unary_stream
                wrapped = self._wrap_stream(inner, details.method)
            else:
                return handler
            handler = kind(wrapped, handler.request_deserializer, handler.response_serializer)
            self.handlers[details.method] = handler
        return handler

    def _wrap(self, inner: Any, method: str) -> Any:
        seconds, counted = CALL_SECONDS.labels(method), CALLS.labels(method, "OK")

        async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
            started, code = perf_counter(), "OK"
            with span(method, _traceparent(context)):
                try:
                    return await inner(request, context)
                except Exception as failure:
                    code = _code(failure)
                    await _end(failure, method, context)
                    raise
                finally:
                    (counted if code == "OK" else CALLS.labels(method, code)).inc()
                    seconds.observe(perf_counter() - started)

        return call

    def _wrap_stream(self, inner: Any, method: str) -> Any:
        seconds = CALL_SECONDS.labels(method)

        async def call(request: Any, context: grpc.aio.ServicerContext) -> Any:
            started, code = perf_counter(), "CANCELLED"
            with span(method, _traceparent(context)):
                try:
                    async with aclosing(inner(request, context)) as answers:
                        async for answer in answers:
                            yield answer
                    code = "OK"
                except Exception as failure:
                    code = _code(failure)
                    await _end(failure, method, context)
                    raise
                finally:
                    CALLS.labels(method, code).inc()
                    seconds.observe(perf_counter() - started)

        return call


def _code(failure: Exception) -> str:
    """Return what a call that failed is counted under."""
    if isinstance(failure, LendingError):
        return failure.reason
    return "ABORTED" if isinstance(failure, grpc.aio.AbortError) else "INTERNAL"


async def _end(failure: Exception, method: str, context: grpc.aio.ServicerContext) -> None:
    """End a call with the status of what it failed with; one that was ended stays so."""
    if isinstance(failure, LendingError):
        await context.abort_with_status(rpc_status.to_status(status_of(failure)))
    if not isinstance(failure, grpc.aio.AbortError):
        structlog.get_logger().error("call failed", method=method, exc_info=failure)
        await context.abort(grpc.StatusCode.INTERNAL, "internal error; see the log")


def _traceparent(context: grpc.aio.ServicerContext) -> str:
    """Return the caller's trace; empty where there is none."""
    for key, value in context.invocation_metadata() or ():
        if key == "traceparent":
            return str(value)
    return ""


async def serve(
    settings: ServiceSettings,
    *,
    service: str,
    register: Callable[[ByName], Sequence[str]],
    background: Sequence[Background] = (),
    holds: Collection[str] = (),
    roles_told: Callable[[Roles | None], None] = lambda roles: None,
    stop: asyncio.Event | None = None,
) -> None:
    """
    Serve until SIGTERM or SIGINT, then finish the calls in flight and the background work.

    Args:
        settings: Where to listen.
        service: Name in the log.
        register: Adds servicers to the server and returns their full names.
        background: Coroutine functions that end soon after their stop event is set.
        holds: Methods that can wait for a second person; four eyes on others are refused.
        roles_told: Hears the roles before any call is let through by them; None: there are none.
        stop: Ends serving when set, as a signal does.
    Raises:
        PortInUse: the address is taken.
        TlsMissing, RolesNotValid: the profile needs certificates and roles that are not there.
    """
    roles = settings.roles_path()
    book = RoleBook(roles) if roles else None
    interceptors = [Edge(), *([Guard(book)] if book else [])]
    server = grpc.aio.server(interceptors=interceptors, options=[("grpc.so_reuseport", 0)])
    checks, named = health.aio.HealthServicer(), ByName(server)
    health_pb2_grpc.add_HealthServicer_to_server(checks, named)
    ours = register(named)
    if book is not None:
        book.serve(methods_of(ours), holds)
        book.told = roles_told
    roles_told(book.roles if book else None)
    names = [*ours, health.SERVICE_NAME, reflection.SERVICE_NAME]
    # Not enable_server_reflection: it knows a grpc.aio.Server by its type, gives any other server
    # the servicer that blocks, and each stream that somebody leaves open would hold a thread.
    looker = reflection.aio.ReflectionServicer(names)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(looker, named)
    _listen(server, settings)
    await server.start()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.grpc_host)
    stop, drained = stop or asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(_watched(work, drained, stop)) for work in background]
    for name in ("", *names):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    address = f"{settings.grpc_host}:{settings.grpc_port}"
    structlog.get_logger().info(
        "serving", address=address, service=service, profile=settings.profile, tls=bool(roles)
    )
    await stop.wait()
    await checks.enter_graceful_shutdown()
    await server.stop(GRACE_SECONDS)
    drained.set()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), GRACE_SECONDS)


async def _watched(work: Background, drained: asyncio.Event, stop: asyncio.Event) -> None:
    """Run background work; if it dies, stop the whole service rather than serve half of it."""
    try:
        await work(drained)
    except Exception:
        structlog.get_logger().exception("background work failed")
        stop.set()


def _listen(server: grpc.aio.Server, settings: ServiceSettings) -> None:
    address, tls = f"{settings.grpc_host}:{settings.grpc_port}", settings.tls()
    try:
        if tls is PLAIN:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, tls.server())
    except RuntimeError:
        bound = 0
    if not bound:
        prefix = settings.model_config.get("env_prefix", "")
        raise PortInUse(f"{address} is in use; set {prefix}GRPC_PORT")


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a service's main coroutine; what stands in its way is one line and exit code 2."""
    try:
        uvloop.run(main())
    except Exception as failure:
        if type(failure).__name__ not in CANNOT_START:
            raise
        print(f"cannot start: {failure}", file=sys.stderr)
        raise SystemExit(2) from None
