"""One writer: many callers wait, their commands are committed together, then all are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from services.ledger.application.asks import Ask, TooManyWaiting, Weighed, Work
from services.ledger.application.committing import Commits
from services.ledger.application.following import BUSINESS_DAY
from services.ledger.application.ports import LogUnavailable, StreamChanged
from services.ledger.domain import commands as cmd
from services.ledger.domain.book_events import BusinessDateAdvanced, RequestAnswered
from services.ledger.domain.decide import decide
from services.ledger.domain.refusals import DateOutOfOrder

BATCH_MAX = 256
COMMIT_MAX = 5_000
WAITING_MAX = 20_000
CLOSING_ATTEMPTS_MAX = 3
TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class Writer(Commits):
    """The only one who appends: callers wait in a queue, and one thread commits for all of them."""

    on_commit: Callable[[], None] = lambda: None
    queue: asyncio.Queue[Work] = field(default_factory=asyncio.Queue)
    waiting: int = 0
    business_days: int = 0
    closings: dict[str, BusinessDateAdvanced] = field(default_factory=dict)
    day_unsure: bool = False
    open: dict[object, datetime] = field(default_factory=dict)
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def load_business_date(self) -> None:
        """Read where the book stands: before serving, and when an append may have been lost."""
        days = [
            day for day in self.log.stream(BUSINESS_DAY) if isinstance(day, BusinessDateAdvanced)
        ]
        self.business_days = len(days)
        self.closings = {day.request_id: day for day in days}
        if days:
            self.business_on = days[-1].on
        self.day_unsure = False

    async def ask(
        self,
        command: cmd.Asked,
        body_sha256: str = "",
        formerly: str = "",
        approved_until: datetime | None = None,
    ) -> RequestAnswered:
        """
        Carry out one command, durably.

        Args:
            command: What is asked.
            body_sha256: Hash of the request's body; the same id with another is refused.
            formerly: What that hash was in earlier versions, where it differs.
            approved_until: When the second person's word ends under which it is asked.
        Raises:
            LendingError: the refusal; nothing was stored.
            TooManyWaiting: try again later with the same request id.
        """
        ask = Ask(command, body_sha256, formerly, approved_until)
        await self.ask_all([ask])
        assert ask.outcome is not None
        if isinstance(ask.outcome, Exception):
            raise ask.outcome
        return ask.outcome

    async def ask_all(
        self, asks: list[Ask], *, atomic: bool = False, patient: bool = False
    ) -> None:
        """
        Carry out many commands; each ask then says what became of it.

        Args:
            asks: In the order in which they are to be decided.
            atomic: Store all, in one transaction, or none.
            patient: Wait even where too many wait; for work of our own, which asks one at a time.
        Raises:
            TooManyWaiting: nothing was stored; try again later with the same request ids.
        """
        if not patient and self.waiting and self.waiting + len(asks) > WAITING_MAX:
            raise TooManyWaiting("too many commands are waiting")
        work = Work(asks, asyncio.get_running_loop().create_future(), atomic)
        self.waiting += len(asks)
        self.open[id(work)] = min(ask.command.recorded_at for ask in asks)
        self.queue.put_nowait(work)
        await work.done

    @contextmanager
    def recording(self, at: datetime) -> Iterator[None]:
        """Hold an instant open while what will be recorded as of it is on its way to the queue."""
        way = object()
        self.open[way] = at
        try:
            yield
        finally:
            del self.open[way]

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
        if self.day_unsure:
            self.load_business_date()
        before = self.account(command.loan_id)
        events = decide(before, self.in_turn(command, before))
        return Weighed(before, tuple(events), self.business_on)

    async def run(self, stop: asyncio.Event) -> None:
        """Commit what waits, batch after batch, until told to stop; then drain."""
        loop = asyncio.get_running_loop()
        while not (stop.is_set() and self.queue.empty()):
            first = await self._next()
            if first is None:
                continue
            works = [first]
            count = len(works[0].asks)
            while count < BATCH_MAX and not self.queue.empty():
                works.append(self.queue.get_nowait())
                count += len(works[-1].asks)
            await loop.run_in_executor(self.thread, self._commit_works, works)
            self.waiting -= count
            self.on_commit()
            for work in works:
                del self.open[id(work)]
                work.finish()

    async def _next(self) -> Work | None:
        """Return what waits; None after a while in which nothing came."""
        if not self.queue.empty():
            return self.queue.get_nowait()
        try:
            return await asyncio.wait_for(self.queue.get(), timeout=0.2)
        except TimeoutError:
            return None

    def _commit_works(self, works: Sequence[Work]) -> None:
        """Commit the asks of many callers together; those of an atomic one on their own."""
        together = [ask for work in works if not work.atomic for ask in work.asks]
        parts = [together[k : k + COMMIT_MAX] for k in range(0, len(together), COMMIT_MAX)]
        for part in parts:
            self._guarded(part, self.commit)
        for work in works:
            if work.atomic:
                self._guarded(work.asks, self.commit_all)

    def _guarded(self, asks: Sequence[Ask], commit: Callable[[Sequence[Ask]], None]) -> None:
        """Let a failure of the store reach its callers, and start again from the log."""
        try:
            if self.day_unsure:
                self.load_business_date()
            commit(asks)
        except Exception as failure:
            if not isinstance(failure, LogUnavailable):
                structlog.get_logger().exception("a commit failed", asks=len(asks))
            self.accounts.clear()
            for ask in asks:
                ask.outcome, ask.events = failure, ()

    async def close_day(self, event: BusinessDateAdvanced) -> None:
        """
        Record that days are closed; only called when every loan was aged up to the date.

        Recorded and known in one step of the one thread, also for a caller who hangs up: no command
        is decided under a date that the log has left behind. The same date again records nothing.

        Raises:
            DateOutOfOrder: a later date was closed meanwhile, for one who hung up or elsewhere.
            LogUnavailable: it is not known whether the day is closed; the same date again tells.
        """
        loop = asyncio.get_running_loop()
        closing = loop.run_in_executor(self.thread, self._close_day, event)
        self.open[closing] = event.recorded_at
        closing.add_done_callback(self.open.pop)
        await asyncio.shield(closing)
        self.on_commit()

    def _close_day(self, event: BusinessDateAdvanced) -> None:
        for _ in range(CLOSING_ATTEMPTS_MAX):
            if self.day_unsure:
                self.load_business_date()
            if event.on == self.business_on:
                return
            if self.business_on is not None and event.on < self.business_on:
                expected = f"from {self.business_on}"
                raise DateOutOfOrder("the day was closed meanwhile", field="to", expected=expected)
            self.day_unsure = True
            try:
                self.log.append([(BUSINESS_DAY, self.business_days, [event])])
            except StreamChanged:
                continue
            except LogUnavailable:
                self.load_business_date()
                if self.business_on != event.on:
                    raise
                return
            self.business_days += 1
            self.closings[event.request_id] = event
            self.business_on, self.day_unsure = event.on, False
            return
        raise LogUnavailable("another writer closes days")
