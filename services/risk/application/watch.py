"""Watch the delinquency events of every loan, each once, and raise early warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from google.protobuf.message import Message as Proto

from services.risk.application.exposures import Exposures
from services.risk.domain.book import Eased
from services.risk.domain.early_warning import (
    Alert,
    AlertOutcome,
    Behaviour,
    Heard,
    WarningRules,
    acknowledged,
    observe,
    restated,
    withdrawal,
)
from services.risk.domain.reservation import loan_event
from shared.kernel.errors import NotFound
from shared.runtime.records import Records, Work
from shared.subscriber.event import Event, Restatement

ENDS = ("SETTLED", "TRANSFERRED")
MOVES_EXPOSURE = (*ENDS, "REPAYMENT_REVERSED")
MONEY = ("REPAYMENT_POSTED", "REPAYMENT_REVERSED")


class AlertNotFound(NotFound):
    """No alert has this id."""


@dataclass(slots=True)
class Watch:
    """
    `known` are borrowers who were late before, so that healthy loans cost nothing.

    `told` renders what is published of a warning: its subject and body.
    """

    records: Records
    rules: WarningRules
    book: Exposures
    told: Callable[[Alert], tuple[str, Proto]]
    known: set[str] = field(default_factory=set)

    async def load(self) -> None:
        """Learn who was late before; once, before the first event."""
        async with self.records.work() as work:
            self.known |= {one.borrower_ref async for one in work.every(Behaviour)}

    async def hear(self, heard: Heard, work: Work) -> None:
        """Take one delinquency event in, within the transaction that remembers it."""
        if heard.type in MOVES_EXPOSURE:
            for one in await self.book.of_loans(work, [heard.loan_id]):
                after = loan_event(one, heard.type)
                await self.book.put(work, [after] if after != one else [])
        if heard.type == "RESTRUCTURED":
            eased = Eased(loan_id=heard.loan_id, on=heard.effective_on)
            await work.put(eased, heard.loan_id)
        if heard.type in ENDS or heard.type == "RESTRUCTURED":
            return
        if heard.type in MONEY and heard.borrower_ref not in self.known:
            return
        await self._observe(work, heard)
        self.known.add(heard.borrower_ref)

    async def restate(self, event: Event, told: Restatement, work: Work) -> None:
        """Forget the signs that no longer hold, and withdraw alerts that nobody has taken over."""
        name, loan_id = event.body.borrower_ref, event.loan_id
        before = await work.get(Behaviour, name)
        if before is None:
            return
        after, gone = restated(before, loan_id, frozenset(told.superseded))
        await work.put(after, name)
        for one in before.alerts:
            alert = await work.get(Alert, one.alert_id)
            withdrawn = alert and withdrawal(alert, gone, event.body.effective_on)
            if withdrawn:
                await work.put(withdrawn, withdrawn.alert_id, str(withdrawn.indicator))

    async def acknowledge(
        self, work: Work, alert_id: str, owner: str, on: date, outcome: AlertOutcome
    ) -> Alert:
        """
        Record who looks after an alert, or how it ended.

        Raises:
            AlertNotFound: there is no such alert.
            AlertIsClosed: it ended before.
        """
        alert = await work.get(Alert, alert_id)
        if alert is None:
            raise AlertNotFound(f"no alert {alert_id}", field="alert_id")
        after = acknowledged(alert, owner, on, outcome)
        await work.put(after, alert_id, str(alert.indicator))
        return after

    async def _observe(self, work: Work, heard: Heard) -> None:
        name = heard.borrower_ref
        before = await work.get(Behaviour, name) or Behaviour(borrower_ref=name)
        after, alerts = observe(before, heard, self.rules)
        await work.put(after, name)
        for alert in alerts:
            if await work.get(Alert, alert.alert_id) is not None:
                continue
            await work.put(alert, alert.alert_id, str(alert.indicator))
            await self._owe(work, alert)

    async def _owe(self, work: Work, alert: Alert) -> None:
        subject, body = self.told(alert)
        headers = {"ce-type": "lending.risk.v1.AlertRaised", "ce-subject": alert.loan_id}
        await work.owe(subject, f"risk/{alert.alert_id}", body, headers)
