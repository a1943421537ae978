"""The door of every API: who calls is read from the certificate, before the request is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from lending.common.v1 import caller_pb2

from shared.kernel.errors import InvalidArgument
from shared.runtime.grpc_errors import status_of
from shared.runtime.identity import actor, remember
from shared.runtime.roles import OURS, CallerMayNot, RoleBook

PERSON = "x-duebook-person"
"""Metadata in which a gateway states the person it calls for."""


class RequestNotReadable(InvalidArgument):
    """The request's bytes are not the method's request."""


class Guard(grpc.aio.ServerInterceptor):
    """Lets through whom the roles let through; what acts is the caller, or the call is refused."""

    def __init__(self, book: RoleBook) -> None:
        self.book = book

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wrap the handler of a method; another's stream passes or not, each time it is opened."""
        handler, method = await continuation(details), details.method
        if handler is None:
            return None
        if handler.unary_unary is not None:
            kind, around = grpc.unary_unary_rpc_method_handler, self._guarded
        elif handler.unary_stream is not None and method.startswith(OURS):
            kind, around = grpc.unary_stream_rpc_method_handler, self._guarded_stream
        else:
            is_open = self.book.is_open(method)
            return handler if is_open else grpc.stream_stream_rpc_method_handler(_nobody)
        return kind(around(handler, method), None, handler.response_serializer)

    def _guarded(self, handler: Any, method: str) -> Any:
        inner, enter = handler.unary_unary, self._entrance(handler, method)

        async def call(raw: bytes, context: grpc.aio.ServicerContext) -> Any:
            return await inner(enter(raw, context), context)

        return call

    def _guarded_stream(self, handler: Any, method: str) -> Any:
        inner, enter = handler.unary_stream, self._entrance(handler, method)

        async def call(raw: bytes, context: grpc.aio.ServicerContext) -> Any:
            async with aclosing(inner(enter(raw, context), context)) as answers:
                async for answer in answers:
                    yield answer

        return call

    def _entrance(self, handler: Any, method: str) -> Callable[[bytes, Any], Any]:
        """Return what lets a caller in and reads the request, or refuses."""
        parse, admit = handler.request_deserializer, self.book.admit
        acting, is_open = _acting(method), self.book.is_open

        def enter(raw: bytes, context: grpc.aio.ServicerContext) -> Any:
            # Asked at each call: the file may have changed since the last one.
            if is_open(method):
                return parse(raw)
            spiffe_id = context.auth_context().get("peer_spiffe_id", (b"",))[0].decode()
            person = next((v for k, v in context.invocation_metadata() or () if k == PERSON), "")
            who, second_person = admit(spiffe_id, str(person), method)
            remember(who, second_person=second_person)
            try:
                request = parse(raw)
            except DecodeError:
                raise RequestNotReadable("the bytes are not the method's request") from None
            for field in acting:
                setattr(request, field, actor(getattr(request, field), field=field))
            return request

        return enter


async def _nobody(requests: Any, context: grpc.aio.ServicerContext) -> None:
    refusal = CallerMayNot("nobody may call this method")
    await context.abort_with_status(rpc_status.to_status(status_of(refusal)))


def methods_of(services: Iterable[str]) -> list[str]:
    """Return every method of services by their full names, as /package.Service/Method."""
    pool = descriptor_pool.Default()
    return [
        f"/{service}/{method.name}"
        for service in services
        for method in pool.FindServiceByName(service).methods
    ]


def _acting(method: str) -> list[str]:
    """Return the fields of a method's request that name the one who acts."""
    service, _, name = method[1:].partition("/")
    found = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    return [
        field.name
        for field in found.input_type.fields
        if field.GetOptions().Extensions[caller_pb2.is_caller]
    ]
