"""Disaster relief in bulk: previewed, declared for a region in one stroke, ended or undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from services.collections.application import trail
from services.collections.application.deciding import MessageOvertaken, moved
from services.collections.application.desk import Desk, messages_of
from services.collections.application.orders import Order
from services.collections.application.pausing import (
    PAUSES,
    Follow,
    Loan,
    Pausing,
    disasters_on,
    seen,
)
from services.collections.application.shielding import take_back
from services.collections.domain import disaster as domain
from services.collections.domain.case import Case
from services.collections.domain.debtor import Debtor
from services.collections.domain.disaster import Disaster, DisasterNotFound
from services.collections.domain.message import Message, MessageState
from services.collections.domain.pauses import LoanPauses
from shared.runtime.records import Work

SHOWN_MAX, PART = 200, 100
WAITING = (MessageState.PLANNED, MessageState.READY)
RUNNING, DONE = "RUNNING", "DONE"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One declaration or end, carried out part by part: `cursor` is the last debtor done."""

    run_id: str
    disaster_id: str
    ends: bool
    by: str
    on: date
    cursor: str = ""
    debtors: int = 0
    cases: int = 0


class Touched(NamedTuple):
    """A debtor in the region, or once paused for living there, with all loans."""

    debtor: Debtor
    loans: list[Loan]

    @property
    def late(self) -> list[Case]:
        """The open cases."""
        return [loan.case for loan in self.loans if loan.case.open]


@dataclass(slots=True)
class Relieved:
    """Whom a disaster concerns; arrears in minor units by currency, pauses by state."""

    disaster: Disaster
    debtors: int = 0
    cases: int = 0
    waiting: int = 0
    shown: list[str] = field(default_factory=list)
    arrears: Counter[str] = field(default_factory=Counter)
    pauses: Counter[str] = field(default_factory=Counter)
    state: str = ""
    done: int = 0


