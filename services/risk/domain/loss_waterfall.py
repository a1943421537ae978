"""Who bears a loss: guarantor and insurer, the first-loss tranche, then everybody by share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from shared.kernel.errors import InvalidArgument


class SharesDoNotAddUp(InvalidArgument):
    """The funding shares of all partners add up to one."""


class AmountBelowZero(InvalidArgument):
    """A loss, a cap or a recovery is zero or more."""


class ShareOutOfRange(InvalidArgument):
    """A share lies between 0 and 1."""


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """
    A promise to pay part of a loss; minor units.

    It pays `share` of the loss above `deductible_minor`, up to `cap_minor`, once the loan is
    `waiting_days` past due.
    """

    party: str
    share: Fraction
    cap_minor: int
    deductible_minor: int = 0
    waiting_days: int = 0


class Allocation(msgspec.Struct, frozen=True):
    """What one party bears or gets; minor units."""

    party: str
    amount_minor: int


def allocate_loss(
    loss_minor: int,
    *,
    days_past_due: int,
    covers: Sequence[Cover],
    first_loss: Cover | None,
    partners: Sequence[tuple[str, Fraction]],
) -> list[Allocation]:
    """
    Share a loss out, after cash and collateral.

    Args:
        loss_minor: What is lost, minor units.
        days_past_due: How late the loan is: covers wait for their day.
        covers: Guarantors and insurers, in order of payment.
        first_loss: The tranche that bears what is left, up to its cap; its share is of the rest.
        partners: Who funded the loan, and which share of it; they bear what remains.
    Returns:
        One allocation per party that bears anything; their sum is the loss.
    Raises:
        SharesDoNotAddUp: the partners' shares.
        AmountBelowZero: the loss, a cap or a deductible.
        ShareOutOfRange: of a cover or a partner.
    """
    _check(loss_minor, covers, first_loss, partners)
    left, found = loss_minor, []
    for cover in (*covers, *((first_loss,) if first_loss else ())):
        paid = _paid(cover, left, days_past_due)
        if paid:
            found.append(Allocation(cover.party, paid))
            left -= paid
    found += split(left, partners)
    return found


def _paid(cover: Cover, left: int, days_past_due: int) -> int:
    if days_past_due < cover.waiting_days:
        return 0
    covered = max(0, left - cover.deductible_minor) * cover.share
    # Down to the minor unit: a cover never pays more than its share.
    return min(int(covered), cover.cap_minor, left)


def split(amount_minor: int, partners: Sequence[tuple[str, Fraction]]) -> list[Allocation]:
    """Split an amount by share; units that do not divide go to the largest remainders, in order."""
    exact = [(amount_minor * share) for _, share in partners]
    parts = [int(one) for one in exact]
    over = amount_minor - sum(parts)
    order = sorted(range(len(parts)), key=lambda k: (parts[k] - exact[k], k))
    for place in order[:over]:
        parts[place] += 1
    return [
        Allocation(party, part) for (party, _), part in zip(partners, parts, strict=True) if part
    ]


def allocate_recovery(
    recovery_minor: int,
    *,
    costs_minor: int,
    paid: Sequence[Allocation],
    partners: Sequence[tuple[str, Fraction]],
) -> list[Allocation]:
    """
    Share a recovery after a claim out.

    Args:
        recovery_minor: What came in from the borrower, minor units.
        costs_minor: What getting it cost, borne by "costs" first.
        paid: What payers have paid and not yet got back, in order; each gets at most that.
        partners: Who gets what is left: the funding shares.
    Returns:
        One allocation per party that gets anything; their sum is the recovery.
    Raises:
        AmountBelowZero, ShareOutOfRange, SharesDoNotAddUp
    Source:
        Civil Code of China art. 700, Insurance Law art. 60: a payer succeeds to the creditor's
        rights within what it paid, and not to the creditor's harm.
    """
    if recovery_minor < 0 or costs_minor < 0:
        raise AmountBelowZero("below zero", field="recovery_minor", expected="0 or more")
    _check_shares(partners)
    left, found = recovery_minor, []
    for claim in (Allocation("costs", costs_minor), *paid):
        got = min(left, claim.amount_minor)
        if got:
            found.append(Allocation(claim.party, got))
            left -= got
    return found + split(left, partners)


def _check(
    loss_minor: int,
    covers: Sequence[Cover],
    first_loss: Cover | None,
    partners: Sequence[tuple[str, Fraction]],
) -> None:
    every = [*covers, *((first_loss,) if first_loss else ())]
    amounts = [amount for cover in every for amount in (cover.cap_minor, cover.deductible_minor)]
    if min([loss_minor, *amounts]) < 0:
        raise AmountBelowZero("below zero", field="loss_minor", expected="0 or more")
    if any(not 0 <= cover.share <= 1 for cover in every):
        raise ShareOutOfRange("share of a cover", field="covers.share", expected="0 to 1")
    _check_shares(partners)


def _check_shares(partners: Sequence[tuple[str, Fraction]]) -> None:
    if any(share < 0 for _, share in partners):
        raise ShareOutOfRange("share of a partner", field="partners", expected="0 to 1")
    if sum((share for _, share in partners), Fraction(0)) != 1:
        raise SharesDoNotAddUp("shares of partners", field="partners", expected="a sum of 1")
