"""A borrower's wish to be forgotten: the key to what is personal is destroyed, the rest stays."""

from __future__ import annotations

from datetime import datetime

from services.collections.application import trail
from services.collections.application.ports import Policies
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import RulesNotFound
from services.collections.domain.debtor import Debtor
from shared.kernel.dates import add_months
from shared.kernel.errors import NotFound, Refused
from shared.runtime.records import Records, Work
from shared.runtime.requests import a_text
from shared.runtime.vault import VaultKeyMissing, wipe


class DebtorNotSealed(NotFound):
    """There is no key of this borrower: nothing was sealed, or it was shredded before."""


class DebtorStillOwes(Refused):
    """A case of the borrower is open: who is reached is still needed."""


class DebtorRecordsKept(Refused):
    """The law wants records of contact kept for longer."""


async def shred_debtor(
    records: Records, policies: Policies, borrower_ref: str, reason: str, now: datetime
) -> None:
    """
    Destroy a borrower's key.

    Args:
        policies: Their contact rules say for how many years attempts are kept.
        borrower_ref: Whose.
        reason: Kept beside the destroyed key.
    Raises:
        VaultKeyMissing: nothing is sealed here.
        DebtorNotSealed: there is no key of this borrower.
        DebtorStillOwes: a case is open.
        DebtorRecordsKept: an attempt is too young to be forgotten.
    """
    if records.vault is None:
        raise VaultKeyMissing("COLLECTIONS_PERSONAL_KEY_FILE is not set: nothing is sealed")
    why = a_text(reason, "reason")
    async with records.work() as work:
        await work.hold(borrower_ref)
        await _require_over(work, policies, borrower_ref, now)
        if not await records.vault.shred(work.connection, borrower_ref, why, now):
            raise DebtorNotSealed(f"{borrower_ref} has no key", field="borrower_ref")
    await wipe(records.engine)


async def _require_over(work: Work, policies: Policies, borrower_ref: str, now: datetime) -> None:
    debtor = await work.get(Debtor, borrower_ref)
    if debtor is None:
        return
    for loan_id, case in sorted((await work.get_all(Case, debtor.loans)).items()):
        if case.open:
            raise DebtorStillOwes(f"the case of {loan_id} is open", field="borrower_ref")
    try:
        years = policies.rules_for(debtor, now.date()).keep_years
    except RulesNotFound:
        years = max(rules.keep_years for rules in policies.rules)
    for made in await trail.attempts(work, borrower_ref):
        until = add_months(made.at.date(), 12 * years)
        if now.date() < until:
            raise DebtorRecordsKept(
                f"an attempt of {made.at:%Y-%m-%d}", field="borrower_ref", expected=f"from {until}"
            )
