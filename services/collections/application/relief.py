"""Disaster relief in bulk: previewed, declared for a region in one stroke, ended or undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application import trail
from services.collections.application.deciding import MessageOvertaken, moved
from services.collections.application.desk import Desk, messages_of
from services.collections.application.orders import Order, Orders
from services.collections.application.placements import is_out, recall
from services.collections.domain import disaster as domain
from services.collections.domain.case import Case
from services.collections.domain.debtor import Debtor
from services.collections.domain.disaster import Disaster, DisasterNotFound
from services.collections.domain.message import Message, MessageState
from shared.runtime.records import Work

SHOWN_MAX = 200


@dataclass(slots=True)
class Relieved:
    """Whom a disaster concerns; arrears in minor units by currency, pauses by state."""

    disaster: Disaster
    debtors: list[Debtor] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    waiting: list[Message] = field(default_factory=list)
    arrears: Counter[str] = field(default_factory=Counter)
    pauses: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Relief:
    """Disasters by id."""

    desk: Desk
    orders: Orders

    async def disaster(self, work: Work, disaster_id: str) -> Disaster:
        """Return a disaster; raise DisasterNotFound."""
        found = await work.get(Disaster, disaster_id)
        if found is None:
            raise DisasterNotFound(f"no disaster {disaster_id[:64]!r}", field="disaster_id")
        return found

    async def concerned(self, work: Work, disaster: Disaster) -> Relieved:
        """Say whom a disaster concerns, declared or not; nothing is changed."""
        found = Relieved(disaster)
        async for debtor in work.every(Debtor):
            if disaster.covers(debtor):
                await self._add(work, found, debtor)
        key = trail.key_of(disaster.disaster_id)
        for kind in ("pause", "resume"):
            prefix = f"relief-{kind}-{key}-"
            async for order in work.every(Order, after=prefix, before=f"{prefix}~"):
                found.pauses[f"{kind} {order.state.lower()}"] += 1
        return found

    async def _add(self, work: Work, found: Relieved, debtor: Debtor) -> None:
        found.debtors.append(debtor)
        cases = await work.get_all(Case, debtor.loans)
        for _, case in sorted(cases.items()):
            if case.open:
                found.cases.append(case)
                found.arrears[case.currency] += case.last.arrears_minor
                states = (MessageState.PLANNED, MessageState.READY)
                planned = await messages_of(work, case.loan_id)
                found.waiting += [one for one in planned if one.state in states]

    async def declare(self, work: Work, disaster: Disaster) -> Relieved:
        """Shield a region; with pauses, the ledger is told of every open case."""
        await work.put(disaster, disaster.disaster_id, "ON")
        found = await self.concerned(work, disaster)
        await self._note(work, found, "PROTECTED", disaster.from_on, disaster.declared_by)
        for case in found.cases:
            await self._recall(work, case, disaster)
        if disaster.pauses:
            await self._order(work, found, [case.loan_id for case in found.cases], "pause")
        return found

    async def _recall(self, work: Work, case: Case, disaster: Disaster) -> None:
        """Take a loan back from an agency, which would call on into the flood."""
        if not await is_out(work, case.loan_id):
            return
        await work.hold(case.borrower_ref)
        held = await work.get(Case, case.loan_id)
        assert held is not None
        on = max(disaster.from_on, self.desk.sending.clock.today())
        await recall(work, held, on, "collections", "shielded")
        await self.desk.keep(work, held, ["agency_recalled"], f"recall.{disaster.disaster_id}")

    async def end(self, work: Work, disaster_id: str, last_on: date, by: str) -> Relieved:
        """End a disaster or undo it: what waits is asked about again, pauses end."""
        disaster = domain.ended(await self.disaster(work, disaster_id), last_on, by)
        over = disaster.last_on < disaster.from_on
        await work.put(disaster, disaster_id, "UNDONE" if over else "ON")
        found = await self.concerned(work, disaster)
        await self._note(work, found, "PROTECTION_ENDED", disaster.last_on, by)
        prefix = f"relief-pause-{trail.key_of(disaster_id)}-"
        paused = [one async for one in work.every(Order, after=prefix, before=f"{prefix}~")]
        loans = [one.subject_id.partition("/")[2] for one in paused if one.state != "REFUSED"]
        await self._order(work, found, loans, "resume")
        over_on = disaster.last_on + timedelta(days=1)
        for message in found.waiting:
            # Not before its own reason, nor before today: what was put off is not back-dated.
            again = trail.noon(max(over_on, message.because_on, self.desk.sending.clock.today()))
            if message.state is MessageState.PLANNED and message.planned_at > again:
                with suppress(MessageOvertaken):
                    await moved(work, message, planned_at=again)
        return found

    async def _order(self, work: Work, found: Relieved, loans: Iterable[str], kind: str) -> None:
        """Order from the ledger, loan by loan; the next look at what is due carries it out."""
        for loan_id in loans:
            asked = (
                _pause(found.disaster, loan_id)
                if kind == "pause"
                else _resume(found.disaster, loan_id)
            )
            await self.orders.place(work, "relief", f"{kind}/{loan_id}", asked)
            found.pauses[f"{kind} due"] += 1

    async def settle(self, work: Work, subject_id: str, refusal: str) -> None:
        """Write down what the ledger did with a pause or its end."""
        kind, _, loan_id = subject_id.partition("/")
        case = await work.get(Case, loan_id)
        if case is not None:
            said = (
                f"{kind} refused by the ledger: {refusal}" if refusal else f"{kind} in the ledger"
            )
            loan, on = (case.borrower_ref, loan_id), self.desk.sending.clock.today()
            await trail.decided(work, loan, on, "RELIEF", "collections", said)

    async def _note(self, work: Work, found: Relieved, what: str, on: date, by: str) -> None:
        said = f"DISASTER {_said(found.disaster)}"
        for debtor in found.debtors:
            loan = (debtor.borrower_ref, debtor.loans[0] if debtor.loans else "")
            await trail.decided(work, loan, on, what, by, said)


def _pause(disaster: Disaster, loan_id: str) -> ledger_pb.PauseDelinquencyRequest:
    return ledger_pb.PauseDelinquencyRequest(
        request_id=_order_id("pause", disaster, loan_id),
        loan_id=loan_id,
        from_on=disaster.from_on.isoformat(),
        until_on=disaster.until_on.isoformat(),
        reason=_said(disaster),
    )


def _resume(disaster: Disaster, loan_id: str) -> ledger_pb.ResumeDelinquencyRequest:
    """Return the order that ends a pause; its first day stays, a pause has at least one."""
    return ledger_pb.ResumeDelinquencyRequest(
        request_id=_order_id("resume", disaster, loan_id),
        loan_id=loan_id,
        on=max(disaster.last_on, disaster.from_on).isoformat(),
        reason=f"ended: {_said(disaster)}"[:200],
    )


def _order_id(kind: str, disaster: Disaster, loan_id: str) -> str:
    return f"relief-{kind}-{trail.key_of(disaster.disaster_id)}-{trail.key_of(loan_id)}"


def _said(disaster: Disaster) -> str:
    return f"{disaster.disaster_id} in {disaster.region}: {disaster.note}"[:190]


def shown(debtors: Iterable[Debtor]) -> list[str]:
    """Return the first references, in order."""
    return sorted(one.borrower_ref for one in debtors)[:SHOWN_MAX]
