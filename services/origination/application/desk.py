"""One application at a time: read it, prepare a step, keep it if nothing came between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, TypeVar

import structlog
from google.protobuf.message import Message as Proto
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application import keeping
from services.origination.application.holding import Held, hold, read
from services.origination.application.keeping import Told
from services.origination.application.parking import each_readable
from services.origination.application.trials import Act, is_trial, tried, trying
from services.origination.application.writing import Written
from services.origination.domain.application import (
    Application,
    ApplicationNotFound,
    Stamp,
    expired,
    is_over,
)
from services.origination.domain.products import Policies, Product
from services.origination.domain.state_machine import ALLOWED, ApplicationIsExpired, Status, Step
from shared.kernel.errors import Conflict, LendingError, NotFound
from shared.runtime.identity import actor
from shared.runtime.records import Records, Work
from shared.runtime.requests import an_id

APPLICANT, SERVICE = "applicant", "origination"
TRIES_MAX = 4
Answer = TypeVar("Answer", bound=Proto)
T = TypeVar("T")


class ApplicationChangedMeanwhile(Conflict):
    """Another step was taken while this one was prepared."""


class Prepared(NamedTuple):
    """What a step makes of an application, and what is stored and answered with it."""

    after: Application
    also: Callable[[Work], Awaitable[None]] | None = None
    answer: Callable[[Application], Any] | None = None


Prepare = Callable[[Application], Awaitable[Prepared]]


@dataclass(slots=True)
class Desk:
    """
    Where applications are kept; every call to another service may be repeated.

    `message` renders one for who asks; `told` its subject and body, as everybody hears of it.
    """

    records: Records
    ledger: Any
    policies: Policies
    message: Callable[[Application], pb.Application]
    told: Told
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    applied_days_back_max: int = 7

    def stamp(self, by: str = "") -> Stamp:
        """Return who acts now; the caller unless said, and where nobody is known the applicant."""
        return Stamp(self.now(), by or actor(otherwise=APPLICANT))

    def product(self, application: Application, on: date | None = None) -> Product:
        """
        Return what an application goes by: prices of its own date, the law of the contract's.

        Args:
            on: The day of a contract still to be made; None for what was disclosed last.
        """
        shown = application.shown_cost
        law_on = on or (shown.on if shown else application.applied_on)
        return self.policies.product_under(application.product, application.applied_on, law_on)

    async def business_on(self) -> date | None:
        """Return the ledger's business date; None before the first."""
        answer = await self.ledger.GetBusinessDate(ledger_pb.GetBusinessDateRequest())
        return date.fromisoformat(answer.on) if answer.on else None

    async def today(self, application: Application) -> date:
        """Return the ledger's business date, but no day before the application's own."""
        return max(application.applied_on, await self.business_on() or application.applied_on)

    async def preview(self, terms: Any, value_on: date) -> Any:
        """Ask the ledger what terms would mean; it refuses those above their ceiling."""
        return await self.ledger.PreviewLoan(
            ledger_pb.PreviewLoanRequest(terms=terms, value_on=value_on.isoformat())
        )

    async def is_booked(self, application: Application) -> bool:
        """Say whether the ledger has the loan: it was opened under terms that nobody changes."""
        try:
            await self.ledger.GetLoan(ledger_pb.GetLoanRequest(loan_id=application.loan_id))
        except NotFound:
            return False
        return True

    async def load(self, application_id: str) -> Application:
        """Return an application, or raise ApplicationNotFound."""
        async with self.records.work() as work:
            return await self.get(work, application_id)

    async def get(self, work: Work, application_id: str) -> Application:
        """Return an application within a transaction, or raise ApplicationNotFound."""
        found = await read(work, Application, application_id)
        if found is None:
            raise ApplicationNotFound(
                f"no application {application_id}",
                field="application_id",
                expected="the id of one; ListApplications has them",
            )
        return found

    async def swap(self, found: Application, after: Application) -> Application:
        """
        Store what a step made of an application as it was found, and return it as kept.

        Raises:
            ApplicationChangedMeanwhile: it is not as it was found any more.
        """
        return await self._done(lambda work: self._swap(work, found, after))

    async def _done(self, act: Callable[[Work], Awaitable[Application]]) -> Application:
        if is_trial():
            return await tried(self.records, act)
        async with self.records.work() as work:
            return await act(work)

    async def answer_once(
        self, request: Any, answer_type: type[Answer], act: Act[Answer], *, method: str = ""
    ) -> Answer:
        """Answer a request once per id; with `validate_only` say what it would do."""
        if is_trial():
            return await tried(self.records, act)
        return await self.records.answer_once(request, answer_type, act, method=method)

    async def _swap(self, work: Work, found: Application, after: Application) -> Application:
        held = await hold(work, Application, found.application_id)
        if held.now != found:
            raise ApplicationChangedMeanwhile(
                f"{found.application_id} moved on",
                field="application_id",
                expected="the same request again, after a look at where it stands",
            )
        return found if after == found else await self.keep(held, after)

    async def once(
        self, request: Any, method: str, prepare: Prepare, answer_type: type[Answer]
    ) -> Answer:
        """
        Take a step once per request id.

        Args:
            prepare: Asks others what the step needs, outside the transaction.
        Raises:
            ApplicationChangedMeanwhile: another step came between; send the request again.
        """
        an_id(request.request_id, "request_id")
        application_id = an_id(request.application_id, "application_id")
        with trying(getattr(request, "validate_only", False)):
            return await self._once(request, method, prepare, answer_type, application_id)

    async def _once(
        self,
        request: Any,
        method: str,
        prepare: Prepare,
        answer_type: type[Answer],
        application_id: str,
    ) -> Answer:
        async with self.records.work() as work:
            first = await work.answered(request, answer_type, method=method)
            if first is not None:
                return first
            found = await self.get(work, application_id)
        prepared = await prepare(found)

        async def act(work: Work) -> Answer:
            kept = await self._swap(work, found, prepared.after)
            if prepared.also is not None:
                await prepared.also(work)
            answer: Answer = (prepared.answer or self.message)(kept)
            return answer

        return await self.answer_once(request, answer_type, act, method=method)

    async def step(self, request: Any, method: str, prepare: Prepare) -> pb.Application:
        """Take a step once per request id that answers with the application."""
        return await self.once(request, method, prepare, pb.Application)

    async def begin(self, request: Any, method: str, prepare: Prepare) -> pb.Application:
        """Take a step that is carried on afterwards, again if another step came between."""
        return await _again(lambda: self.step(request, method, prepare))

    async def carry(
        self, application_id: str, on: Callable[[Application], Awaitable[Application]]
    ) -> Application:
        """Carry an application on from where it stands, again if another step came between."""

        async def once() -> Application:
            return await on(await self.load(application_id))

        return await _again(once)

    async def each(self, status: Status) -> AsyncIterator[Application]:
        """Go through all applications at a status; those that cannot be read are parked."""
        async for application in each_readable(self.records, self.now(), str(status)):
            yield application

    async def resume(self, status: Status, finish: Callable[[str], Awaitable[Application]]) -> None:
        """Finish every application that stands at a status; what cannot be finished now waits."""
        async for application in self.each(status):
            await unhindered(application.application_id, finish(application.application_id))

    async def keep(self, held: Held[Application], after: Application) -> Application:
        """Store an application with what follows from its status, and owe the message about it."""
        return await keeping.keep(held, after, self.told, self.now())

    async def show(self, work: Work, application: Application, kind: str, text: Written) -> None:
        """Keep a document as it was shown."""
        await keeping.show(work, application, kind, text, self.now())

    async def expire(self, application: Application, on: date) -> None:
        """
        Let an application lapse if its last day has passed.

        Raises:
            ApplicationIsExpired: it has.
        """
        if await self.lapsed(application, on):
            raise ApplicationIsExpired(
                f"it was valid until {application.valid_until_on}",
                field="application_id",
                expected=f"by {application.valid_until_on}",
                on=on,
            )

    async def lapsed(self, application: Application, on: date) -> bool:
        """Let an application lapse if its last day has passed, and say whether it has."""
        if Step.EXPIRE not in ALLOWED[application.status] or not is_over(application, on):
            return False
        await self.swap(application, expired(application, on, self.stamp(SERVICE)))
        return True


async def _again(act: Callable[[], Awaitable[T]]) -> T:
    for left in reversed(range(TRIES_MAX)):
        try:
            return await act()
        except ApplicationChangedMeanwhile:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


async def unhindered(name: str, work: Awaitable[object]) -> None:
    """Do one piece of work; what stops it is logged, and stops no other."""
    try:
        await work
    except LendingError as refusal:
        structlog.get_logger().warning("work waits", id=name, why=refusal.reason)
    except Exception:
        structlog.get_logger().exception("work waits", id=name)
