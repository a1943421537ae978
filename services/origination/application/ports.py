"""What origination asks of the world beside risk and ledger: checks of people, payouts of money."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple, Protocol

from services.origination.domain.application import Application, Check
from shared.kernel.errors import Unavailable


class PayerUnavailable(Unavailable):
    """Who pays out does not answer: asked again with the same id, it pays at most once."""


class PayoutOrder(NamedTuple):
    """Money to be paid out once; `payout_id` is what makes it once."""

    payout_id: str
    account_ref: str
    amount_minor: int
    currency: str
    value_on: date


class PayoutAnswer(NamedTuple):
    """What became of an order: the payer's reference, or why the money came back."""

    reference: str
    returned: str = ""


class Payouts(Protocol):
    """Pays money out; the same id again gets the first answer and moves nothing."""

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        """
        Pay an order out.

        Raises:
            PayerUnavailable: nobody knows whether it was paid; ask again.
        """
        ...


class Checker(Protocol):
    """Checks one thing about an applicant."""

    async def check(self, application: Application) -> Check:
        """Return what was found; it may take its time, and raise Unavailable."""
        ...
