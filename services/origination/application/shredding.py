"""A borrower's wish to be forgotten: the key to what is personal is destroyed, the rest stays."""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.origination.application.holding import Held, hold
from services.origination.application.keeping import Shown, shown_id
from services.origination.application.terms import terms_of
from services.origination.domain.application import Application
from services.origination.domain.payouts import is_all_out
from services.origination.domain.state_machine import Status
from shared.kernel.errors import NotFound, Refused
from shared.runtime.records import Records, Work
from shared.runtime.requests import a_text
from shared.runtime.vault import SHREDDED, VaultKeyMissing, wipe

OVER = {Status.CANCELLED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED}
"""Where nothing is left to be signed or paid out, so nothing personal is needed any more."""


class BorrowerNotSealed(NotFound):
    """There is no key of this borrower: nothing was sealed, or it was shredded before."""


class BorrowerStillApplies(Refused):
    """An application of the borrower is under way: it needs name and account."""


class BorrowerShredded(Refused):
    """The borrower was shredded: no money can be paid, and nothing more be kept of them."""


def account_of(application: Application) -> str:
    """
    Return where an application's money goes.

    Raises:
        BorrowerShredded: nobody knows any more.
    """
    if application.account_ref == SHREDDED:
        raise BorrowerShredded(
            f"the borrower of {application.application_id} was shredded",
            field="application_id",
            expected="no step; nobody knows the account any more",
        )
    return application.account_ref


def _is_over(application: Application) -> bool:
    """Say whether nothing is left to be signed or paid out; a part that can be drawn is left."""
    if application.status is Status.DISBURSED:
        terms = terms_of(application)
        return is_all_out(application.payouts, terms.principal_minor, terms.disbursements_max)
    return application.status in OVER


def borrower_hold(borrower_ref: str) -> str:
    """Name what is held while something of a borrower is taken in, or everything destroyed."""
    return f"Borrower/{borrower_ref}"


async def refuse_shredded(work: Work, application: Application) -> None:
    """
    Take nothing in of who was shredded: it could not be kept, and would be lost unseen.

    Raises:
        BorrowerShredded: of borrower or co-borrower; who applies again needs a new reference.
    """
    people = {application.borrower_ref, *(c.borrower_ref for c in application.co_borrowers)} - {""}
    await work.hold(*sorted(map(borrower_hold, people)))
    vault = work.vault
    for gone in sorted(await vault.shredded(work.connection, people)) if vault else ():
        raise BorrowerShredded(
            f"{gone} was shredded",
            field="borrower_ref",
            expected="a reference of their own for who applies again",
        )


async def shred_borrower(
    records: Records, borrower_ref: str, reason: str, now: datetime
) -> list[str]:
    """
    Destroy a borrower's key; what was stored before there was a vault is sealed first.

    Args:
        borrower_ref: Whose; a co-borrower has a key of their own, and a draft without a borrower
            the one of its application's id.
        reason: Kept beside the destroyed key.
    Returns:
        Applications of others whose documents still name them, sealed under those others' keys.
    Raises:
        VaultKeyMissing: nothing is sealed here.
        BorrowerNotSealed: there is no key of this borrower.
        BorrowerStillApplies: an application is under way.
    """
    if records.vault is None:
        raise VaultKeyMissing("ORIGINATION_PERSONAL_KEY_FILE is not set: nothing is sealed")
    why, named = a_text(reason, "reason"), list[str]()
    async with records.work() as work:
        await work.hold(borrower_hold(borrower_ref))
        async for one in work.every(Application):
            held = await hold(work, Application, one.application_id)
            found = held.now or one
            others = {person.borrower_ref for person in found.co_borrowers}
            if borrower_ref not in {found.borrower_ref or found.application_id, *others}:
                continue
            if not _is_over(found):
                raise BorrowerStillApplies(
                    f"{found.application_id} is {found.status}",
                    field="borrower_ref",
                    expected=f"{found.application_id} ended or paid out before",
                )
            await _seal(held, found)
            if borrower_ref in others:
                named.append(found.application_id)
        if not await records.vault.shred(work.connection, borrower_ref, why, now):
            raise BorrowerNotSealed(
                f"{borrower_ref} has no key",
                field="borrower_ref",
                expected="a borrower of whom something was sealed, and who was not shredded",
            )
    await wipe(records.engine)
    return named


async def _seal(held: Held[Application], one: Application) -> None:
    """Store an application and its documents again: sealed, whatever they were."""
    await held.put(one, str(one.status))
    after, before = f"{one.application_id}/", f"{one.application_id}0"
    documents = [shown async for shown in held.work.every(Shown, after=after, before=before)]
    for shown in documents:
        whose = shown.borrower_ref or one.borrower_ref
        sealed = msgspec.structs.replace(shown, borrower_ref=whose)
        name = shown_id(shown.application_id, shown.kind, shown.sha256)
        await (await hold(held.work, Shown, name)).put(sealed)
