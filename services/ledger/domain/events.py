"""The facts of a loan account; each carries when it counts, when we learned it, and what it did."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
from msgspec import UNSET, UnsetType

from services.ledger.domain.delinquency import Standing, Transition
from services.ledger.domain.facts import AccelerationGround
from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.reasons import OwedInstalment
from services.ledger.domain.terms import Restructuring, Terms
from services.ledger.domain.timeline import Allocation
from services.ledger.domain.waterfall import Component, PaymentSource


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One journal line: debit above zero, credit below, minor units."""

    account: str
    amount_minor: int


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every event states: its loan, its two clocks, who asked and why."""

    loan_id: str
    effective_on: date
    recorded_at: datetime
    request_id: str
    reason: str = ""
    actor: str = "internal"
    traceparent: str = ""


class Financial(Fact, frozen=True, kw_only=True, gc=False):
    """A fact that moves money in the books; its postings sum to zero."""

    postings: tuple[Posting, ...] = ()
    posting_policy: str = "cash/1"


class LoanOpened(Fact, frozen=True, kw_only=True, gc=False):
    """The account exists; nothing was paid out."""

    borrower_ref: str
    product: str
    terms: Terms


class LoanDisbursed(Financial, frozen=True, kw_only=True, gc=False):
    """The principal, or a part of it, was paid out."""

    amount_minor: int


class DisbursementReturned(Financial, frozen=True, kw_only=True, gc=False):
    """The bank sent the payout back: it never reached the borrower, who owes nothing of it."""

    amount_minor: int
    approved_by: str


class RepaymentPosted(Financial, frozen=True, kw_only=True, gc=False):
    """
    Money came in; `allocations` sum to what was not left unallocated.

    `told` with them on the stream; not said by those that were stored before it told any.
    """

    repayment_id: str
    amount_minor: int
    allocations: tuple[Allocation, ...]
    allocation_policy: str = "oldest-first/1"
    source: PaymentSource = PaymentSource.BORROWER
    told: bool | UnsetType = UNSET


class RepaymentReversed(Financial, frozen=True, kw_only=True, gc=False):
    """A repayment is taken back as of its value date; `taken_back`: where its money had gone."""

    repayment_id: str
    amount_minor: int
    taken_back: tuple[Allocation, ...] | UnsetType = UNSET


class ChargeApplied(Financial, frozen=True, kw_only=True, gc=False):
    """
    The lender charged an amount; its id is the request's. No due date: due at once.

    `told` on the stream; not said by charges that were stored before the stream told any.
    """

    amount_minor: int
    component: Component = Component.FEE
    due_on: date | None = None
    told: bool | UnsetType = UNSET


class ChargeWaived(Financial, frozen=True, kw_only=True, gc=False):
    """What was unpaid of a charge is owed no more; `told` as in ChargeApplied."""

    charge_id: str
    amount_minor: int
    approved_by: str
    component: Component | UnsetType = UNSET
    told: bool | UnsetType = UNSET


class CreditRefunded(Financial, frozen=True, kw_only=True, gc=False):
    """A credit balance was paid back."""

    amount_minor: int


class InterestPaused(Financial, frozen=True, kw_only=True, gc=False):
    """
    From `from_on` to `until_on`, both included, no interest is earned; agreed before or then.

    `hands_back`: interest that was paid and that no instalment owes any more pays what is due next.
    """

    from_on: date
    until_on: date
    approved_by: str
    hands_back: bool | UnsetType = UNSET


class DelinquencyPaused(Financial, frozen=True, kw_only=True, gc=False):
    """From `from_on` to `until_on` days do not count as late; agreed before or then."""

    from_on: date
    until_on: date


class DelinquencyResumed(Financial, frozen=True, kw_only=True, gc=False):
    """The running pause ends on the effective date."""


class DelinquencyPolicyChanged(Financial, frozen=True, kw_only=True, gc=False):
    """From its date on lateness is classified under `policy`; `before` names the one until then."""

    policy: DelinquencyPolicy
    before: str
    approved_by: str


class TermsRestructured(Financial, frozen=True, kw_only=True, gc=False):
    """
    The rest of the schedule was replaced; what was owed is carried over.

    `hands_back`: interest that was paid and that no instalment owes any more pays what is due next.
    """

    instalments: int
    first_due_on: date
    terms: Terms
    approved_by: str
    kind: Restructuring = Restructuring.RESCHEDULE
    hands_back: bool | UnsetType = UNSET


class LoanAccelerated(Financial, frozen=True, kw_only=True, gc=False):
    """
    The lender declared the debt that is not due yet due on the effective date (加速到期).

    It is one instalment of its own, `instalment`: the principal, and the interest earned by then;
    later interest is not owed. `notified_on`: when the borrower was told. `owed`: what is overdue,
    and what falls due that day, by instalment.
    """

    ground: AccelerationGround
    notified_on: date
    instalment: int
    principal_minor: int
    interest_minor: int
    owed: tuple[OwedInstalment, ...]
    approved_by: str


class AccelerationWithdrawn(Financial, frozen=True, kw_only=True, gc=False):
    """The acceleration is taken back as of its date: the instalments are due as they were."""

    acceleration_id: str
    approved_by: str


class LoanTransferred(Financial, frozen=True, kw_only=True, gc=False):
    """The loan was sold: the creditor changes, the debt stays, the seller goes on collecting."""

    creditor_ref: str
    price_minor: int
    approved_by: str


class LoanChargedOff(Financial, frozen=True, kw_only=True, gc=False):
    """The loan left the lender's books; the borrower's debt stays."""

    principal_minor: int


class RecoveryPosted(Financial, frozen=True, kw_only=True, gc=False):
    """Money came after charge-off; `told` as in RepaymentPosted."""

    repayment_id: str
    amount_minor: int
    allocations: tuple[Allocation, ...]
    told: bool | UnsetType = UNSET


class ChargeOffUndone(Financial, frozen=True, kw_only=True, gc=False):
    """The charge-off is taken back as of its date."""

    charge_off_id: str
    approved_by: str


class LoanWrittenOff(Financial, frozen=True, kw_only=True, gc=False):
    """The lender let go of the debt; nothing is owed any more."""

    amount_minor: int
    approved_by: str


class SettlementPosted(Financial, frozen=True, kw_only=True, gc=False):
    """Money was taken as full settlement; `forgiven_minor` of the debt was let go."""

    repayment_id: str
    amount_minor: int
    forgiven_minor: int
    approved_by: str


class GuaranteeClaimPaid(Financial, frozen=True, kw_only=True, gc=False):
    """A guarantor paid: the creditor of this part changes, the borrower's debt does not fall."""

    amount_minor: int
    guarantor_ref: str


