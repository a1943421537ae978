"""An application goes through its steps in order; each step says what must come before it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum

import msgspec

from shared.kernel.errors import InvalidArgument, NotFound, Refused


class Status(StrEnum):
    """Where an application stands."""

    SUBMITTED = "SUBMITTED"
    OFFERED = "OFFERED"
    DECLINED = "DECLINED"
    REFERRED = "REFERRED"
    DISCLOSED = "DISCLOSED"
    CONFIRMED = "CONFIRMED"
    CONTRACTED = "CONTRACTED"
    DISBURSING = "DISBURSING"
    DISBURSED = "DISBURSED"
    WITHDRAWN = "WITHDRAWN"


class ApplicationNotFound(NotFound):
    """No application has this id."""


class ApplicationAlreadySubmitted(Refused):
    """An application with this id was taken in before."""


class StepOutOfOrder(Refused):
    """The application is not where this step begins."""


class DisclosureReadTooBriefly(Refused):
    """The disclosure has not been on show for long enough to be read."""


class DisclosureDiffers(InvalidArgument):
    """The hash is not that of the disclosure shown last."""


class ProductUnknown(InvalidArgument):
    """No product has this code."""


class Guarantee(msgspec.Struct, frozen=True, kw_only=True):
    """What secures the loan beside the borrower's promise; minor units."""

    kind: str
    provider_ref: str
    amount_minor: int


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """One application; decision and terms are kept as the contracts' JSON."""

    application_id: str
    borrower_ref: str
    applicant_name: str
    identity_number: str
    product: str
    currency: str
    amount_minor: int
    instalments: int
    method: str
    monthly_income_minor: int
    monthly_debt_payments_minor: int
    other_lenders: int
    enquiries_30d: int
    age_years: int
    purpose: str
    attributes: dict[str, str]
    applied_on: date
    status: Status = Status.SUBMITTED
    terms_json: str = ""
    decision_json: str = ""
    disclosure_sha256: str = ""
    disclosed_at: datetime | None = None
    contract_sha256: str = ""
    guarantees: tuple[Guarantee, ...] = ()

    @property
    def loan_id(self) -> str:
        """The loan that this application becomes."""
        return f"L-{self.application_id}"


BEFORE: dict[str, frozenset[Status]] = {
    "decide": frozenset({Status.SUBMITTED}),
    "show": frozenset({Status.OFFERED, Status.DISCLOSED}),
    "confirm": frozenset({Status.DISCLOSED}),
    "accept": frozenset({Status.CONFIRMED}),
    "disburse": frozenset({Status.CONTRACTED, Status.DISBURSING}),
    "guarantee": frozenset(
        {Status.SUBMITTED, Status.OFFERED, Status.DISCLOSED, Status.CONFIRMED, Status.REFERRED}
    ),
    "withdraw": frozenset(set(Status) - {Status.DISBURSING, Status.DISBURSED, Status.WITHDRAWN}),
}
"""From which status each step may begin."""


def require(application: Application, step: str) -> None:
    """
    Let a step begin only where it may.

    Raises:
        StepOutOfOrder: naming where the application stands and where it should.
    """
    if application.status not in BEFORE[step]:
        raise StepOutOfOrder(
            f"cannot {step}: the application is {application.status}",
            field="application_id",
            expected=" or ".join(sorted(BEFORE[step])),
            status=application.status,
        )


def decided(
    application: Application, outcome: str, decision_json: str, terms_json: str
) -> Application:
    """Take risk's decision; an approval is an offer of these terms."""
    require(application, "decide")
    offered = outcome == "APPROVED"
    return msgspec.structs.replace(
        application,
        status=Status.OFFERED if offered else Status(outcome),
        decision_json=decision_json,
        terms_json=terms_json if offered else "",
    )


def disclosed(application: Application, sha256: str, at: datetime) -> Application:
    """Record that the cost was shown."""
    require(application, "show")
    return msgspec.structs.replace(
        application, status=Status.DISCLOSED, disclosure_sha256=sha256, disclosed_at=at
    )


def confirmed(application: Application, sha256: str, at: datetime, seconds: int) -> Application:
    """
    Record that the cost was read.

    Args:
        sha256: Hash of what was read.
        at: When it was confirmed.
        seconds: For how long it must have been on show.
    Raises:
        DisclosureDiffers: another text was shown last.
        DisclosureReadTooBriefly: it was on show for less.
    """
    require(application, "confirm")
    if sha256 != application.disclosure_sha256:
        raise DisclosureDiffers("another disclosure was shown last", field="disclosure_sha256")
    assert application.disclosed_at is not None
    if at - application.disclosed_at < timedelta(seconds=seconds):
        raise DisclosureReadTooBriefly(
            f"the disclosure is to be read for {seconds} seconds", seconds_min=seconds
        )
    return msgspec.structs.replace(application, status=Status.CONFIRMED)


def contracted(application: Application, sha256: str) -> Application:
    """Record that the contract was accepted."""
    require(application, "accept")
    return msgspec.structs.replace(application, status=Status.CONTRACTED, contract_sha256=sha256)


def moved(application: Application, step: str, status: Status) -> Application:
    """Take a step that changes nothing but the status."""
    require(application, step)
    return msgspec.structs.replace(application, status=status)


def secured(application: Application, guarantee: Guarantee) -> Application:
    """Add what secures the loan."""
    require(application, "guarantee")
    return msgspec.structs.replace(application, guarantees=(*application.guarantees, guarantee))
