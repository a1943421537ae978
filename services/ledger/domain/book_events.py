"""Facts of the ledger as a whole: the business date, and requests that were answered."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from services.ledger.domain.events import Posting


class BusinessDateAdvanced(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Every day up to this date is closed."""

    on: date
    recorded_at: datetime
    request_id: str
    loans_changed: int
    loans_touched: int


class AccrualPosted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    Income earned by a month end and not booked before, of all loans of one currency that accrue.

    `interest_minor` and `penalty_minor` are all that was ever earned, as known then; the postings
    are what that adds to the accruals before, so that later knowledge is booked when it comes.
    """

    on: date
    recorded_at: datetime
    request_id: str
    currency: str
    loans: int
    interest_minor: int
    penalty_minor: int
    postings: tuple[Posting, ...]
    posting_policy: str = "accrual/1"


class RequestAnswered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request had its effect; the same id gets the same answer for ever."""

    request_id: str
    body_sha256: str
    loan_id: str
    loan_version: int
    business_on: date | None


class SigningKeyRotated(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The log's checkpoints are signed with another key from here on; both keys signed this."""

    recorded_at: datetime
    reason: str
    verifier_before: str
    verifier_after: str
    statement: str


class ChangeApproved(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A person approved a change that another is to ask for: exactly this body, until it expires.

    `method` and `body_sha256` are those of the request with the id `change_request_id`.
    """

    recorded_at: datetime
    request_id: str
    approved_by: str
    loan_id: str
    method: str
    change_request_id: str
    body_sha256: str
    expires_at: datetime


class RequestVoided(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request id was used up before its request came: whatever comes under it has no effect."""

    recorded_at: datetime
    request_id: str
    loan_id: str
    reason: str
    voided_by: str


class ApprovalRuleChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    From here on these methods take effect only when a second person has approved them.

    `methods` are names such as WriteOffLoan; none: nothing needs a second person, as in a ledger
    without roles. `vouchers` are identities, each with a method that it answers for alone.
    """

    recorded_at: datetime
    methods: tuple[str, ...]
    vouchers: tuple[tuple[str, str], ...]


class LateSealExplained(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A person says why some leaves of the log were sealed long after they were recorded.

    `first_leaf` to `end_leaf` (not included), counted from 0. It makes nothing punctual: who checks
    the log is told both. `approved_by` is a second person, who must be where four eyes are on.
    """

    recorded_at: datetime
    first_leaf: int
    end_leaf: int
    reason: str
    explained_by: str
    approved_by: str


class AnswerRead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    Somebody was told something: who, why, what was asked, and the hash of the answer.

    `request_json` names dates, instant and checkpoint even where the reader did not, so that the
    same question has the same answer for ever.
    """

    read_id: str
    recorded_at: datetime
    reader: str
    purpose: str
    method: str
    request_json: str
    answer_sha256: str
