"""Where an application may stand, which step leads where, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shared.kernel.errors import Refused


class Status(StrEnum):
    """Where an application stands."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    REFERRED = "REFERRED"
    OFFERED = "OFFERED"
    DISCLOSED = "DISCLOSED"
    CONFIRMED = "CONFIRMED"
    CONTRACTED = "CONTRACTED"
    DISBURSING = "DISBURSING"
    PAYOUT_RETURNED = "PAYOUT_RETURNED"
    DISBURSED = "DISBURSED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class Step(StrEnum):
    """What can be done with an application."""

    DRAFT = "draft"
    SUBMIT = "submit"
    DECIDE = "decide"
    REVIEW = "review"
    CHOOSE = "choose"
    SECURE = "secure"
    SHOW = "show"
    CONFIRM = "confirm"
    ACCEPT = "accept"
    DISBURSE = "disburse"
    PAY = "pay"
    RETURN = "return"
    RESOLVE = "resolve"
    CANCEL = "cancel"
    SETTLE = "settle"
    REOPEN = "reopen"
    REDIRECT = "redirect"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"


_S = Status
_OPEN: Mapping[Step, tuple[Status, ...]] = {
    Step.WITHDRAW: (_S.WITHDRAWN,),
    Step.EXPIRE: (_S.EXPIRED,),
}
_OFFER: Mapping[Step, tuple[Status, ...]] = {
    **_OPEN,
    Step.CHOOSE: (_S.OFFERED,),
    Step.SECURE: (_S.OFFERED,),
}
_ALLOWED: Mapping[Status, Mapping[Step, tuple[Status, ...]]] = {
    _S.DRAFT: {**_OPEN, Step.DRAFT: (_S.DRAFT,), Step.SUBMIT: (_S.SUBMITTED,)},
    _S.SUBMITTED: {
        **_OPEN,
        Step.DECIDE: (_S.OFFERED, _S.REFERRED, _S.DECLINED),
        Step.SECURE: (_S.SUBMITTED,),
    },
    _S.REFERRED: {
        **_OPEN,
        Step.REVIEW: (_S.REFERRED, _S.OFFERED, _S.DECLINED),
        Step.SECURE: (_S.REFERRED,),
    },
    _S.OFFERED: {**_OFFER, Step.SHOW: (_S.DISCLOSED,)},
    _S.DISCLOSED: {**_OFFER, Step.SHOW: (_S.DISCLOSED,), Step.CONFIRM: (_S.CONFIRMED,)},
    _S.CONFIRMED: {**_OFFER, Step.ACCEPT: (_S.CONTRACTED,)},
    _S.CONTRACTED: {**_OPEN, Step.CHOOSE: (_S.OFFERED,), Step.DISBURSE: (_S.DISBURSING,)},
    _S.DISBURSING: {
        Step.PAY: (_S.DISBURSED,),
        Step.RETURN: (_S.PAYOUT_RETURNED, _S.DISBURSED),
        Step.RESOLVE: (_S.DISBURSING, _S.PAYOUT_RETURNED, _S.DISBURSED),
    },
    _S.PAYOUT_RETURNED: {
        **_OPEN,
        Step.CHOOSE: (_S.OFFERED,),
        Step.DISBURSE: (_S.DISBURSING,),
    },
    _S.DISBURSED: {
        Step.DISBURSE: (_S.DISBURSING,),
        Step.CANCEL: (_S.CANCELLING,),
        Step.RETURN: (_S.CANCELLING,),
        Step.REDIRECT: (_S.DISBURSED,),
    },
    _S.CANCELLING: {Step.SETTLE: (_S.CANCELLED,), Step.REOPEN: (_S.DISBURSED,)},
    _S.CANCELLED: {},
    _S.DECLINED: {},
    _S.WITHDRAWN: {},
    _S.EXPIRED: {},
}
ALLOWED: Mapping[Status, Mapping[Step, tuple[Status, ...]]] = {
    status: {**steps, Step.REDIRECT: (status,)}
    if Step.DRAFT not in steps and Step.EXPIRE in steps
    else steps
    for status, steps in _ALLOWED.items()
}
"""Status after each step that may be taken; where there are several, the outcome chooses."""


class StepOutOfOrder(Refused):
    """The application is not where this step begins."""


class ApplicationNotSubmitted(StepOutOfOrder):
    """A draft is submitted before anything else is done with it."""


class ApplicationAlreadySubmitted(StepOutOfOrder):
    """An application is drafted and submitted once."""


class ApplicationNotDecided(StepOutOfOrder):
    """Nothing is offered before the decision."""


class ApplicationAlreadyDecided(StepOutOfOrder):
    """A decision is made once."""


class ApplicationNotReferred(StepOutOfOrder):
    """Only what was referred is reviewed by people."""


class DisclosureNotShown(StepOutOfOrder):
    """What was not shown cannot be confirmed."""


class DisclosureAlreadyConfirmed(StepOutOfOrder):
    """It was shown and confirmed; a change of the offer has it shown again."""


class DisclosureNotConfirmed(StepOutOfOrder):
    """A contract is accepted after its costs were read and confirmed."""


