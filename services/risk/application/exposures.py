"""What approvals add up to: one row per application, its sums held in memory and caught up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from services.risk.domain.application import Application
from services.risk.domain.exposure import BORROWER, GUARANTOR, Exposure
from services.risk.domain.reservation import Reservation, decided
from shared.runtime.database import create_tables
from shared.runtime.records import Records, Work

METADATA = MetaData()
RESERVATIONS = Table(
    "reservations",
    METADATA,
    Column("application_id", String(80), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("loan_id", String(80), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
)
Key = tuple[str, str, str]


@dataclass(slots=True)
class Exposures:
    """
    The sums of all reservations that count, by currency, dimension and value.

    Every change of a row takes the next number, so a transaction first reads what others changed
    since: several processes count as one. After a rollback all is read again.
    """

    records: Records
    seen: int = 0
    rows: dict[str, Reservation] = field(default_factory=dict)
    sums: dict[Key, tuple[int, int]] = field(default_factory=dict)

    async def create(self, application_id: int) -> None:
        """Create the table if it is missing."""
        await create_tables(self.records.engine, METADATA, application_id)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Work]:
        """Open a transaction that knows all reservations, and in which nobody else counts."""
        ours = False
        try:
            async with self.records.work() as work:
                ours = True
                if work.connection.dialect.name == "sqlite":
                    await work.connection.exec_driver_sql("BEGIN IMMEDIATE")
                await self.catch_up(work)
                yield work
        except BaseException:
            # Who gives up while waiting takes nothing from who is counting meanwhile.
            if ours:
                self._forget()
            raise

    def decided(
        self, before: Reservation | None, given: Application, *, approved: bool
    ) -> Reservation | None:
        """
        Count what a decision changes, from now on; returns what is then to be stored.

        `before` is what is stored of the application, whether it counts or not.
        """
        after = decided(before, given, approved)
        if after is None or after == before:
            return None
        self._take(after)
        return after

    async def put(self, work: Work, changed: Collection[Reservation]) -> None:
        """Count and store reservations, one per application."""
        for one in changed:
            self._take(one)
        await self.store(work, changed)

    async def store(self, work: Work, changed: Collection[Reservation]) -> None:
        """Store reservations that are counted, one per application."""
        if not changed:
            return
        rows = [
            {
                "application_id": one.application_id,
                "number": self.seen + place,
                "loan_id": one.loan_id,
                "body": msgspec.json.encode(one),
            }
            for place, one in enumerate(changed, start=1)
        ]
        added = _insert(work)(RESERVATIONS)
        replaced = {name: added.excluded[name] for name in ("number", "loan_id", "body")}
        keys = [RESERVATIONS.c.application_id]
        await work.connection.execute(
            added.on_conflict_do_update(index_elements=keys, set_=replaced), rows
        )
        self.seen += len(rows)

    async def change(
        self, work: Work, application_id: str, step: Callable[[Reservation], Reservation]
    ) -> None:
        """Change an application's reservation, if it has one."""
        before = await self.get(work, application_id)
        after = before and step(before)
        if after and after != before:
            await self.put(work, [after])

    async def get(self, work: Work, application_id: str) -> Reservation | None:
        """Return an application's reservation, whether it counts or not."""
        return (await self.get_all(work, [application_id])).get(application_id)

    async def get_all(self, work: Work, names: Collection[str]) -> dict[str, Reservation]:
        """Return the reservations of applications, whether they count or not, by application id."""
        wanted = RESERVATIONS.c.application_id.in_(list(names))
        found = await work.connection.execute(select(RESERVATIONS.c.body).where(wanted))
        rows = (msgspec.json.decode(body, type=Reservation) for body in found.scalars())
        return {one.application_id: one for one in rows}

    async def of_loans(self, work: Work, loan_ids: Iterable[str]) -> list[Reservation]:
        """Return the reservations of loans."""
        wanted = RESERVATIONS.c.loan_id.in_(list(loan_ids))
        found = await work.connection.execute(select(RESERVATIONS.c.body).where(wanted))
        return [msgspec.json.decode(body, type=Reservation) for body in found.scalars()]

    async def loans(self, work: Work) -> dict[str, str]:
        """Return the loan of each application that has one, by application id."""
        columns = RESERVATIONS.c.application_id, RESERVATIONS.c.loan_id
        query = select(*columns).where(RESERVATIONS.c.loan_id != "")
        return {name: loan_id for name, loan_id in await work.connection.execute(query)}

    def sum_of(self, currency: str, dimension: str, value: str, without: str = "") -> int:
        """Return what counts under a value, minor units, an application left out if given."""
        total = self.sums.get((currency, dimension, value), (0, 0))[1]
        own = self.rows.get(without)
        if own is None or (own.currency, own.values.get(dimension)) != (currency, value):
            return total
        return total - own.amount_minor

    def loan_of(self, borrower_ref: str, currency: str, *, without: str) -> str:
        """Return a loan that a borrower has with us, beside an application; empty for none."""
        if not self.sum_of(currency, BORROWER, borrower_ref, without):
            return ""
        loans = (
            one.loan_id
            for one in self.rows.values()
            if one.values.get(BORROWER) == borrower_ref and one.application_id != without
        )
        return min((name for name in loans if name), default="")

    def guaranteed_by(self, guarantor_ref: str) -> dict[str, str]:
        """Return a loan of each borrower for whom somebody answers, by borrower."""
        found: dict[str, str] = {}
        for one in self.rows.values():
            name = one.values.get(BORROWER, "")
            if one.loan_id and name and one.values.get(GUARANTOR) == guarantor_ref:
                found[name] = min(one.loan_id, found.get(name, one.loan_id))
        return found

    def by_value(self, currency: str, dimension: str) -> list[Exposure]:
        """Return what counts under each value of a dimension, in order of value."""
        return [
            Exposure(
                currency=currency,
                dimension=dimension,
                value=value,
                approved=count,
                amount_minor=amount,
            )
            for (a, b, value), (count, amount) in sorted(self.sums.items())
            if (a, b) == (currency, dimension)
        ]

    async def catch_up(self, work: Work) -> None:
        """Take in what other processes changed; none of them counts until the work ends."""
        await work.hold("exposures")
        number = RESERVATIONS.c.number
        query = select(number, RESERVATIONS.c.body).where(number > self.seen).order_by(number)
        for seen, body in (await work.connection.execute(query)).all():
            self._take(msgspec.json.decode(body, type=Reservation))
            self.seen = seen

    def _take(self, one: Reservation) -> None:
        before = self.rows.pop(one.application_id, None)
        if before is not None:
            self._count(before, -1)
        if one.counts:
            self.rows[one.application_id] = one
            self._count(one, 1)

    def _count(self, one: Reservation, sign: int) -> None:
        for dimension, value in one.values.items():
            key = one.currency, dimension, value
            count, amount = self.sums.get(key, (0, 0))
            after = count + sign, amount + sign * one.amount_minor
            if after[0]:
                self.sums[key] = after
            else:
                del self.sums[key]

    def _forget(self) -> None:
        self.seen = 0
        self.rows.clear()
        self.sums.clear()


async def is_empty(work: Work) -> bool:
    """Say whether nothing was ever reserved."""
    count = select(func.count()).select_from(RESERVATIONS)
    return not (await work.connection.execute(count)).scalar()


def _insert(work: Work) -> type:
    return postgresql.insert if work.connection.dialect.name == "postgresql" else sqlite.insert
