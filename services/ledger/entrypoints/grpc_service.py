"""The ledger's API: read the request, call the use case, render the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceServicer

from services.ledger import wire, wire_acceleration, wire_loan, wire_terms, wire_void
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.ageing import Ageing
from services.ledger.application.approving import Approvals
from services.ledger.application.listing import LoanList
from services.ledger.application.posting import Writer
from services.ledger.application.projecting import CaughtUp
from services.ledger.application.reading import Seen, compare, line_seen, preview, see_loan
from services.ledger.application.voiding import void
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.domain.commands import Asked
from services.ledger.domain.delinquency import past_due_table
from services.ledger.domain.difference import Look
from services.ledger.domain.effects import effects
from services.ledger.domain.explain import explain
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.refusals import BusinessDateNotSet, LoanNotFound
from services.ledger.entrypoints.batches import post_batch
from services.ledger.wire_approvals import change_of
from services.ledger.wire_reasons import allocation_message
from shared.kernel.dates import parse_date
from shared.runtime.identity import needs_second_person
from shared.runtime.requests import a_loan, an_id, an_instant

PAGE_SIZE, PAGE_SIZE_MAX = 100, 1000


class LedgerService(LedgerServiceServicer):
    """Answers every rpc of lending.ledger.v1.LedgerService."""

    def __init__(
        self,
        writer: Writer,
        followers: CaughtUp,
        models: ReadModels,
        ageing: Ageing,
        loans: LoanList,
        approvals: Approvals,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.writer, self.followers, self.models = writer, followers, models
        self.ageing, self.loans, self.approvals, self.now = ageing, loans, approvals, now

    async def _post(self, read: Callable[[Any, datetime], Asked], request: Any) -> RequestAnswered:
        command, until = read(request, self.now()), None
        with self.writer.recording(command.recorded_at):
            if needs_second_person():
                change = change_of(command, request)
                until = await self.approvals.require(change, command.actor, command.recorded_at)
            hashes = wire.body_sha256(request), wire.former_sha256(request)
            return await self.writer.ask(command, *hashes, until)

    async def _loan(self, read: Callable[[Any, datetime], Asked], request: Any) -> loan_pb2.Loan:
        if request.validate_only:
            return await self.weighed(read(request, self.now()))
        return await self._answered(await self._post(read, request))

    async def weighed(self, command: Asked) -> loan_pb2.Loan:
        """Return the loan as the command would leave it, with what it would do."""
        weighed = await self.writer.weigh(command)
        after = fold(weighed.events, weighed.before)
        assert after is not None, "what was decided leaves a loan"
        on = weighed.business_on
        message = wire_loan.loan_message(after, on)
        done = effects(weighed.before, weighed.events, on or date.min)
        said = wire_loan.effects_message(done, weighed.events, after.loan_id, after.terms.currency)
        message.effects.CopyFrom(said)
        return message

    async def _answered(self, first: RequestAnswered) -> loan_pb2.Loan:
        """Return the loan as the first answer showed it."""
        return wire_loan.loan_message(await self._account(first), first.business_on)

    async def _account(self, first: RequestAnswered) -> LoanAccount:
        """Return the account as the first answer left it; from memory, else from the log."""
        account = self.writer.accounts.get(first.loan_id)
        if account is not None and account.version == first.loan_version:
            return account
        seen = await asyncio.to_thread(
            see_loan,
            self.writer.log,
            first.loan_id,
            first.business_on or date.min,
            version_max=first.loan_version,
        )
        return seen.account

    async def PreviewLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Compute what terms would mean; nothing is opened."""
        value_on = parse_date(request.value_on, field="value_on")
        return wire_loan.loan_message(preview(wire_terms.terms(request.terms), value_on), value_on)

    async def OpenLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Open a loan account."""
        return await self._loan(wire.open_loan, request)

    async def DisburseLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Pay a loan out."""
        return await self._loan(wire.disburse, request)

    async def PostRepayment(self, request: Any, context: Any) -> pb.PostRepaymentResponse:
        """Take money in."""
        if request.validate_only:
            return pb.PostRepaymentResponse(loan=await self._loan(wire.repayment, request))
        first = await self._post(wire.repayment, request)
        account = await self._account(first)
        assert first.business_on is not None
        line = account.timeline(first.business_on)
        assert line is not None
        slots = line.allocated(request.request_id) or ()
        return pb.PostRepaymentResponse(
            repayment_id=request.request_id,
            allocations=[allocation_message(slot) for slot in slots],
            loan=wire_loan.loan_message(account, first.business_on, request.view),
        )

    async def BatchPostRepayments(
        self, request: Any, context: Any
    ) -> pb.BatchPostRepaymentsResponse:
        """Take many repayments in."""
        return await post_batch(self.writer, request, self.now())

    async def ReverseRepayment(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take a repayment back."""
        return await self._loan(wire.reversal, request)

    async def ApplyCharge(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Charge an amount."""
        return await self._loan(wire.charge, request)

    async def RestructureLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Replace the rest of the schedule."""
        return await self._loan(wire.restructuring, request)

    async def TransferLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Sell a loan."""
        return await self._loan(wire.transfer, request)

    async def ChargeOffLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take a loan off the books."""
        return await self._loan(wire.charge_off, request)

    async def PostRecovery(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take money in after charge-off."""
        return await self._loan(wire.recovery, request)

    async def GetLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Look at a loan from two clocks."""
        seen = await self._seen(request)
        on = seen.on if seen.on != date.min else None
        return wire_loan.loan_message(seen.account, on)

    async def _seen(self, request: Any) -> Seen:
        """Return the loan that a read on two clocks asks for."""
        on = self._date(request.effective_on) or date.min
        known_at = an_instant(request.known_at, "known_at") if request.known_at else None
        loan_id = a_loan(request.loan_id)
        return await asyncio.to_thread(see_loan, self.writer.log, loan_id, on, known_at=known_at)

    async def ExplainLoan(self, request: Any, context: Any) -> pb.ExplainLoanResponse:
        """Explain one figure."""
        line = line_seen(await self._seen(request))
        return pb.ExplainLoanResponse(
            explanation=wire_loan.explanation_message(explain(line, request.figure)),
            past_due=[wire_loan.past_due_message(row) for row in past_due_table(line)],
        )

    async def CompareLoan(self, request: Any, context: Any) -> pb.CompareLoanResponse:
        """Attribute the difference between two looks."""
        loan_id = a_loan(request.loan_id)
        before, after = self._look(request.before), self._look(request.after)
        found = await asyncio.to_thread(compare, self.writer.log, loan_id, before, after)
        return wire_loan.difference_message(*found)

    def _look(self, message: pb.Look) -> Look:
        known_at = an_instant(message.known_at, "known_at") if message.known_at else self.now()
        return Look(self._date(message.effective_on) or date.min, known_at)

    async def AccelerateLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Declare everything due."""
        return await self._loan(wire_acceleration.acceleration, request)

    async def WithdrawAcceleration(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take an acceleration back."""
        return await self._loan(wire_acceleration.withdrawal, request)

    async def UndoChargeOff(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take a loan back on the books."""
        return await self._loan(wire.charge_off_undo, request)

    async def WriteOffLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Let go of a debt."""
        return await self._loan(wire.write_off, request)

    async def SettleLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take money in as full settlement."""
        return await self._loan(wire.settlement, request)

    async def ReturnDisbursement(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take in that the bank sent a payout back."""
        return await self._loan(wire.disbursement_return, request)

    async def VoidRequest(self, request: Any, context: Any) -> pb.VoidRequestResponse:
        """Use a request id up."""
        asked, digest = wire_void.voided(request, self.now()), wire.body_sha256(request)
        return wire_void.voided_message(await void(self.writer, asked, digest))

    async def PostGuaranteePayment(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Take a guarantor's payment in."""
        return await self._loan(wire.guarantee_payment, request)

    async def WaiveCharge(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Let go of a charge."""
        return await self._loan(wire.waiver, request)

    async def RefundCredit(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Pay a credit balance back."""
        return await self._loan(wire.refund, request)

    async def PauseInterest(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Let no interest be earned for some days."""
        return await self._loan(wire.interest_pause, request)

    async def PauseDelinquency(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Let some days not count as late."""
        return await self._loan(wire.pause, request)

    async def ResumeDelinquency(self, request: Any, context: Any) -> loan_pb2.Loan:
        """End the running pause."""
        return await self._loan(wire.resumption, request)

    async def ChangeDelinquencyPolicy(self, request: Any, context: Any) -> loan_pb2.Loan:
        """Classify lateness under another policy."""
        return await self._loan(wire.policy_change, request)

    def _date(self, text: str) -> date | None:
        return parse_date(text, field="effective_on") if text else self.writer.business_on

    async def ListLoans(self, request: Any, context: Any) -> pb.ListLoansResponse:
        """List loan summaries as known at one instant."""
        size = min(max(request.page.size, 0) or PAGE_SIZE, PAGE_SIZE_MAX)
        conditions = [request.filter] if request.filter.strip() else []
        if request.days_past_due_min > 0:
            conditions.append(f"days_past_due >= {request.days_past_due_min}")
        wanted = " AND ".join(conditions)
        listed = await self.loans.page(wanted, request.order_by, request.page.token, size)
        return wire_loan.list_message(listed)

    async def ListLoanEvents(self, request: Any, context: Any) -> pb.ListLoanEventsResponse:
        """List the stored events of a loan."""
        loan_id = a_loan(request.loan_id)
        rows = await asyncio.to_thread(self.writer.log.stored, f"loan/{loan_id}")
        if not rows:
            raise LoanNotFound(f"loan {loan_id} does not exist", field="loan_id")
        return pb.ListLoanEventsResponse(
            events=[wire_loan.event_message(row, decode(row.topic, row.state)) for row in rows]
        )

    async def GetTrialBalance(self, request: Any, context: Any) -> pb.TrialBalance:
        """Sum the journal by account."""
        on = self._date(request.effective_on)
        if on is None:
            raise BusinessDateNotSet("the ledger has no business date yet")
        await self.followers.caught_up()
        rows = await self.models.trial_balance(on)
        accounts = [
            wire_loan.balance_message(name, currency, total) for name, currency, total in rows
        ]
        return pb.TrialBalance(accounts=accounts, effective_on=on.isoformat())

    async def GetBusinessDate(self, request: Any, context: Any) -> pb.BusinessDate:
        """Return the business date."""
        on = self.writer.business_on
        run = self.ageing.run
        return wire_loan.business_date_message(on, run)

    async def AdvanceBusinessDate(self, request: Any, context: Any) -> pb.BusinessDate:
        """Close days up to a date."""
        request_id = an_id(request.request_id, "request_id")
        to = parse_date(request.to, field="to")
        closed = await self.ageing.advance(to, request_id, self.now())
        return pb.BusinessDate(
            on=closed.on.isoformat(),
            loans_changed=closed.loans_changed,
            loans_touched=closed.loans_touched,
        )
