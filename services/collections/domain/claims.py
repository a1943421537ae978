"""Claims on a guarantor, an insurer or collateral; whoever pays becomes creditor of that part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction

import msgspec

from shared.kernel.errors import NotFound, Refused


class ClaimNotFound(NotFound):
    """There is no such claim."""


class ClaimNotOpen(Refused):
    """The claim is no longer being prepared."""


class ClaimNotFiled(Refused):
    """Only a filed claim can be answered."""


class ClaimAlreadyOpen(Refused):
    """A claim on the same stand-in for the same loan is under way."""


class ClaimWaitingPeriod(Refused):
    """The loan is not late for as long as the cover wants."""


class ClaimCoverEnded(Refused):
    """The cover ended before the claim was filed."""


class ClaimDocumentsMissing(Refused):
    """Documents that filing wants are not there."""


class ClaimAboveCover(Refused):
    """More than what is left of the cover."""


class ClaimAboveClaimed(Refused):
    """More than was claimed."""


class Standin(StrEnum):
    """Who or what stands in for a debt."""

    GUARANTOR = "GUARANTOR"
    INSURER = "INSURER"
    COLLATERAL = "COLLATERAL"


class Document(msgspec.Struct, frozen=True):
    """One document by kind and SHA-256."""

    kind: str
    sha256: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One claim; amounts in minor units."""

    claim_id: str
    loan_id: str
    standin: Standin
    standin_ref: str
    currency: str
    cover_minor: int
    valid_until: date
    waiting_days: int = 0
    documents_wanted: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    status: str = "OPEN"
    filed_on: date | None = None
    filed_by: str = ""
    claimed_minor: int = 0
    paid_minor: int = 0
    answers: int = 0
    refusal: str = ""


def with_document(claim: Claim, document: Document) -> Claim:
    """Add a document, replacing the one of its kind; raise ClaimNotOpen."""
    _require(claim, "OPEN", ClaimNotOpen)
    others = tuple(one for one in claim.documents if one.kind != document.kind)
    return msgspec.structs.replace(claim, documents=(*others, document))


def filed(
    claim: Claim, on: date, amount_minor: int, by: str, days_past_due: int, paid_minor: int = 0
) -> Claim:
    """
    File a claim.

    Args:
        claim: Being prepared.
        on: Day of filing.
        amount_minor: Asked for; up to what is left of the cover.
        by: Who files it.
        days_past_due: Of the loan.
        paid_minor: What the same stand-in paid for this loan before.
    Raises:
        ClaimNotOpen, ClaimWaitingPeriod, ClaimCoverEnded, ClaimDocumentsMissing, ClaimAboveCover
    """
    _require(claim, "OPEN", ClaimNotOpen)
    if days_past_due < claim.waiting_days:
        raise ClaimWaitingPeriod(
            f"{days_past_due} days past due", field="filed_on", expected=f"{claim.waiting_days}"
        )
    if on > claim.valid_until:
        raise ClaimCoverEnded(f"ended on {claim.valid_until}", field="filed_on")
    there = {document.kind for document in claim.documents}
    missing = [kind for kind in claim.documents_wanted if kind not in there]
    if missing:
        raise ClaimDocumentsMissing(", ".join(missing), field="claim_id", expected="these first")
    left = max(0, claim.cover_minor - paid_minor)
    if amount_minor > left:
        raise ClaimAboveCover(f"{amount_minor} is too much", field="amount", expected=f"{left}")
    return msgspec.structs.replace(
        claim, status="FILED", filed_on=on, filed_by=by, claimed_minor=amount_minor
    )


def answered(claim: Claim, amount_minor: int, reason: str) -> Claim:
    """Take the answer in, of up to what was claimed: PAYING with an amount, REFUSED without."""
    _require(claim, "FILED", ClaimNotFiled)
    if amount_minor > claim.claimed_minor:
        raise ClaimAboveClaimed(
            f"{amount_minor} is above what was claimed",
            field="amount",
            expected=f"{claim.claimed_minor}",
        )
    if not amount_minor:
        return msgspec.structs.replace(claim, status="REFUSED", refusal=reason)
    return msgspec.structs.replace(
        claim, status="PAYING", paid_minor=amount_minor, answers=claim.answers + 1
    )


def settled(claim: Claim, refusal: str) -> Claim:
    """Write down whether the ledger took the money."""
    if refusal:
        return msgspec.structs.replace(claim, status="FILED", paid_minor=0, refusal=refusal)
    return msgspec.structs.replace(claim, status="PAID", refusal="")


def _require(claim: Claim, status: str, refusal: type[Refused]) -> None:
    if claim.status != status:
        raise refusal(f"the claim is {claim.status.lower()}", field="claim_id")


def share_recovery(
    amount_minor: int,
    lender_owed_minor: int,
    payers: Mapping[str, int],
    owed_most_minor: int | None = None,
) -> list[tuple[str, int, int]]:
    """
    Share what a borrower paid: the lender's own part first, then those who paid, in proportion.

    Args:
        amount_minor: What came.
        lender_owed_minor: What the lender is still owed itself.
        payers: What each of those who paid a claim paid.
        owed_most_minor: What the borrower still owes them in all; None: all that they paid.
    Returns:
        Creditor, owed, share; sums to the amount or to all that is owed, the smaller. What
        rounding leaves goes to the first payers by name.
    Source:
        Civil Code (CN) art. 700: recourse must not harm the creditor's interest.
    """
    first = min(amount_minor, lender_owed_minor)
    paid = sum(payers.values())
    owed = _in_proportion(paid if owed_most_minor is None else min(paid, owed_most_minor), payers)
    parts = _in_proportion(min(amount_minor - first, sum(owed.values())), owed)
    rows: Sequence[tuple[str, int, int]] = [(n, owed[n], parts[n]) for n in sorted(payers)]
    return [("lender", lender_owed_minor, first), *rows]


def _in_proportion(amount_minor: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Split an amount of up to the sum of the weights; none gets more than its weight."""
    whole = sum(weights.values())
    if not whole:
        return dict.fromkeys(weights, 0)
    parts = {name: int(Fraction(amount_minor * part, whole)) for name, part in weights.items()}
    missing = amount_minor - sum(parts.values())
    for name in sorted(name for name in parts if parts[name] < weights[name])[:missing]:
        parts[name] += 1
    return parts
