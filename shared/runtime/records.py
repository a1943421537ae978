"""What a service remembers, answered, owes and has worked: changed together or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import Message as Proto
from sqlalchemy import insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.kernel.errors import Refused
from shared.runtime import locks
from shared.runtime.bus import Bus
from shared.runtime.database import create_tables
from shared.runtime.outbox import Owed, send_page
from shared.runtime.record_tables import METADATA, OUTBOX, RECORDS, REQUESTS, grow, order_of_ids
from shared.runtime.stopping import to_its_end, unless
from shared.runtime.telemetry import current_traceparent
from shared.runtime.vault import METADATA as VAULT_TABLES
from shared.runtime.vault import Vault

PAGE = 200

Record = TypeVar("Record", bound=msgspec.Struct)
Answer = TypeVar("Answer", bound=Proto)
Place = tuple[str, str]
"""Where a page of what is due ended: an instant and an id; ("", "") is before the first."""


class RequestIdReused(Refused):
    """The request id was used with another body."""


@dataclass(slots=True)
class Work:
    """One transaction; with a vault, what is personal is sealed; `held` are the names it holds."""

    connection: AsyncConnection
    vault: Vault | None = None
    held: set[str] = field(default_factory=set)

    async def get(self, kind: type[Record], record_id: str) -> Record | None:
        """Return a record; None when there is none."""
        query = select(RECORDS.c.body).where(_key(kind, record_id))
        body = (await self.connection.execute(query)).scalar()
        return (await self._opened(kind, [body]))[0] if body is not None else None

    async def put(
        self, record: msgspec.Struct, record_id: str, state: str = "", due_at: str = ""
    ) -> None:
        """Store a record, replacing the one of its kind and id."""
        await self._put([await self._row(record, record_id, state, due_at)])

    async def move(
        self, record: msgspec.Struct, record_id: str, states: tuple[str, str], due_at: str = ""
    ) -> bool:
        """Store a record in the second of two states; False: it is no longer in the first."""
        here = _key(type(record), record_id) & (RECORDS.c.state == states[0])
        row = await self._row(record, record_id, states[1], due_at)
        done = await self.connection.execute(update(RECORDS).where(here).values(row))
        return bool(done.rowcount)

    async def hold(self, *names: str) -> None:
        """Wait until no other process holds these names, and hold them until the work ends."""
        await locks.hold(self.connection, *names)
        self.held.update(names)

    async def get_all(self, kind: type[Record], record_ids: Collection[str]) -> dict[str, Record]:
        """Return the records there are of these ids, by id, in one question."""
        wanted = (RECORDS.c.kind == kind.__name__) & RECORDS.c.id.in_(list(record_ids))
        rows = await self.connection.execute(select(RECORDS.c.id, RECORDS.c.body).where(wanted))
        return dict(await self._read(kind, rows))

    async def put_all(self, kind: type[Record], records: Mapping[str, tuple[Record, str]]) -> None:
        """Store records with their states, by id, replacing those of their kind and ids."""
        rows = [await self._row(one, name, state, "") for name, (one, state) in records.items()]
        await self._put(rows)

    async def _put(self, rows: list[dict[str, Any]]) -> None:
        added = _insert(self.connection)(RECORDS)
        replaced = {name: added.excluded[name] for name in ("state", "body", "due_at")}
        keys = [RECORDS.c.kind, RECORDS.c.id]
        await self._each(added.on_conflict_do_update(index_elements=keys, set_=replaced), rows)

    async def _each(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            await self.connection.execute(statement, rows)

    async def find(
        self,
        kind: type[Record],
        *,
        state: str = "",
        after: str = "",
        before: str = "",
        due_at: str | None = None,
        limit: int = 100,
    ) -> list[Record]:
        """Return records of a kind by id: of one state, between two ids, due then, if given."""
        found = await self.page(kind, state, (after, before), limit, due_at)
        return [record for _, record in found]

    async def every(
        self, kind: type[Record], *, state: str = "", after: str = "", before: str = ""
    ) -> AsyncIterator[Record]:
        """Give all that `find` would without its limit, read page by page."""
        more = True
        while more:
            page = await self.page(kind, state, (after, before), PAGE)
            for _, record in page:
                yield record
            after, more = (page[-1][0], True) if len(page) == PAGE else (after, False)

    async def due(
        self, kind: type[Record], state: str, until: str, place: Place, limit: int = 100
    ) -> list[tuple[Place, Record]]:
        """Return what is due until an instant, the longest due first, from behind a place."""
        here = (RECORDS.c.kind == kind.__name__) & (RECORDS.c.state == state)
        order = (RECORDS.c.due_at, RECORDS.c.id)
        query = select(*order, RECORDS.c.body).where(here, RECORDS.c.due_at <= until)
        query = query.where(tuple_(*order) > place).order_by(*order).limit(limit)
        rows = await self.connection.execute(query)
        return await self._read(kind, (((at, name), body) for at, name, body in rows))

    async def page(
        self, kind: type[Record], state: str, ids: Place, limit: int, due: str | None = None
    ) -> list[tuple[str, Record]]:
        """Return what `find` does between two ids, with the ids."""
        after, before = ids
        key = order_of_ids(self.connection.dialect.name, before)
        query = select(RECORDS.c.id, RECORDS.c.body)
        query = query.where(RECORDS.c.kind == kind.__name__, key > after)
        query = query.where(key < before) if before else query
        query = query.where(RECORDS.c.state == state) if state else query
        query = query if due is None else query.where(RECORDS.c.due_at == due)
        rows = await self.connection.execute(query.order_by(key).limit(limit))
        return await self._read(kind, rows)

    async def _read(self, kind: type[Record], rows: Collection[Any]) -> list[tuple[Any, Record]]:
        """Return stored records with what they are found by."""
        found = list(rows)
        records = await self._opened(kind, [body for _, body in found])
        return [(place, record) for (place, _), record in zip(found, records, strict=True)]

    async def _opened(self, kind: type[Record], bodies: list[bytes]) -> list[Record]:
        if self.vault is None:
            return [msgspec.json.decode(body, type=kind) for body in bodies]
        return await self.vault.opened(self.connection, kind, bodies)

    async def _row(
        self, record: msgspec.Struct, record_id: str, state: str, due_at: str
    ) -> dict[str, Any]:
        seal = self.vault.sealed if self.vault else None
        body = await seal(self.connection, record) if seal else msgspec.json.encode(record)
        kind = type(record).__name__
        return {"kind": kind, "id": record_id, "state": state, "body": body, "due_at": due_at}

    async def owe(
        self, subject: str, message_id: str, body: Proto, headers: Mapping[str, str]
    ) -> None:
        """Promise a message; it goes out after the commit, once per message id."""
        await self.owe_all([Owed(subject, message_id, body, headers, current_traceparent())])

    async def owe_all(self, messages: Sequence[Owed]) -> None:
        """Promise messages in their order."""
        once = _insert(self.connection)(OUTBOX).on_conflict_do_nothing(
            index_elements=[OUTBOX.c.message_id]
        )
        await self._each(once, [one.row() for one in messages])

    async def answered(
        self, request: Any, answer_type: type[Answer], *, method: str = ""
    ) -> Answer | None:
        """
        Return the first answer to a request; None when it is new.

        Raises:
            RequestIdReused: the id was used with another body.
        """
        first = await self.answered_all([request], answer_type, method=method)
        found = first.get(request.request_id)
        if isinstance(found, RequestIdReused):
            raise found
        return found

    async def answered_all(
        self, requests: Collection[Any], answer_type: type[Answer], *, method: str = ""
    ) -> dict[str, Answer | RequestIdReused]:
        """Return the first answer to each request that is not new, by id; or why there is none."""
        asked = {request.request_id: request for request in requests}
        query = select(REQUESTS).where(REQUESTS.c.request_id.in_(list(asked)))
        found: dict[str, Answer | RequestIdReused] = {}
        for name, sha256, answer in (await self.connection.execute(query)).all():
            same = sha256 == _digest(asked[name], method)
            if same and self.vault:
                answer = await self.vault.opened_answer(self.connection, answer)
            reused = RequestIdReused("the request id had another body", field="request_id")
            found[name] = answer_type.FromString(answer) if same else reused
        return found

    async def remember_all(
        self, answers: Collection[tuple[Any, Proto]], *, method: str = ""
    ) -> None:
        """Keep what each request is answered, so that it gets the same answer again."""
        rows = []
        for request, answer in answers:
            body, who = answer.SerializeToString(), getattr(answer, "borrower_ref", "")
            if self.vault and who:
                body = await self.vault.sealed_answer(self.connection, who, body)
            named = {"request_id": request.request_id, "body_sha256": _digest(request, method)}
            rows.append({**named, "answer": body})
        await self._each(insert(REQUESTS), rows)


@dataclass(slots=True)
class Records:
    """The database of one service; one transaction at a time writes."""

    engine: AsyncEngine
    vault: Vault | None = field(default=None, kw_only=True)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    owed: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self, application_id: int) -> None:
        """Create the tables that are missing, and add what older ones lack."""
        await create_tables(self.engine, METADATA, application_id)
        if self.vault:
            await create_tables(self.engine, VAULT_TABLES, application_id)
        async with self.engine.begin() as connection:
            await connection.run_sync(grow)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """Open a transaction: everything in it happens, or nothing."""
        async with self.turn, self.engine.begin() as connection:
            yield Work(connection, self.vault)
        self.owed.set()

    async def answer_once(
        self,
        request: Any,
        answer_type: type[Answer],
        act: Callable[[Work], Awaitable[Answer]],
        *,
        method: str = "",
    ) -> Answer:
        """
        Answer a request, also one whose caller hangs up; the same again gets the first answer.

        Args:
            method: Tells apart methods that take the same type of request.
        Raises:
            RequestIdReused: the id was used with another body.
        """

        async def answered() -> Answer:
            async with self.work() as work:
                # Another process may be answering the very request: its answer is ours.
                await work.hold(f"request/{request.request_id}")
                first = await work.answered(request, answer_type, method=method)
                if first is None:
                    first = await act(work)
                    await work.remember_all([(request, first)], method=method)
                return first

        return await to_its_end(answered())

    async def relay(self, nats_url: str, name: str, stop: asyncio.Event) -> None:
        """Publish what is owed, oldest first, until told to stop."""
        bus = await Bus.connect_unless(stop, nats_url, name)
        if bus is None:
            return
        await unless(stop, bus.ensure_streams())
        while not stop.is_set():
            self.owed.clear()
            if not await send_page(bus, self.engine, self.turn):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.owed.wait(), 0.3)
        await bus.close()


def _insert(connection: AsyncConnection) -> Any:
    """Return the insert of the store in use: both stores know conflicts, each in its own words."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def _key(kind: type[msgspec.Struct], record_id: str) -> Any:
    return (RECORDS.c.kind == kind.__name__) & (RECORDS.c.id == record_id)


def _digest(request: Any, method: str) -> str:
    named = method.encode() + type(request).__name__.encode()
    return hashlib.sha256(named + request.SerializeToString(deterministic=True)).hexdigest()
