"""Another account for the money: checked as the first was, with four eyes after the contract."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.deciding import Deciding
from services.origination.application.desk import Desk, Prepared
from services.origination.application.terms import terms_of
from services.origination.domain.application import Application, Check, stepped
from services.origination.domain.payouts import is_all_out
from services.origination.domain.proposals import Proposal, is_seconded
from services.origination.domain.state_machine import LoanIsPaidOut, Status, Step, require
from shared.kernel.errors import InvalidArgument, Unavailable
from shared.runtime.identity import actor
from shared.runtime.requests import an_id, an_identity

BANK_ACCOUNT = "bank_account"
SIGNED = {Status.CONTRACTED, Status.PAYOUT_RETURNED, Status.DISBURSED}


class AccountNotValid(InvalidArgument):
    """The account did not pass the check that the product asks for."""


class AccountNotChecked(Unavailable):
    """The check of the account did not answer; ask again."""


def _require(found: Application) -> None:
    """Let an account be changed while money is still to go there."""
    require(found.status, Step.REDIRECT)
    if found.status is Status.DISBURSED:
        terms = terms_of(found)
        if is_all_out(found.payouts, terms.principal_minor, terms.disbursements_max):
            raise LoanIsPaidOut(
                f"all of {found.loan_id} is paid out",
                field="application_id",
                expected="an application with a part left to be paid out",
                status=found.status,
            )


@dataclass(slots=True)
class Redirecting:
    """Takes another account for the payout."""

    desk: Desk
    deciding: Deciding

    async def change_account(self, request: pb.ChangeAccountRequest) -> pb.Application:
        """
        Have the money paid to another account.

        Before the contract one person's word counts; after it the same word of a second person.

        Raises:
            AccountNotValid, AccountNotChecked, ProposerIsTheSame, StepOutOfOrder
        """
        account = an_id(request.account_ref, "account_ref")
        named = an_identity(request.changed_by, "changed_by") if request.changed_by else ""
        by = actor(named, field="changed_by")

        async def prepare(found: Application) -> Prepared:
            _require(found)
            await self.desk.expire(found, await self.desk.today(found))
            checks = await self._checked(msgspec.structs.replace(found, account_ref=account))
            stamp = self.desk.stamp(by)
            if found.status in SIGNED and not is_seconded(
                found.proposal, Step.REDIRECT, account, by
            ):
                waits = Proposal(what=Step.REDIRECT, value=account, by=by, at=stamp.at)
                changes = {"proposal": waits}
                note = "proposed; a second person is to say the same"
            else:
                changes = {"account_ref": account, "proposal": None, "checks": checks}
                note = "changed"
            after = stepped(found, Step.REDIRECT, found.status, stamp, note, **changes)
            return Prepared(after)

        return await self.desk.step(request, "ChangeAccount", prepare)

    async def _checked(self, given: Application) -> tuple[Check, ...]:
        """Return the checks of an application with the account's made anew."""
        if BANK_ACCOUNT not in self.desk.product(given).checks:
            return given.checks
        answer = await self.deciding.check_one(BANK_ACCOUNT, given)
        if answer.outcome == "NO_ANSWER":
            raise AccountNotChecked(
                "the check of the account does not answer",
                field="account_ref",
                expected="the same request, later",
            )
        if answer.outcome != "PASSED":
            raise AccountNotValid(
                answer.text_en,
                field="account_ref",
                expected="an account that passes the check",
                code=answer.code,
            )
        return tuple(answer if check.name == BANK_ACCOUNT else check for check in given.checks)
