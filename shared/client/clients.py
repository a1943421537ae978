"""The two bases of every generated client: with asyncio, and blocking."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import grpc

from shared.client.calls import DEADLINE_SECONDS, OPTIONS, refusal_of, with_id

Stub = Any


class Client:
    """
    Calls one service from asyncio.

    Args:
        target: `host:port`.
        deadline_seconds: Time for a call with its retries, unless the call says otherwise.
        credentials: TLS; without it the connection is plain.
    Raises:
        LendingError: from every call, under the class of its reason in `lending.refusals`.
    """

    stub_kind: type[Stub]

    def __init__(
        self,
        target: str,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.deadline_seconds = deadline_seconds
        self.channel = (
            grpc.aio.secure_channel(target, credentials, options=OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(target, options=OPTIONS)
        )
        self.stub: Stub = self.stub_kind(self.channel)

    async def __aenter__(self) -> Self:
        """Return the client, to be closed at the end."""
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        await self.channel.close()

    async def call(self, method: str, request: Any, deadline_seconds: float | None) -> Any:
        """Send one request."""
        try:
            return await getattr(self.stub, method)(
                with_id(request), timeout=deadline_seconds or self.deadline_seconds
            )
        except grpc.aio.AioRpcError as failure:
            raise refusal_of(failure) from None

    async def parts(
        self, method: str, request: Any, deadline_seconds: float | None
    ) -> AsyncIterator[Any]:
        """Yield an answer's parts; without a deadline it may take as long as it takes."""
        call = getattr(self.stub, method)(with_id(request), timeout=deadline_seconds)
        try:
            async for part in call:
                yield part
        except grpc.aio.AioRpcError as failure:
            raise refusal_of(failure) from None
        finally:
            call.cancel()

    async def rows(self, method: str, request: Any, rows: str) -> AsyncIterator[Any]:
        """Yield the rows of every page; the caller's request is not changed."""
        asked = type(request).FromString(request.SerializeToString())
        while True:
            page = await self.call(method, asked, None)
            for row in getattr(page, rows):
                yield row
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token


class BlockingClient:
    """The same without asyncio; one client serves many threads."""

    stub_kind: type[Stub]

    def __init__(
        self,
        target: str,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        self.deadline_seconds = deadline_seconds
        self.channel = (
            grpc.secure_channel(target, credentials, options=OPTIONS)
            if credentials
            else grpc.insecure_channel(target, options=OPTIONS)
        )
        self.stub: Stub = self.stub_kind(self.channel)

    def __enter__(self) -> Self:
        """Return the client, to be closed at the end."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        self.channel.close()

    def call(self, method: str, request: Any, deadline_seconds: float | None) -> Any:
        """Send one request."""
        try:
            return getattr(self.stub, method)(
                with_id(request), timeout=deadline_seconds or self.deadline_seconds
            )
        except grpc.RpcError as failure:
            raise refusal_of(failure) from None

    def parts(self, method: str, request: Any, deadline_seconds: float | None) -> Iterator[Any]:
        """Yield an answer's parts; without a deadline it may take as long as it takes."""
        call = getattr(self.stub, method)(with_id(request), timeout=deadline_seconds)
        try:
            yield from call
        except grpc.RpcError as failure:
            raise refusal_of(failure) from None
        finally:
            call.cancel()

    def rows(self, method: str, request: Any, rows: str) -> Iterator[Any]:
        """Yield the rows of every page; the caller's request is not changed."""
        asked = type(request).FromString(request.SerializeToString())
        while True:
            page = self.call(method, asked, None)
            yield from getattr(page, rows)
            if not page.next_page_token:
                return
            asked.page.token = page.next_page_token