@dataclass(slots=True)
class Relief:
    """Disasters by id; each run of one goes on where it was, whoever was killed in it."""

    desk: Desk
    pausing: Pausing

    async def disaster(self, work: Work, disaster_id: str) -> Disaster:
        """Return a disaster; raise DisasterNotFound."""
        found = await work.get(Disaster, disaster_id)
        if found is None:
            raise DisasterNotFound(f"no disaster {disaster_id[:64]!r}", field="disaster_id")
        return found

    async def concerned(self, disaster: Disaster) -> Relieved:
        """Say whom a disaster concerns, declared or not, part by part; nothing is changed."""
        found, cursor, more = Relieved(disaster), "", True
        while more:
            async with self.desk.records.work() as work:
                cursor, more, touched = await self._part(work, disaster, cursor)
                others = await disasters_on(work)
                on = [*(d for d in others if d.disaster_id != disaster.disaster_id), disaster]
                for one in touched:
                    found.debtors += 1
                    found.shown = [*found.shown, one.debtor.borrower_ref][:SHOWN_MAX]
                    for case in one.late:
                        found.cases += 1
                        found.arrears[case.currency] += case.last.arrears_minor
                        found.waiting += len(await _waiting(work, case))
                    for loan in one.loans:
                        found.pauses += Counter(seen(loan, on))
        return found

    async def _part(
        self, work: Work, disaster: Disaster, cursor: str
    ) -> tuple[str, bool, list[Touched]]:
        """Return the next debtors in the region, where that ends, and whether there are more."""
        page = await work.find(Debtor, after=cursor, limit=PART)
        names = [loan_id for one in page for loan_id in one.loans]
        known = await work.get_all(LoanPauses, names)
        paused = {name for name, one in known.items() if disaster.disaster_id in one.disasters}
        ours = [one for one in page if disaster.covers(one) or paused & set(one.loans)]
        cases = await work.get_all(Case, [loan_id for one in ours for loan_id in one.loans])
        touched = []
        for one in ours:
            names = [name for name in sorted(one.loans) if name in cases]
            none = {name: LoanPauses(loan_id=name) for name in names}
            loans = [Loan(cases[name], one, {**none, **known}[name]) for name in names]
            touched.append(Touched(one, loans))
        return page[-1].borrower_ref if page else cursor, len(page) == PART, touched

    async def progress(self, disaster_id: str) -> Relieved:
        """Say whom a disaster concerns now, how far it is, and what the ledger did for it."""
        async with self.desk.records.work() as work:
            disaster = await self.disaster(work, disaster_id)
            runs = [run async for run in self._runs(work, disaster_id)]
            waits = [run async for run in self._runs(work, disaster_id, RUNNING)]
        found = await self.concerned(disaster)
        found.state, found.done = RUNNING if waits else DONE, runs[-1].debtors if runs else 0
        found.pauses = Counter()
        async with self.desk.records.work() as work:
            for kind in ("pause", "resume"):
                prefix = f"relief-{kind}-{trail.key_of(disaster_id)}-"
                async for order in work.every(Order, after=prefix, before=f"{prefix}~"):
                    found.pauses[f"{kind} {order.state.lower()}"] += 1
        return found

    def _runs(self, work: Work, disaster_id: str, state: str = "") -> AsyncIterator[Run]:
        return work.every(Run, state=state, after=f"{disaster_id}/", before=f"{disaster_id}0")

    async def declare(self, work: Work, disaster: Disaster) -> None:
        """Shield a region from now on; what follows from it is carried out part by part."""
        await work.put(disaster, disaster.disaster_id, "ON")
        run = Run(
            run_id=f"{disaster.disaster_id}/0000",
            disaster_id=disaster.disaster_id,
            ends=False,
            by=disaster.declared_by,
            on=disaster.from_on,
        )
        await work.put(run, run.run_id, RUNNING)

    async def end(self, work: Work, disaster_id: str, last_on: date, by: str) -> Disaster:
        """End a disaster or undo it; what follows from it is carried out part by part."""
        await work.hold(f"disaster/{disaster_id}")
        disaster = domain.ended(await self.disaster(work, disaster_id), last_on, by)
        over = disaster.last_on < disaster.from_on
        await work.put(disaster, disaster_id, "UNDONE" if over else "ON")
        number = len([run async for run in self._runs(work, disaster_id)])
        run = Run(
            run_id=f"{disaster_id}/{number:04}",
            disaster_id=disaster_id,
            ends=True,
            by=by,
            on=disaster.last_on,
        )
        await work.put(run, run.run_id, RUNNING)
        return disaster

    async def carry_on(
        self, disaster_id: str = "", until: Callable[[], bool] | None = None
    ) -> None:
        """Carry on with every run that is not over, or those of one disaster, until it is time."""
        async with self.desk.records.work() as work:
            runs = [run async for run in work.every(Run, state=RUNNING)]
            late = [one async for one in work.every(Follow, state="DUE")]
        for run in runs:
            if disaster_id in ("", run.disaster_id):
                while await self._carry_on(run.run_id):
                    if until is not None and until():
                        return
        for one in late:
            await self.pausing.follow_due(self.desk.records, one.loan_id)

    async def _carry_on(self, run_id: str) -> bool:
        """Carry out the next part of a run; False: it is over."""
        async with self.desk.records.work() as work:
            run = await work.get(Run, run_id)
            assert run is not None
            disaster = await self.disaster(work, run.disaster_id)
            _, _, touched = await self._part(work, disaster, run.cursor)
        # What is of one borrower is done first, each in a transaction of its own: done again
        # after a kill, it changes nothing.
        for one in touched:
            await (self._ask_again(disaster, one) if run.ends else self._recall(disaster, one))
        async with self.desk.records.work() as work:
            await work.hold(PAUSES)
            now = await work.get(Run, run_id)
            assert now is not None
            if now.cursor != run.cursor:
                return True
            end, more, touched = await self._part(work, disaster, run.cursor)
            await self._note(work, run, disaster, touched)
            await self._pause(work, run, disaster, touched)
            done = msgspec.structs.replace(
                run,
                cursor=end,
                debtors=run.debtors + len(touched),
                cases=run.cases + sum(len(one.late) for one in touched),
            )
            await work.move(done, run_id, (RUNNING, RUNNING if more else DONE))
        return more

    async def _recall(self, disaster: Disaster, one: Touched) -> None:
        """Take loans back from agencies, which would call on into the flood."""
        today = self.desk.sending.clock.today()
        if disaster.last_on < max(disaster.from_on, today):
            return
        on = max(disaster.from_on, today)
        for case in one.late:
            async with self.desk.records.work() as work:
                await take_back(self.desk, work, case.loan_id, on)

    async def _ask_again(self, disaster: Disaster, one: Touched) -> None:
        """Let what waits be asked about again: not before its own reason, nor before today."""
        over_on = disaster.last_on + timedelta(days=1)
        for case in one.late:
            async with self.desk.records.work() as work:
                for message in await _waiting(work, case):
                    today = self.desk.sending.clock.today()
                    again = trail.noon(max(over_on, message.because_on, today))
                    if message.state is MessageState.PLANNED and message.planned_at > again:
                        with suppress(MessageOvertaken):
                            await moved(work, message, planned_at=again)

    async def _note(
        self, work: Work, run: Run, disaster: Disaster, touched: Sequence[Touched]
    ) -> None:
        what, said = "PROTECTION_ENDED" if run.ends else "PROTECTED", f"DISASTER {disaster.said()}"
        about = [(one.debtor.borrower_ref, next(iter(one.debtor.loans), "")) for one in touched]
        await trail.decided_all(work, about, self.desk.stamp(run.on), what, run.by, said)

    async def _pause(
        self, work: Work, run: Run, disaster: Disaster, touched: Sequence[Touched]
    ) -> None:
        """Let pauses follow; of an undone one there is nothing to begin, only to end."""
        if disaster.pauses:
            loans = [loan for one in touched for loan in one.loans if run.ends or loan.case.open]
            await self.pausing.follow(work, loans, await disasters_on(work))

    async def settle(self, work: Work, subject_id: str, refusal: str) -> None:
        """Write down what the ledger did with a pause or its end."""
        when = self.desk.stamp(self.desk.sending.clock.today())
        await self.pausing.settle(work, subject_id, refusal, when)


async def _waiting(work: Work, case: Case) -> list[Message]:
    """Return the messages of a case that have not left."""
    return [one for one in await messages_of(work, case.loan_id) if one.state in WAITING]
