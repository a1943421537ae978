"""One delinquency event as collections hears it, and what a case keeps of it."""

from __future__ import annotations

from datetime import date

import msgspec


class Accelerated(msgspec.Struct, frozen=True, array_like=True):
    """What fell due early when everything was declared due; amounts in minor units."""

    notified_on: date | None
    principal_minor: int
    interest_minor: int


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One delinquency event as collections hears it; amounts in minor units."""

    loan_id: str
    borrower_ref: str
    sequence: int
    type: str
    effective_on: date
    days_past_due: int
    minor: bool
    bucket: str
    arrears_minor: int
    amount_minor: int = 0
    currency: str = "CNY"
    kinds: tuple[str, ...] = ()
    log_version: int = 0
    superseded: tuple[int, ...] = ()
    accelerated: Accelerated | None = None


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """
    What a case keeps of an event it heard.

    `log_version` names the ledger's fact behind it; `superseded` are those that a restated
    timeline says no longer hold.
    """

    sequence: int
    type: str
    effective_on: date
    days_past_due: int
    stage: str
    arrears_minor: int
    amount_minor: int
    kinds: tuple[str, ...] = ()
    log_version: int = 0
    superseded: tuple[int, ...] = ()
    accelerated: Accelerated | None = None
