"""One writer: many callers' commands decided in memory, committed together, then answered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec

from services.ledger.application.ports import Log, StreamChanged
from services.ledger.domain import commands as cmd
from services.ledger.domain.book_events import BusinessDateAdvanced, RequestAnswered
from services.ledger.domain.decide import decide
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.refusals import LoanChangedMeanwhile, RequestIdReused
from shared.kernel.errors import Exhausted, LendingError

BATCH_MAX = 256
WAITING_MAX = 20_000
ACCOUNTS_MAX = 50_000
BUSINESS_DAY = "business-day"
TICK = timedelta(microseconds=1)


class TooManyWaiting(Exhausted):
    """More commands wait for the log than we accept."""


@dataclass(slots=True)
class Ask:
    """One command on its way; `body_sha256` is empty for work that needs no request record."""

    command: cmd.Asked
    body_sha256: str
    answer: asyncio.Future[RequestAnswered]
    outcome: RequestAnswered | Exception | None = None


class Weighed(NamedTuple):
    """A command decided and not stored: the loan before, and what would be recorded."""

    before: LoanAccount | None
    events: tuple[Fact, ...]
    business_on: date | None


@dataclass(slots=True)
class Writer:
    """The only one who appends; decides against accounts kept in memory."""

    log: Log
    on_commit: Callable[[], None] = lambda: None
    queue: asyncio.Queue[Ask] = field(default_factory=lambda: asyncio.Queue(WAITING_MAX))
    accounts: OrderedDict[str, LoanAccount] = field(default_factory=OrderedDict)
    business_on: date | None = None
    business_days: int = 0
    open: dict[object, datetime] = field(default_factory=dict)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def load_business_date(self) -> None:
        """Read where the book stands; once, before serving."""
        days = self.log.stream(BUSINESS_DAY)
        self.business_days = len(days)
        if days:
            assert isinstance(days[-1], BusinessDateAdvanced)
            self.business_on = days[-1].on

    async def ask(self, command: cmd.Asked, body_sha256: str = "") -> RequestAnswered:
        """
        Carry out one command, durably.

        Args:
            command: What is asked.
            body_sha256: Hash of the request's body; the same id with another is refused.
        Raises:
            LendingError: the refusal; nothing was stored.
            TooManyWaiting: try again later with the same request id.
        """
        ask = Ask(command, body_sha256, asyncio.get_running_loop().create_future())
        try:
            self.queue.put_nowait(ask)
        except asyncio.QueueFull:
            raise TooManyWaiting("too many commands are waiting") from None
        self.open[id(ask)] = command.recorded_at
        try:
            return await ask.answer
        finally:
            del self.open[id(ask)]

    def settled_at(self, now: datetime) -> datetime:
        """Return the latest instant at which nothing can be recorded any more."""
        return min(self.open.values(), default=now + TICK) - TICK

    async def weigh(self, command: cmd.Asked) -> Weighed:
        """
        Decide a command as `ask` would now, and store nothing.

        Raises:
            LendingError: the refusal that `ask` would give.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.thread, self._weighed, command)

    def _weighed(self, command: cmd.Asked) -> Weighed:
        before = self.account(command.loan_id)
        events = decide(before, msgspec.structs.replace(command, business_on=self.business_on))
        return Weighed(before, tuple(events), self.business_on)

    async def run(self, stop: asyncio.Event) -> None:
        """Commit what waits, batch after batch, until told to stop; then drain."""
        loop = asyncio.get_running_loop()
        while not (stop.is_set() and self.queue.empty()):
            try:
                batch = [await asyncio.wait_for(self.queue.get(), timeout=0.2)]
            except TimeoutError:
                continue
            while len(batch) < BATCH_MAX and not self.queue.empty():
                batch.append(self.queue.get_nowait())
            try:
                await loop.run_in_executor(self.thread, self.commit, batch)
            except Exception as failure:
                self.accounts.clear()
                for ask in batch:
                    ask.outcome = failure
            self.on_commit()
            for ask in batch:
                _answer(ask)

    async def close_day(self, event: BusinessDateAdvanced) -> None:
        """Record that days are closed; only called when every loan was aged up to the date."""
        loop = asyncio.get_running_loop()
        streams = [(BUSINESS_DAY, self.business_days, [event])]
        await loop.run_in_executor(self.thread, self.log.append, streams)
        self.business_days += 1
        self.business_on = event.on
        self.on_commit()

    def commit(self, batch: Sequence[Ask]) -> None:
        """Decide a batch and store it in one transaction; on conflict each alone, from the log."""
        fresh: dict[str, LoanAccount | None] = {}
        streams: list[tuple[str, int, Sequence[msgspec.Struct]]] = []
        asked: dict[str, Ask] = {}
        for ask in batch:
            request_id = ask.command.request_id
            if ask.body_sha256 and request_id in asked:
                continue
            try:
                streams += self._decided(ask, fresh)
                asked[request_id] = ask
            except LendingError as refusal:
                ask.outcome = self._first_answer(ask) or refusal
        try:
            if streams:
                self.log.append(streams)
        except StreamChanged:
            self._forget(fresh)
            for ask in batch:
                if not isinstance(ask.outcome, Exception):
                    self._commit_alone(ask)
            return
        self._remember(fresh)
        for ask in batch:
            if ask.outcome is None:
                ask.outcome = self._first_answer(ask)

    def account(self, loan_id: str) -> LoanAccount | None:
        """Return a loan as it stands; from memory, else from the log."""
        known = self.accounts.get(loan_id)
        return known if known is not None else fold(self.log.stream(f"loan/{loan_id}"))

    def _decided(
        self, ask: Ask, fresh: dict[str, LoanAccount | None]
    ) -> list[tuple[str, int, Sequence[msgspec.Struct]]]:
        loan_id = ask.command.loan_id
        before = fresh[loan_id] if loan_id in fresh else self.account(loan_id)
        command = msgspec.structs.replace(ask.command, business_on=self.business_on)
        events = decide(before, command)
        after = fold(events, before)
        fresh[loan_id] = after
        answered = RequestAnswered(
            request_id=command.request_id,
            body_sha256=ask.body_sha256,
            loan_id=loan_id,
            loan_version=after.version if after else 0,
            business_on=self.business_on,
        )
        ask.outcome = answered
        streams: list[tuple[str, int, Sequence[msgspec.Struct]]] = []
        if events:
            streams.append((f"loan/{loan_id}", before.version if before else 0, events))
        if ask.body_sha256:
            streams.append((f"request/{command.request_id}", 0, [answered]))
        return streams

    def _commit_alone(self, ask: Ask) -> None:
        """Answer one request after a conflict: its first answer, or a fresh decision."""
        first = self._first_answer(ask)
        if first is not None:
            ask.outcome = first
            return
        fresh: dict[str, LoanAccount | None] = {}
        self.accounts.pop(ask.command.loan_id, None)
        try:
            self.log.append(self._decided(ask, fresh))
            self._remember(fresh)
        except LendingError as refusal:
            ask.outcome = refusal
        except StreamChanged:
            self._forget(fresh)
            changed = LoanChangedMeanwhile("another writer was first", loan=ask.command.loan_id)
            ask.outcome = self._first_answer(ask) or changed

    def _first_answer(self, ask: Ask) -> RequestAnswered | Exception | None:
        """Return what the request id was answered before; a refusal if its body differed."""
        if not ask.body_sha256:
            return None
        stored = self.log.stream(f"request/{ask.command.request_id}")
        if not stored:
            return None
        first = stored[0]
        assert isinstance(first, RequestAnswered)
        if first.body_sha256 != ask.body_sha256:
            return RequestIdReused(
                "the request id was used with another body", field="request_id", expected="a new id"
            )
        return first

    def _remember(self, fresh: dict[str, LoanAccount | None]) -> None:
        for loan_id, account in fresh.items():
            if account is not None:
                self.accounts[loan_id] = account
                self.accounts.move_to_end(loan_id)
        while len(self.accounts) > ACCOUNTS_MAX:
            self.accounts.popitem(last=False)

    def _forget(self, fresh: dict[str, LoanAccount | None]) -> None:
        for loan_id in fresh:
            self.accounts.pop(loan_id, None)


def _answer(ask: Ask) -> None:
    """Hand the outcome to the caller, if it still waits."""
    if ask.answer.done():
        return
    if isinstance(ask.outcome, RequestAnswered):
        ask.answer.set_result(ask.outcome)
    else:
        ask.answer.set_exception(ask.outcome or RuntimeError("a command was left undecided"))
