"""A borrower's wish to be forgotten: the key to what is personal is destroyed, the rest stays."""

from __future__ import annotations

from datetime import datetime

from services.origination.application.terms import terms_of
from services.origination.domain.application import Application
from services.origination.domain.payouts import is_all_out
from services.origination.domain.state_machine import Status
from shared.kernel.errors import NotFound, Refused
from shared.runtime.records import Records
from shared.runtime.requests import a_text
from shared.runtime.vault import SHREDDED, VaultKeyMissing

OVER = {Status.CANCELLED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED}
"""Where nothing is left to be signed or paid out, so nothing personal is needed any more."""


class BorrowerNotSealed(NotFound):
    """There is no key of this borrower: nothing was sealed, or it was shredded before."""


class BorrowerStillApplies(Refused):
    """An application of the borrower is under way: it needs name and account."""


class BorrowerShredded(Refused):
    """The borrower's account was shredded: no money can be paid there."""


def account_of(application: Application) -> str:
    """
    Return where an application's money goes.

    Raises:
        BorrowerShredded: nobody knows any more.
    """
    if application.account_ref == SHREDDED:
        raise BorrowerShredded(
            f"the borrower of {application.application_id} was shredded", field="application_id"
        )
    return application.account_ref


def _is_over(application: Application) -> bool:
    """Say whether nothing is left to be signed or paid out; a part that can be drawn is left."""
    if application.status is Status.DISBURSED:
        terms = terms_of(application)
        return is_all_out(application.payouts, terms.principal_minor, terms.disbursements_max)
    return application.status in OVER


async def shred_borrower(records: Records, borrower_ref: str, reason: str, now: datetime) -> None:
    """
    Destroy a borrower's key.

    Args:
        borrower_ref: Whose; a co-borrower has a key of their own.
        reason: Kept beside the destroyed key.
    Raises:
        VaultKeyMissing: nothing is sealed here.
        BorrowerNotSealed: there is no key of this borrower.
        BorrowerStillApplies: an application is under way.
    """
    if records.vault is None:
        raise VaultKeyMissing("ORIGINATION_PERSONAL_KEY_FILE is not set: nothing is sealed")
    why = a_text(reason, "reason")
    async with records.work() as work:
        async for one in work.every(Application):
            named = {one.borrower_ref, *(person.borrower_ref for person in one.co_borrowers)}
            if borrower_ref in named and not _is_over(one):
                raise BorrowerStillApplies(
                    f"{one.application_id} is {one.status}", field="borrower_ref"
                )
        if not await records.vault.shred(work.connection, borrower_ref, why, now):
            raise BorrowerNotSealed(f"{borrower_ref} has no key", field="borrower_ref")
