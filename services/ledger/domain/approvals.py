"""A second person's word on a change: given before, for exactly this change, for a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.ledger.domain.book_events import ChangeApproved
from shared.kernel.errors import Refused

HOLDS = timedelta(hours=24)
"""How long an approval is good for."""


class ApprovalMissing(Refused):
    """Nobody has approved this change, as it is asked for now: ApproveChange does."""


class ApprovalExpired(Refused):
    """The change was approved more than a day ago: let it be approved again."""


class ApproverIsMaker(Refused):
    """Who asks for a change cannot be the one who approved it."""


class ApproverIsAnother(Refused):
    """The change names another approver than the one whose word was given."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: a request's method, id and the hash of its body."""

    loan_id: str
    request_id: str
    method: str
    body_sha256: str
    approved_by: str = ""
    """Whom the request names; empty where it has no such field."""


def approved(change: Change, by: str, request_id: str, now: datetime) -> ChangeApproved:
    """
    Approve a change.

    Raises:
        ApproverIsAnother: the change names somebody else as its approver.
    """
    named(change, by)
    return ChangeApproved(
        recorded_at=now,
        request_id=request_id,
        approved_by=by,
        loan_id=change.loan_id,
        method=change.method,
        change_request_id=change.request_id,
        body_sha256=change.body_sha256,
        expires_at=now + HOLDS,
    )


def named(change: Change, by: str) -> None:
    """Refuse a change that names another approver than `by`."""
    if change.approved_by and change.approved_by != by:
        raise ApproverIsAnother(
            f"{by} approves, not {change.approved_by}", field="approved_by", expected=by
        )


def require(
    approvals: Sequence[ChangeApproved], change: Change, maker: str, now: datetime
) -> ChangeApproved:
    """
    Return the approval under which a change may be made.

    Args:
        approvals: Those given under the change's request id, oldest first.
        change: What is asked for.
        maker: Who asks.
        now: Of the asking.
    Raises:
        ApprovalMissing, ApprovalExpired, ApproverIsMaker, ApproverIsAnother: it may not.
    """
    given = [one for one in approvals if one.body_sha256 == change.body_sha256]
    if not given:
        raise ApprovalMissing(
            f"nobody has approved {change.method} {change.request_id} as it is asked for",
            field="request_id",
            expected="an ApproveChange with this very request, by another person",
        )
    others = [one for one in given if one.approved_by != maker]
    if not others:
        raise ApproverIsMaker(f"{maker} asks and approves", field="approved_by")
    fitting = [one for one in others if change.approved_by in ("", one.approved_by)]
    if not fitting:
        named(change, others[-1].approved_by)
    holds(fitting[-1].expires_at, now)
    return fitting[-1]


def holds(until: datetime, at: datetime) -> None:
    """Refuse a change that is recorded when its approval holds no more."""
    if at >= until:
        raise ApprovalExpired(
            f"the approval was good until {until}",
            field="request_id",
            expected="another ApproveChange",
        )