class LoanSettled(Fact, frozen=True, kw_only=True, gc=False):
    """Nothing is owed any more."""


class TransitionRecorded(Fact, frozen=True, kw_only=True, gc=False):
    """
    How late the loan is has changed; `standing` is how late it is now.

    `owed` are the instalments that make it that late, `cause` is the version and the name of the
    fact that brought it about, if it was not time. A change without `owed` was stored before the
    stream told any, and its policy was not said: it is always the default's name.
    """

    standing: Standing
    transitions: tuple[Transition, ...]
    next_transition_on: date | None
    delinquency_policy: str = "cn-consumer/1"
    owed: tuple[OwedInstalment, ...] | UnsetType = UNSET
    cause: tuple[int, str] | UnsetType = UNSET


class TimelineRestated(Fact, frozen=True, kw_only=True, gc=False):
    """
    A fact that counts earlier changed what was known of the days since.

    `reopened`: the loan was settled, and something of it is owed again. `charged_off_before_minor`
    and `charged_off_after_minor`: the principal that a charge-off since took off the books, as it
    was and as it is now; only where that changed.
    """

    cause_version: int
    superseded_versions: tuple[int, ...]
    to_on: date
    days_past_due_max_before: int
    days_past_due_max_after: int
    reallocated: tuple[str, ...]
    reopened: bool | UnsetType = UNSET
    charged_off_before_minor: int | UnsetType = UNSET
    charged_off_after_minor: int | UnsetType = UNSET
