"""Four eyes on what the rules referred: enough different people, one with authority for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from services.origination.domain.application import Application, Review, Stamp, stepped
from services.origination.domain.products import Policies
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import InvalidArgument, Refused


class ReviewerHasNoAuthority(Refused):
    """The reviewer may not decide on loans of this currency."""


class ReviewerIsTheSame(Refused):
    """The second pair of eyes is another person's."""


class AuthorityTooLow(Refused):
    """Nobody who approved may approve so large a loan alone or as the last."""


class ReviewReasonUnknown(InvalidArgument):
    """No reason that applicants are told has this code."""


class DeclineWithoutReason(InvalidArgument):
    """Who is declined is told why."""


class Reason(NamedTuple):
    """One reason that an applicant is told."""

    text_en: str
    text_zh: str


REASONS = {
    "INCOME_NOT_VERIFIED": Reason("We could not verify your income", "未能核实您的收入"),
    "IDENTITY_NOT_VERIFIED": Reason("We could not verify your identity", "未能核实您的身份"),
    "ACCOUNT_NOT_VERIFIED": Reason("We could not verify your account", "未能核实您的银行账户"),
    "INFORMATION_CONTRADICTORY": Reason(
        "What you told us is incomplete or contradictory", "您提供的信息不完整或相互矛盾"
    ),
    "DEBTS_TOO_HIGH": Reason("Your debts are too high for your income", "您的负债相对收入过高"),
    "PURPOSE_NOT_FINANCED": Reason("We do not lend for this purpose", "我们不提供该用途的贷款"),
    "RISK_NOT_PRICED": Reason(
        "The risk of default is above what the product has a rate for",
        "违约风险高于该产品可定价的范围",
    ),
    "COST_ABOVE_CEILING": Reason(
        "At our price the loan would cost more than the law allows",
        "按我们的定价，贷款综合成本将超过法定上限",
    ),
    "SECURITY_INSUFFICIENT": Reason("The security is not enough", "担保不足"),
}
"""What reviewers may give as the reason of a decline; after Reg B's sample form C-1."""
_LAST = "NO_ANSWER"


def reasons(codes: Iterable[str]) -> tuple[str, ...]:
    """
    Return codes of reasons that there are.

    Raises:
        ReviewReasonUnknown: with the codes that there are.
    """
    known = tuple(codes)
    for code in known:
        if code not in REASONS:
            raise ReviewReasonUnknown(
                f"{code[:40]!r} is unknown", field="reason_codes", expected=", ".join(REASONS)
            )
    return known


def decline_reasons(now: Application) -> list[Reason]:
    """Return why an application is declined: people, checks, risk; silence of a check last."""
    said = [REASONS[code] for review in now.reviews for code in review.reason_codes]
    checks = sorted(
        (check for check in now.checks if check.outcome != "PASSED"),
        key=lambda check: check.outcome != "FAILED",
    )
    found, silent = (
        [Reason(c.text_en, c.text_zh) for c in checks if (c.outcome == _LAST) is last]
        for last in (False, True)
    )
    decision = json.loads(now.asked_decision_json or now.decision_json or "{}")
    scored = [Reason(r["textEn"], r["textZh"]) for r in decision.get("reasons", ())]
    return list(dict.fromkeys([*said, *found, *scored, *silent]))


def reviewed(
    now: Application, review: Review, policies: Policies, on: date, stamp: Stamp
) -> Application:
    """
    Take a review in: one refusal declines, enough approvals approve.

    The approval that completes the number counts only if one of the approvers has authority for
    the amount; otherwise it is refused, and a person with more authority is to give it.

    Raises:
        ReviewerHasNoAuthority, ReviewerIsTheSame, AuthorityTooLow
        DeclineWithoutReason: neither the review nor checks nor risk say what to tell.
    """
    require(now.status, Step.REVIEW)
    authority = policies.authority_on(review.reviewer_ref, now.currency, on)
    if authority == 0:
        raise ReviewerHasNoAuthority(
            f"{review.reviewer_ref} may not decide on {now.currency} loans",
            field="reviewer_ref",
            expected=f"a reviewer with authority in {now.currency}",
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
        declined = stepped(now, Step.REVIEW, Status.DECLINED, stamp, note, reviews=reviews)
        if not decline_reasons(declined):
            raise DeclineWithoutReason(
                "nothing says why it is declined",
                field="reason_codes",
                expected="at least one of " + ", ".join(REASONS),
            )
        return declined
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
