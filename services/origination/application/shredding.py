"""A borrower's wish to be forgotten: the key to what is personal is destroyed, the rest stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.origination.application.holding import Held, hold
from services.origination.application.keeping import Shown
from services.origination.application.parking import park
from services.origination.application.terms import terms_of
from services.origination.domain.application import Application
from services.origination.domain.payouts import is_all_out
from services.origination.domain.state_machine import Status
from shared.kernel.errors import NotFound, Refused
from shared.runtime.readable import Unreadable, every_readable
from shared.runtime.records import Records, Work
from shared.runtime.requests import a_text
from shared.runtime.vault import MARK, SHREDDED, VaultKeyMissing, wipe


class Left(msgspec.Struct, frozen=True):
    """A record that could not be read, and may hold something in plain: which, and why."""

    kind: str
    record_id: str
    state: str
    why: str


class Shredded(msgspec.Struct, frozen=True):
    """
    What shredding did not reach.

    `named`: applications of others whose documents name the borrower, sealed under those others'
    keys; `left`: records that are of the borrower, or may be, and cannot be read.
    """

    named: list[str]
    left: list[Left]


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
) -> Shredded:
    """
    Destroy a borrower's key; what was stored before there was a vault is sealed first.

    A record that cannot be read stops nothing: what is sealed in it goes with the key, and if it
    held something in plain, that goes when it is mended and the borrower shredded again.

    Args:
        borrower_ref: Whose; a co-borrower has a key of their own, and a draft without a borrower
            the one of its application's id.
        reason: Kept beside the destroyed key.
    Raises:
        VaultKeyMissing: nothing is sealed here.
        BorrowerNotSealed: there is no key of this borrower, and nothing in plain.
        BorrowerStillApplies: an application is under way.
    """
    if records.vault is None:
        raise VaultKeyMissing("ORIGINATION_PERSONAL_KEY_FILE is not set: nothing is sealed")
    why = a_text(reason, "reason")
    async with records.work() as work:
        await work.hold(borrower_hold(borrower_ref))
        sealing = Sealing(work, borrower_ref)
        await sealing.applications()
        destroyed = await records.vault.shred(work.connection, borrower_ref, why, now)
        if not destroyed and not sealing.was_plain:
            raise BorrowerNotSealed(
                f"{borrower_ref} has no key",
                field="borrower_ref",
                expected="a borrower of whom something was sealed, and who was not shredded",
            )
    await wipe(records.engine)
    for one in sealing.left:
        if one.kind == Application.__name__:
            await park(records, one.record_id, Unreadable(one.state, one.why), now)
    return Shredded(sealing.named, sealing.left)


@dataclass(slots=True)
class Sealing:
    """
    Stores again what is there of one borrower, sealed, whatever it was.

    `was_plain`: something was stored in plain although the key was destroyed before.
    """

    work: Work
    borrower_ref: str
    named: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    was_plain: bool = False

    async def applications(self) -> None:
        """
        Go through all applications; those of others are not held, there may be many.

        Raises:
            BorrowerStillApplies: one of the borrower's is under way.
        """
        async for name, one in every_readable(self.work, Application):
            if isinstance(one, Unreadable):
                await self._skip_application(name, one)
            elif self._is_of(one):
                held = await hold(self.work, Application, name)
                await self._application(held, held.now or one)

    def _is_of(self, one: Application) -> bool:
        people = {person.borrower_ref for person in one.co_borrowers}
        return self.borrower_ref in {one.borrower_ref or one.application_id, *people}

    async def _application(self, held: Held[Application], one: Application) -> None:
        if not _is_over(one):
            raise self._under_way(one.application_id, one.status)
        await held.put(one, str(one.status))
        self.was_plain |= await self.work.get(Application, held.record_id) != one
        if self.borrower_ref in {person.borrower_ref for person in one.co_borrowers}:
            self.named.append(one.application_id)
        async for name, shown in self._documents(one.application_id):
            if isinstance(shown, Unreadable):
                self.left.append(Left(Shown.__name__, name, shown.state, shown.why))
            else:
                await self._document(name, shown, shown.borrower_ref or one.borrower_ref)

    async def _skip_application(self, name: str, one: Unreadable) -> None:
        """Pass an application over that cannot be read; its documents name whose they are."""
        ours = name == self.borrower_ref or self._is_named_in(one.body)
        if ours and one.state not in {*OVER, Status.DISBURSED}:
            raise self._under_way(name, f"{one.state} and cannot be read")
        if ours or not _is_whole(one.body):
            self.left.append(Left(Application.__name__, name, one.state, one.why))
        async for shown_as, shown in self._documents(name):
            if isinstance(shown, Unreadable):
                if self._is_named_in(shown.body) or not _is_whole(shown.body):
                    self.left.append(Left(Shown.__name__, shown_as, shown.state, shown.why))
            elif shown.borrower_ref == self.borrower_ref:
                await self._document(shown_as, shown, shown.borrower_ref)

    def _documents(self, application_id: str) -> AsyncIterator[tuple[str, Shown | Unreadable]]:
        after, before = f"{application_id}/", f"{application_id}0"
        return every_readable(self.work, Shown, after=after, before=before)

    async def _document(self, name: str, shown: Shown, whose: str) -> None:
        sealed = msgspec.structs.replace(shown, borrower_ref=whose)
        await (await hold(self.work, Shown, name)).put(sealed)
        self.was_plain |= await self.work.get(Shown, name) != sealed

    def _is_named_in(self, body: bytes) -> bool:
        """Say whether what is stored names the borrower, as a reference or by what is sealed."""
        quoted = msgspec.json.encode(self.borrower_ref)
        return quoted in body or f"{MARK}{self.borrower_ref}/".encode() in body

    def _under_way(self, application_id: str, status: str) -> BorrowerStillApplies:
        return BorrowerStillApplies(
            f"{application_id} is {status}",
            field="borrower_ref",
            expected=f"{application_id} ended or paid out before",
        )


def _is_whole(body: bytes) -> bool:
    """Say whether all of a record is there, though of another shape: what it names can be seen."""
    try:
        msgspec.json.decode(body)
    except ValueError:
        return False
    return True
