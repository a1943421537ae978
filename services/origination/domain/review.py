"""Four eyes on what the rules referred: enough different people, one with authority for it."""

from __future__ import annotations

from datetime import date

from services.origination.domain.application import Application, Review, Stamp, stepped
from services.origination.domain.products import Policies
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import Refused


class ReviewerHasNoAuthority(Refused):
    """The reviewer may not decide on loans of this currency."""


class ReviewerIsTheSame(Refused):
    """The second pair of eyes is another person's."""


class AuthorityTooLow(Refused):
    """Nobody who approved may approve so large a loan alone or as the last."""


def reviewed(
    now: Application, review: Review, policies: Policies, on: date, stamp: Stamp
) -> Application:
    """
    Take a review in: one refusal declines, enough approvals approve.

    The approval that completes the number counts only if one of the approvers has authority for
    the amount; otherwise it is refused, and a person with more authority is to give it.

    Raises:
        ReviewerHasNoAuthority, ReviewerIsTheSame, AuthorityTooLow
    """
    require(now.status, Step.REVIEW)
    authority = policies.authority_on(review.reviewer_ref, now.currency, on)
    if authority == 0:
        raise ReviewerHasNoAuthority(
            f"{review.reviewer_ref} may not decide on {now.currency} loans", field="reviewer_ref"
        )
    if any(earlier.reviewer_ref == review.reviewer_ref for earlier in now.reviews):
        raise ReviewerIsTheSame(
            f"{review.reviewer_ref} reviewed it before",
            field="reviewer_ref",
            expected="another reviewer",
        )
    reviews = (*now.reviews, review)
    note = f"{'approves' if review.approves else 'declines'}: {review.reason}"
    if not review.approves:
        return stepped(now, Step.REVIEW, Status.DECLINED, stamp, note, reviews=reviews)
    approvals_min = policies.approvals_on(on)
    if len(reviews) < approvals_min:
        return stepped(now, Step.REVIEW, Status.REFERRED, stamp, note, reviews=reviews)
    most = max(policies.authority_on(r.reviewer_ref, now.currency, on) for r in reviews)
    if most < now.amount_minor:
        raise AuthorityTooLow(
            f"the approvers may approve up to {most}, not {now.amount_minor}",
            field="reviewer_ref",
            expected=f"a reviewer with authority for {now.amount_minor} minor units",
        )
    return stepped(now, Step.REVIEW, Status.OFFERED, stamp, note, reviews=reviews)