class ContractAlreadyAccepted(StepOutOfOrder):
    """What the contract says is not changed after its acceptance."""


class ContractNotAccepted(StepOutOfOrder):
    """Money is paid out after the contract was accepted."""


class PayoutUnderWay(StepOutOfOrder):
    """The money is on its way; wait for its end."""


class PayoutNotUnderWay(StepOutOfOrder):
    """No money is on its way."""


class LoanIsPaidOut(StepOutOfOrder):
    """The loan was paid out."""


class LoanNotPaidOut(StepOutOfOrder):
    """Only a loan that was paid out is given back."""


class CancellationUnderWay(StepOutOfOrder):
    """The borrower is giving the loan back."""


class CancellationNotUnderWay(StepOutOfOrder):
    """Nobody is giving this loan back."""


class LoanIsCancelled(StepOutOfOrder):
    """The loan was given back in the cooling-off period."""


class ApplicationIsDeclined(StepOutOfOrder):
    """The application was declined."""


class ApplicationIsWithdrawn(StepOutOfOrder):
    """The applicant withdrew."""


class ApplicationIsExpired(StepOutOfOrder):
    """The offer was not taken up in time."""


_IN_THE_WAY: Mapping[Status, type[StepOutOfOrder]] = {
    _S.CANCELLED: LoanIsCancelled,
    _S.DECLINED: ApplicationIsDeclined,
    _S.WITHDRAWN: ApplicationIsWithdrawn,
    _S.EXPIRED: ApplicationIsExpired,
    _S.DISBURSED: LoanIsPaidOut,
    _S.CANCELLING: CancellationUnderWay,
    _S.DISBURSING: PayoutUnderWay,
}
_TOO_EARLY: Mapping[Step, type[StepOutOfOrder]] = {
    Step.CHOOSE: ApplicationNotDecided,
    Step.SHOW: ApplicationNotDecided,
    Step.CONFIRM: DisclosureNotShown,
    Step.ACCEPT: DisclosureNotConfirmed,
    Step.DISBURSE: ContractNotAccepted,
    Step.PAY: PayoutNotUnderWay,
    Step.RETURN: PayoutNotUnderWay,
    Step.RESOLVE: PayoutNotUnderWay,
    Step.CANCEL: LoanNotPaidOut,
    Step.SETTLE: CancellationNotUnderWay,
    Step.REOPEN: CancellationNotUnderWay,
}
_ENDED_UNPAID = {_S.WITHDRAWN, _S.EXPIRED}
_OF_MONEY_UNDER_WAY = {Step.PAY, Step.RETURN, Step.RESOLVE, Step.SETTLE, Step.REOPEN}
_UNDECIDED = {_S.SUBMITTED, _S.REFERRED}
_UNSIGNED = {_S.OFFERED, _S.DISCLOSED, _S.CONFIRMED}


def refusal(status: Status, step: Step) -> type[StepOutOfOrder]:
    """Return what stands in the way of a step that `status` does not allow."""
    if status is _S.DRAFT:
        return ApplicationNotSubmitted
    if step in {Step.DRAFT, Step.SUBMIT} and status in _ENDED_UNPAID:
        return _IN_THE_WAY[status]
    if step in {Step.DRAFT, Step.SUBMIT}:
        return ApplicationAlreadySubmitted
    if step in _OF_MONEY_UNDER_WAY and ALLOWED[status]:
        return _TOO_EARLY[step]
    if status in _IN_THE_WAY:
        return _IN_THE_WAY[status]
    if step is Step.DECIDE:
        return ApplicationAlreadyDecided
    if step is Step.REVIEW:
        return ApplicationNotReferred
    if status in _UNDECIDED or step in {Step.DISBURSE, Step.CANCEL}:
        return _TOO_EARLY[step]
    if status in _UNSIGNED:
        return DisclosureAlreadyConfirmed if status is _S.CONFIRMED else _TOO_EARLY[step]
    return ContractAlreadyAccepted


def require(status: Status, step: Step) -> None:
    """
    Let a step begin only where it may.

    Raises:
        StepOutOfOrder: as the fact that stands in the way.
    """
    if step in ALLOWED[status]:
        return
    begins = sorted(at for at in Status if step in ALLOWED[at])
    raise refusal(status, step)(
        f"cannot {step}: the application is {status}",
        field="application_id",
        expected=" or ".join(begins),
        status=status,
    )


def follow(status: Status, step: Step, after: Status) -> Status:
    """
    Return where a step leads.

    Raises:
        StepOutOfOrder: the step may not begin here.
    """
    require(status, step)
    assert after in ALLOWED[status][step], f"{step} does not lead from {status} to {after}"
    return after


def table() -> str:
    """Return the whole machine as a table for people: a row per status, a column per step."""
    rows = [["", *Step], ["---"] * (len(Step) + 1)]
    for status in Status:
        cells = [
            " / ".join(ALLOWED[status][step])
            if step in ALLOWED[status]
            else refusal(status, step).reason.lower()
            for step in Step
        ]
        rows.append([f"**{status}**", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
