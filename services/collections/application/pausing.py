"""Pauses in the ledger follow the shield: ordered, ended, and ordered again where another holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from google.protobuf.message import Message as Proto
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application import trail
from services.collections.application.clock import Stamp
from services.collections.application.orders import Orders
from services.collections.domain.case import Case
from services.collections.domain.debtor import Debtor
from services.collections.domain.disaster import Disaster
from services.collections.domain.pauses import LoanPauses, Nights, Pause, ends_on, missing, wanted
from shared.runtime.records import Records, Work

PAUSES = "relief-pauses"
"""Who changes pauses holds this name, and waits for no other while it does."""


class Follow(msgspec.Struct, frozen=True, kw_only=True):
    """A loan whose pauses are to be looked at: late, or moved, since a disaster was declared."""

    loan_id: str


class Loan(NamedTuple):
    """A loan with whose it is and how it was paused."""

    case: Case
    debtor: Debtor
    known: LoanPauses


class Wish(NamedTuple):
    """One order to the ledger, and whose end is written down under which id."""

    subject_id: str
    request: Proto


async def let_follow(work: Work, case: Case, debtor: Debtor) -> None:
    """Note a loan whose debtor lives in a disaster's region: its pauses follow in their turn."""
    if any(one.pauses and one.covers(debtor) for one in await disasters_on(work)):
        await work.put(Follow(loan_id=case.loan_id), case.loan_id, "DUE")


async def disasters_on(work: Work) -> list[Disaster]:
    """Return the disasters that were declared and not undone."""
    return [one async for one in work.every(Disaster, state="ON")]


@dataclass(slots=True)
class Pausing:
    """Orders pauses and their ends."""

    orders: Orders

    async def follow(
        self, work: Work, loans: Iterable[Loan], disasters: Sequence[Disaster]
    ) -> None:
        """
        Let the pauses of loans be those that disasters want where their debtors live.

        A pause ends only where no disaster wants its nights; what another one wants besides is
        ordered when the ledger has ended it.
        """
        assert PAUSES in work.held, "pauses are changed by who holds them"
        changed: dict[str, tuple[LoanPauses, str]] = {}
        wishes: list[Wish] = []
        for loan in loans:
            known, mine = planned(loan, disasters)
            if mine:
                changed[known.loan_id] = (known, "")
                wishes += mine
        await self.orders.place_all(work, "relief", wishes)
        await work.put_all(LoanPauses, changed)

    async def follow_due(self, records: Records, loan_id: str) -> None:
        """Let the pauses of a loan that was noted follow."""
        async with records.work() as work:
            await work.hold(PAUSES)
            # Before it is looked at: who notes it meanwhile, notes it for the next time.
            await work.move(Follow(loan_id=loan_id), loan_id, ("DUE", "DONE"))
            await self._follow_one(work, loan_id)

    async def _follow_one(self, work: Work, loan_id: str) -> None:
        case = await work.get(Case, loan_id)
        debtor = await work.get(Debtor, case.borrower_ref) if case else None
        if case is not None and debtor is not None:
            known = await work.get(LoanPauses, loan_id) or LoanPauses(loan_id=loan_id)
            await self.follow(work, [Loan(case, debtor, known)], await disasters_on(work))

    async def settle(self, work: Work, subject_id: str, refusal: str, when: Stamp) -> None:
        """Write down what the ledger did with a pause or its end; then what waited is ordered."""
        kind, loan_id, number = subject_id.split("/")
        await work.hold(PAUSES)
        case, known = await work.get(Case, loan_id), await work.get(LoanPauses, loan_id)
        assert case is not None and known is not None, "only loans with a case are paused"
        said = f"{kind} refused by the ledger: {refusal}" if refusal else f"{kind} in the ledger"
        loan = (case.borrower_ref, loan_id)
        await trail.decided(work, loan, when, "RELIEF", "collections", said)
        if kind == "pause" and refusal:
            pauses = [
                msgspec.structs.replace(one, refused=True) if str(one.number) == number else one
                for one in known.pauses
            ]
            await work.put(msgspec.structs.replace(known, pauses=tuple(pauses)), loan_id)
        if kind == "resume":
            await work.put(msgspec.structs.replace(known, waits=known.waits - 1), loan_id)
            await self._follow_one(work, loan_id)


def seen(loan: Loan, disasters: Sequence[Disaster]) -> Mapping[str, int]:
    """Return how many pauses would end now, and begin at once or after that."""
    spans = wanted(_of(loan, disasters))
    left = [msgspec.structs.replace(p, until_on=ends_on(p, spans)) for p in loan.known.pauses]
    ended = sum(a != b for a, b in zip(left, loan.known.pauses, strict=True))
    return {"pause": len(_begins(loan, left, spans)), "resume": ended}


def planned(loan: Loan, disasters: Sequence[Disaster]) -> tuple[LoanPauses, list[Wish]]:
    """Return the pauses of a loan as they are to be, and what is asked of the ledger for that."""
    ours, known = _of(loan, disasters), loan.known
    spans = wanted(ours)
    pauses, wishes = [], []
    for pause in known.pauses:
        last_on = ends_on(pause, spans)
        if last_on < pause.until_on:
            number = known.orders + len(wishes)
            asked = ledger_pb.ResumeDelinquencyRequest(
                request_id=_order_id("resume", pause.disaster_id, known, number),
                loan_id=known.loan_id,
                on=last_on.isoformat(),
                reason=f"ended: {pause.disaster_id}",
            )
            wishes.append(Wish(f"resume/{known.loan_id}/{number}", asked))
        pauses.append(msgspec.structs.replace(pause, until_on=last_on))
    known = msgspec.structs.replace(
        known,
        pauses=tuple(pauses),
        orders=known.orders + len(wishes),
        waits=known.waits + len(wishes),
    )
    for nights in _begins(loan, pauses, spans) if not known.waits else ():
        known, wish = _begun(known, nights, ours)
        wishes.append(wish)
    return known, wishes


def _begins(loan: Loan, pauses: Sequence[Pause], spans: Sequence[Nights]) -> list[Nights]:
    case = loan.case
    return missing(pauses, spans, case.episodes[-1].opened_on) if case.open else []


def _begun(known: LoanPauses, nights: Nights, ours: Sequence[Disaster]) -> tuple[LoanPauses, Wish]:
    meant = [one for one in ours if one.from_on <= nights.from_on < one.last_on]
    why, number = max(meant, key=lambda one: one.last_on), known.orders
    asked = ledger_pb.PauseDelinquencyRequest(
        request_id=_order_id("pause", why.disaster_id, known, number),
        loan_id=known.loan_id,
        from_on=nights.from_on.isoformat(),
        until_on=nights.until_on.isoformat(),
        reason=why.said(),
    )
    pause = Pause(
        number=number,
        disaster_id=why.disaster_id,
        from_on=nights.from_on,
        until_on=nights.until_on,
    )
    changed = msgspec.structs.replace(known, pauses=(*known.pauses, pause), orders=number + 1)
    return changed, Wish(f"pause/{known.loan_id}/{number}", asked)


def _of(loan: Loan, disasters: Sequence[Disaster]) -> list[Disaster]:
    """Return the disasters that pause a loan: of where its debtor lives, and of before."""
    before = loan.known.disasters
    return [
        one
        for one in disasters
        if one.pauses and (one.covers(loan.debtor) or one.disaster_id in before)
    ]


def _order_id(kind: str, disaster_id: str, known: LoanPauses, number: int) -> str:
    name = f"relief-{kind}-{trail.key_of(disaster_id)}-{trail.key_of(known.loan_id)}"
    return f"{name}-{number:04}"
