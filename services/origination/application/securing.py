"""Guarantors, insurance and collateral: taken in within limits, consented, registered, released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1 import security_service_pb2 as security_pb

from services.origination.application.desk import Desk, Prepared
from services.origination.application.engaging import engage, let_go
from services.origination.application.filling import answered_before
from services.origination.application.holding import hold
from services.origination.application.offering import with_fees
from services.origination.application.ports import SecurityMessages
from services.origination.application.terms import matures_on
from services.origination.application.trials import trying
from services.origination.domain.application import Application, noted, stepped
from services.origination.domain.contract import SIGNABLE, ContractDiffers
from services.origination.domain.guarantors import Guarantor, restated
from services.origination.domain.securities import (
    Guarantee,
    GuaranteeAlreadyThere,
    GuaranteeNotFound,
    SecurityCurrencyDiffers,
    check_collateral,
    check_insurance,
    check_provider,
)
from services.origination.domain.state_machine import ALLOWED, Status, Step, require
from shared.kernel.dates import add_months
from shared.kernel.errors import InvalidArgument, NotFound, Refused
from shared.runtime.records import Work

SETTLED = {loan_pb2.LOAN_STATUS_SETTLED, loan_pb2.LOAN_STATUS_WRITTEN_OFF}


class GuarantorNotFound(NotFound):
    """No guarantor of this reference is registered."""


class NotCollateral(InvalidArgument):
    """Only a thing has a lien."""


class LoanStillOwed(Refused):
    """Security is kept while the loan that it secures is owed."""


@dataclass(slots=True)
class Securing:
    """Takes securities in, and lets them go."""

    desk: Desk
    messages: SecurityMessages

    async def add(self, request: pb.AddGuaranteeRequest) -> pb.Application:
        """Take a security in; the offers are priced anew with its fee."""
        given = self.messages.guarantee(request)

        async def prepare(found: Application) -> Prepared:
            return await self._added(found, given, request.amount.currency)

        return await self.desk.step(request, "AddGuarantee", prepare)

    async def _added(self, found: Application, given: Guarantee, currency: str) -> Prepared:
        require(found.status, Step.SECURE)
        if currency != found.currency:
            raise SecurityCurrencyDiffers(
                f"the application is in {found.currency}",
                field="amount.currency",
                expected=found.currency,
            )
        check_provider(given, [found.borrower_ref, *(c.borrower_ref for c in found.co_borrowers)])
        for there in found.guarantees:
            same = (there.kind, there.provider_ref) == (given.kind, given.provider_ref)
            if there.guarantee_id == given.guarantee_id or same:
                raise GuaranteeAlreadyThere(
                    f"{given.guarantee_id} of {given.provider_ref} is there already",
                    field="guarantee_id",
                    expected="another id, and another provider of this kind",
                )
        today = await self.desk.today(found)
        await self.desk.expire(found, today)
        self._check(found, given, today)
        secured = msgspec.structs.replace(found, guarantees=(*found.guarantees, given))
        changes = {"guarantees": secured.guarantees, **await with_fees(self.desk, secured, today)}
        status = Status.OFFERED if found.offer_id else found.status
        stamp = self.desk.stamp()
        after = stepped(found, Step.SECURE, status, stamp, given.guarantee_id, **changes)

        async def keep_engaged(work: Work) -> None:
            policies, product = self.desk.policies, self.desk.product(found)
            await engage(work, after, given, policies, product, today)

        return Prepared(after, keep_engaged)

    def _check(self, found: Application, given: Guarantee, on: date) -> None:
        ends_on = matures_on(found) if found.terms_json else add_months(on, found.instalments)
        if given.insurance is not None:
            check_insurance(given, on, ends_on)
        if given.collateral is not None:
            check_collateral(given, self.desk.product(found), on)

    async def register(
        self, request: security_pb.RegisterGuarantorRequest
    ) -> security_pb.Guarantor:
        """Take a guarantor's figures in; what it guarantees here is kept, or counted at first."""
        given = self.messages.guarantor(request)

        async def act(work: Work) -> security_pb.Guarantor:
            held = await hold(work, Guarantor, given.guarantor_ref)
            known = held.now
            if known is None:
                before = await answered_before(work, given)
                known = msgspec.structs.replace(given, exposures=before)
            after = restated(known, given)
            await held.put(after)
            return self.messages.guarantor_message(after)

        with trying(request.validate_only):
            return await self.desk.answer_once(
                request, security_pb.Guarantor, act, method="RegisterGuarantor"
            )

    async def guarantor(self, guarantor_ref: str) -> security_pb.Guarantor:
        """Return a guarantor, or raise GuarantorNotFound."""
        async with self.desk.records.work() as work:
            found = await work.get(Guarantor, guarantor_ref)
        if found is None:
            raise GuarantorNotFound(
                f"no guarantor {guarantor_ref}",
                field="guarantor_ref",
                expected="a guarantor or insurer taken in by RegisterGuarantor",
            )
        return self.messages.guarantor_message(found)

    async def consent(self, request: security_pb.RecordConsentRequest) -> pb.Application:
        """Take the consent of who gives a security to the contract as it was accepted."""

        async def prepare(found: Application) -> Prepared:
            if found.status not in SIGNABLE - {Status.CONFIRMED}:
                require(found.status, Step.DISBURSE)
            if request.contract_sha256 != found.contract_sha256:
                raise ContractDiffers(
                    "another contract was consented to",
                    field="contract_sha256",
                    expected=found.contract_sha256,
                )
            changes = {
                "consented_sha256": request.contract_sha256,
                "consents_to_changes": request.consents_to_changes,
            }
            return self._changed(found, "consent", request.guarantee_id, changes)

        return await self.desk.step(request, "RecordConsent", prepare)

    async def register_lien(self, request: security_pb.RegisterLienRequest) -> pb.Application:
        """Take the registration of a lien."""
        number, on = self.messages.lien(request)

        async def prepare(found: Application) -> Prepared:
            thing = _named(found, request.guarantee_id).collateral
            if thing is None:
                raise NotCollateral(
                    f"{request.guarantee_id} is not a thing",
                    field="guarantee_id",
                    expected="the id of collateral",
                )
            if not ALLOWED[found.status]:
                require(found.status, Step.DISBURSE)
            thing = msgspec.structs.replace(thing, registration_number=number, registered_on=on)
            changes = {"collateral": thing}
            return self._changed(found, "lien", request.guarantee_id, changes)

        return await self.desk.step(request, "RegisterLien", prepare)

    async def release(self, request: security_pb.ReleaseGuaranteeRequest) -> pb.Application:
        """
        Let a security go when nothing is owed that it secures.

        Raises:
            LoanStillOwed: the loan is being repaid, or about to be paid out.
        """

        async def prepare(found: Application) -> Prepared:
            named = _named(found, request.guarantee_id)
            if named.released_on is not None:
                return Prepared(found)
            today = await self.desk.today(found)
            if ALLOWED[found.status]:
                await self._refuse_while_owed(found)

            async def disengage(work: Work) -> None:
                await let_go(work, [named], found.application_id)

            changes = {"released_on": today}
            changed = self._changed(found, "release", request.guarantee_id, changes)
            return changed._replace(also=disengage)

        return await self.desk.step(request, "ReleaseGuarantee", prepare)

    async def _refuse_while_owed(self, found: Application) -> None:
        status = None
        if found.status is Status.DISBURSED:
            asked = ledger_pb.GetLoanRequest(loan_id=found.loan_id)
            status = (await self.desk.ledger.GetLoan(asked)).status
        if status not in SETTLED:
            raise LoanStillOwed(
                f"{found.loan_id} is not settled",
                field="application_id",
                expected="a loan that is settled or written off, or an application that has ended",
                status=found.status,
            )

    def _changed(
        self, found: Application, what: str, guarantee_id: str, changes: dict[str, Any]
    ) -> Prepared:
        named = _named(found, guarantee_id)
        after = msgspec.structs.replace(named, **changes)
        all_of = tuple(after if g is named else g for g in found.guarantees)
        return Prepared(noted(found, what, self.desk.stamp(), guarantee_id, guarantees=all_of))


def _named(application: Application, guarantee_id: str) -> Guarantee:
    for guarantee in application.guarantees:
        if guarantee.guarantee_id == guarantee_id:
            return guarantee
    raise GuaranteeNotFound(
        f"no security {guarantee_id[:64]!r}",
        field="guarantee_id",
        expected="one of " + ", ".join(g.guarantee_id for g in application.guarantees),
    )
