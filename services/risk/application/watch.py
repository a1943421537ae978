"""Watch the delinquency events of every loan, each once, and raise early warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import msgspec
from google.protobuf.message import Message as Proto

from services.risk.application.exposures import Exposures
from services.risk.domain.application import Application, BureauReport, VerifiedIncome
from services.risk.domain.book import Eased, eased_again
from services.risk.domain.early_warning import (
    Alert,
    AlertOutcome,
    acknowledged,
    changed,
    settled,
)
from services.risk.domain.indicators import (
    APPLIED,
    GUARANTOR,
    INCOME,
    REPORT,
    Heard,
    WarningRules,
    kept_as,
)
from services.risk.domain.reservation import LoanEnded, loan_event
from services.risk.domain.signs import Behaviour, observe, restated
from shared.kernel.errors import NotFound
from shared.runtime.records import Records, Work
from shared.subscriber.event import Event, Restatement

ENDS = ("DISBURSEMENT_RETURNED", "SETTLED", "TRANSFERRED")
MOVES_EXPOSURE = (*ENDS, "REPAYMENT_REVERSED")
IN_DEFAULT = ("M4", "M5", "M6", "M7")
"""More than 90 days late."""
OVER_THIRTY = ("M2", "M3", *IN_DEFAULT)
"""More than 30 days late: money taken back late takes a loan past any bucket at once."""
PAGE = 500

CLOSED = "closed"
"""What stands where a record's due time does, of an alert that is not open."""


class AlertNotFound(NotFound):
    """No alert has this id."""


class OverThirty(msgspec.Struct, frozen=True, kw_only=True):
    """
    From when on a loan was more than 30 days late, the first time: what warnings are held against.

    It does not stand once a restatement took it back.
    """

    loan_id: str
    borrower_ref: str
    on: date
    log_version: int
    stands: bool = True


class Income(NamedTuple):
    """A confirmed income, when we had it, and the application that it came with, if any."""

    income: VerifiedIncome
    on: date
    without: str = ""


