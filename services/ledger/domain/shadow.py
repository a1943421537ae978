"""The book as it would have been told under another policy, fact by fact; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import heappop, heappush

import msgspec

from services.ledger.domain import events as ev
from services.ledger.domain.aftermath import aftermath, age
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.commands import AgeLoan
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.loan_account import LoanAccount, evolve

FOLLOWS = (ev.TimelineRestated, ev.LoanSettled)
"""Events that follow from others: a shadow derives its own."""


@dataclass(slots=True)
class Shadow:
    """
    Follows the log's facts and derives by itself what follows from them.

    Facts are taken as they are: who paid when does not depend on how lateness is counted. Days
    close when they closed. With nothing supposed, what comes out is what the log says.
    """

    supposition: Supposition
    accounts: MutableMapping[str, LoanAccount] = field(default_factory=dict)
    asked: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    coming: list[tuple[date, str]] = field(default_factory=list)
    business_on: date | None = None

    def take(self, event: ev.Fact | BusinessDateAdvanced) -> Iterator[tuple[ev.Fact, LoanAccount]]:
        """
        Yield what would have been recorded at a place of the log, each with the account after it.

        Raises:
            TermsInvalid: a supposed term leaves its range.
        """
        if isinstance(event, BusinessDateAdvanced):
            yield from self._closed(event)
        elif isinstance(event, ev.TransitionRecorded):
            # Recorded with the fact before it, it follows from that; else a day was closed.
            if self.asked.get(event.loan_id) != (event.request_id, event.recorded_at):
                yield from self._aged(_ageing(event, event.loan_id, event.effective_on))
        elif not isinstance(event, FOLLOWS):
            yield from self._fact(event)

    def _closed(self, day: BusinessDateAdvanced) -> Iterator[tuple[ev.Fact, LoanAccount]]:
        """Age the loans that the log's own ageing did not touch."""
        self.business_on = day.on
        while self.coming and self.coming[0][0] <= day.on:
            yield from self._aged(_ageing(day, heappop(self.coming)[1], day.on))

    def _aged(self, command: AgeLoan) -> Iterator[tuple[ev.Fact, LoanAccount]]:
        yield from self._taken(command.loan_id, age(self.accounts[command.loan_id], command))

    def _fact(self, event: ev.Fact) -> Iterator[tuple[ev.Fact, LoanAccount]]:
        self.asked[event.loan_id] = (event.request_id, event.recorded_at)
        if isinstance(event, ev.LoanOpened | ev.TermsRestructured):
            terms = self.supposition.applied(event.terms)
            event = msgspec.structs.replace(event, terms=terms)
        elif isinstance(event, ev.DelinquencyPolicyChanged):
            policy = self.supposition.judged(event.policy)
            event = msgspec.structs.replace(event, policy=policy)
        before = self.accounts.get(event.loan_id)
        if before is None:
            yield from self._taken(event.loan_id, [event])
            return
        on = self.business_on or event.effective_on
        command = msgspec.structs.replace(_ageing(event, event.loan_id, on), business_on=on)
        yield from self._taken(
            event.loan_id, aftermath(before, event, evolve(before, event), command)
        )

    def _taken(self, loan_id: str, events: list[ev.Fact]) -> Iterator[tuple[ev.Fact, LoanAccount]]:
        for event in events:
            account = evolve(self.accounts.get(loan_id), event)
            self.accounts[loan_id] = account
            if account.next_transition_on is not None:
                heappush(self.coming, (account.next_transition_on, loan_id))
            yield event, account


def _ageing(event: ev.Fact | BusinessDateAdvanced, loan_id: str, to_on: date) -> AgeLoan:
    """Return the command that closes days for a loan when, and for whom, an event was recorded."""
    return AgeLoan(
        loan_id=loan_id,
        request_id=event.request_id,
        recorded_at=event.recorded_at,
        business_on=to_on,
        actor=getattr(event, "actor", "internal"),
        traceparent=getattr(event, "traceparent", ""),
        to_on=to_on,
    )