@dataclass(slots=True)
class Watch:
    """
    Keeps the alerts of each borrower at what its signs say, whatever the order they came in.

    `told` renders what is published of a warning, raised or withdrawn: its subject and body.
    """

    records: Records
    rules: WarningRules
    book: Exposures
    told: Callable[[Alert], tuple[str, Proto]]

    async def load(self) -> None:
        """Tell apart what earlier versions closed from what is open; once, before all else."""
        async with self.records.work() as work:
            after = ""
            while page := await work.find(Alert, after=after, due_at="", limit=PAGE):
                for alert in page:
                    if alert.closed_on is not None:
                        await self._put(work, alert)
                after = page[-1].alert_id

    async def _put(self, work: Work, alert: Alert) -> None:
        due_at = "" if alert.closed_on is None else CLOSED
        await work.put(alert, alert.alert_id, str(alert.indicator), due_at)

    async def page(self, indicator: str, after: str, limit: int, *, open_only: bool) -> list[Alert]:
        """Return alerts in order of id, of one indicator and open ones only if asked."""
        due_at = "" if open_only else None
        async with self.records.work() as work:
            return await work.find(Alert, state=indicator, after=after, due_at=due_at, limit=limit)

    async def hear(self, heard: Heard, work: Work) -> None:
        """Take one delinquency event in, within the transaction that remembers it."""
        if heard.type == "BUCKET_CHANGED":
            await self._late(work, heard)
            await self._guarantor(work, heard)
            return
        if heard.type in MOVES_EXPOSURE:
            await self._ended(work, heard)
            for one in await self.book.of_loans(work, [heard.loan_id]):
                after = loan_event(one, heard.type)
                await self.book.put(work, [after] if after != one else [])
        if heard.type == "RESTRUCTURED":
            known = await work.get(Eased, heard.loan_id)
            eased = eased_again(known, heard.loan_id, heard.effective_on)
            await work.put(eased, heard.loan_id)
        if heard.type in ENDS or heard.type == "RESTRUCTURED":
            return
        await self._observe(work, heard)

    async def _ended(self, work: Work, heard: Heard) -> None:
        """Keep that a loan ended: its application may be heard of later, on another stream."""
        if heard.type in ("SETTLED", "TRANSFERRED"):
            await work.put(LoanEnded(loan_id=heard.loan_id, type=heard.type), heard.loan_id)
        elif heard.type == "REPAYMENT_REVERSED":
            before = await work.get(LoanEnded, heard.loan_id)
            if before is not None and before.type == "SETTLED":
                await work.put(LoanEnded(loan_id=heard.loan_id, type=heard.type), heard.loan_id)

    async def restate(self, event: Event, told: Restatement, work: Work) -> None:
        """Forget the signs that no longer hold, and what nobody has taken over of their alerts."""
        name, loan_id = event.body.borrower_ref, event.loan_id
        late = await work.get(OverThirty, loan_id)
        if late is not None and late.log_version in told.superseded:
            await work.put(msgspec.structs.replace(late, stands=False), loan_id)
        for one in (name, *sorted(self.book.guaranteed_by(name))):
            before = await work.get(Behaviour, kept_as(one))
            if before is not None:
                after = restated(before, loan_id, frozenset(told.superseded))
                await self._settle(work, before, after, date.fromisoformat(event.body.effective_on))

    async def acknowledge(
        self, work: Work, alert_id: str, owner: str, on: date, outcome: AlertOutcome
    ) -> Alert:
        """
        Record who looks after an alert, or how it ended.

        Raises:
            AlertNotFound: there is no such alert.
            AlertIsClosed: it ended before.
        """
        await work.hold(f"alert/{alert_id}")
        alert = await work.get(Alert, alert_id)
        if alert is None:
            raise AlertNotFound(f"no alert {alert_id}", field="alert_id")
        after = acknowledged(alert, owner, on, outcome)
        await self._put(work, after)
        return after

    async def applied(
        self, work: Work, name: str, borrower_ref: str, currency: str, on: date
    ) -> None:
        """Take in that a borrower applied; it is a sign of those who have a loan with us."""
        loan_id = self.book.loan_of(borrower_ref, currency, without=name)
        if loan_id:
            await self._observe(
                work, self._sign(APPLIED, loan_id, borrower_ref, on, f"applied/{name}")
            )

    async def reported(self, work: Work, given: Application, report: BureauReport) -> None:
        """Take in what a bureau said when a borrower applied who has a loan with us."""
        name, currency = given.borrower_ref, given.currency
        loan_id = self.book.loan_of(name, currency, without=given.application_id)
        if loan_id:
            named = f"report/{report.source}/{report.report_id}"
            sign = self._sign(REPORT, loan_id, name, report.reported_on, named)
            sign = msgspec.structs.replace(
                sign,
                count=report.enquiries_30d,
                count_7d=report.enquiries_7d,
                count_90d=report.enquiries_90d,
                amount_minor=report.overdue_minor,
                monthly_minor=report.monthly_payments_minor,
                lenders=report.lenders,
                currency=currency,
                known_on=given.decided_on,
            )
            await self._observe(work, sign)

    async def earned(
        self, work: Work, borrower_ref: str, currency: str, loan_id: str, known: Income
    ) -> None:
        """
        Take in what a borrower earns, as somebody confirms it, if the borrower has a loan with us.

        Args:
            loan_id: The loan that it was asked for; empty for any.
            known: The confirmation, and when we had it.
        """
        await self.book.catch_up(work)
        loan_id = loan_id or self.book.loan_of(borrower_ref, currency, without=known.without)
        if not loan_id:
            return
        income = known.income
        named = f"income/{currency}/{income.source}/{income.verified_on}/{income.monthly_minor}"
        sign = self._sign(INCOME, loan_id, borrower_ref, income.verified_on, named)
        sign = msgspec.structs.replace(
            sign, amount_minor=income.monthly_minor, currency=currency, known_on=known.on
        )
        await self._observe(work, sign)

    async def _guarantor(self, work: Work, heard: Heard) -> None:
        """Have the borrowers for whom a borrower in default answers be looked at."""
        if heard.bucket_to not in IN_DEFAULT:
            return
        named = f"guarantor/{heard.loan_id}/{heard.sequence}"
        for name, loan_id in sorted(self.book.guaranteed_by(heard.borrower_ref).items()):
            sign = msgspec.structs.replace(
                heard, type=GUARANTOR, loan_id=loan_id, borrower_ref=name, name=named
            )
            await self._observe(work, sign)

    def _sign(self, type_: str, loan_id: str, borrower_ref: str, on: date, name: str) -> Heard:
        return Heard(
            loan_id=loan_id,
            borrower_ref=borrower_ref,
            sequence=0,
            type=type_,
            effective_on=on,
            name=name,
        )

    async def _late(self, work: Work, heard: Heard) -> None:
        """Keep from when on a loan was more than 30 days late, the first time."""
        if heard.bucket_to not in OVER_THIRTY:
            return
        before = await work.get(OverThirty, heard.loan_id)
        if before is None or not before.stands or heard.effective_on < before.on:
            first = OverThirty(
                loan_id=heard.loan_id,
                borrower_ref=heard.borrower_ref,
                on=heard.effective_on,
                log_version=heard.log_version,
            )
            await work.put(first, heard.loan_id)

    async def _observe(self, work: Work, heard: Heard) -> None:
        name = heard.borrower_ref
        before = await work.get(Behaviour, kept_as(name)) or Behaviour(borrower_ref=name)
        after = observe(before, heard, self.rules)
        await self._settle(work, before, after, heard.known_on or heard.effective_on)

    async def _settle(self, work: Work, before: Behaviour, after: Behaviour, on: date) -> None:
        """Store what is known of a borrower, and have its alerts follow."""
        if after == before:
            return
        await work.put(after, kept_as(after.borrower_ref))
        moved = changed(before, after, self.rules)
        # An officer may be taking one of them over, at another process.
        await work.hold(*(f"alert/{alert_id}" for alert_id in moved))
        for alert_id, now in moved.items():
            await self._keep(work, await work.get(Alert, alert_id), now, on)

    async def settle_groups(
        self, work: Work, stored: dict[str, Alert], wanted: dict[str, Alert], on: date
    ) -> None:
        """Have the alerts of groups follow; what stands was known when it was first."""
        await work.hold(*(f"alert/{alert_id}" for alert_id in stored))
        for name in sorted(stored | wanted):
            was, now = stored.get(name), wanted.get(name)
            if was and now and was.outcome is not AlertOutcome.WITHDRAWN:
                continue
            await self._keep(work, was, now, on)

    async def _keep(self, work: Work, stored: Alert | None, now: Alert | None, on: date) -> None:
        """Store what becomes of an alert, and tell it if it came or went."""
        alert = settled(stored, now, on)
        if alert is None or alert == stored:
            return
        if alert.is_open != (stored is not None and stored.is_open):
            alert = await self._tell(work, alert)
        await self._put(work, alert)

    async def _tell(self, work: Work, alert: Alert) -> Alert:
        """Owe the message that an alert is raised, or withdrawn; returns it as told once more."""
        subject, body = self.told(alert)
        headers = {"ce-type": body.DESCRIPTOR.full_name, "ce-subject": alert.loan_id or alert.group}
        which = f"/{alert.tellings}" if alert.is_open else f"/{alert.tellings}/withdrawn"
        first = alert.is_open and not alert.tellings
        message_id = f"risk/{alert.alert_id}" + ("" if first else which)
        await work.owe(subject, message_id, body, headers)
        return msgspec.structs.replace(alert, tellings=alert.tellings + 1)
