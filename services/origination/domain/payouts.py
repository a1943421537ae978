"""Orders to pay money out: how far each has come, and what has reached the borrower in all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from shared.kernel.errors import InvalidArgument, NotFound, Refused


class PayoutNotFound(NotFound):
    """The application has no such payout."""


class AmountAboveWhatIsLeft(InvalidArgument):
    """No more is paid out than is lent."""


class NothingLeftToPayOut(Refused):
    """All that is lent is paid out, or in as many parts as the product allows."""


class DrawingPeriodIsOver(Refused):
    """Later parts are paid out within the days that the product gives after the first."""


class RefinancingTooSmall(Refused):
    """What is lent does not pay off the loan that it refinances."""


class PayoutInParts(Refused):
    """Money that was paid in parts, or paid off another loan, is not settled with one part."""


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """
    One order to pay money out; minor units of the loan's currency.

    `sent`: the payer may have it; `reference`: the payer's, once it has paid; `returned`: why the
    money came back, or never left; `paid_on`: the business date by which it had paid.
    `payoff_minor` goes to the loan that is refinanced instead, and `rest_minor` is what that loan
    turned out not to need: it goes to the borrower too, or if the bank returns it, back into the
    new loan: `rest_repaid` once the ledger has taken it, `rest_refused` is why it last did not.
    `disbursal_id` names it to the ledger; what began without one has the older form.
    `stopped` is why the payer refuses an order for good, `disbursal_refused` and `payoff_refused`
    why the ledger last did not book a disbursal that was paid, or take a payoff: people then say
    what becomes of it; `..._by_hand` is under which reference.
    """

    payout_id: str
    account_ref: str
    amount_minor: int
    value_on: date
    sent: bool = False
    reference: str = ""
    returned: str = ""
    request_id: str = ""
    payoff_minor: int = 0
    rest_minor: int = 0
    rest_reference: str = ""
    rest_returned: str = ""
    rest_repaid: bool = False
    rest_refused: str = ""
    paid_on: date | None = None
    disbursal_id: str = ""
    stopped: str = ""
    payoff_refused: str = ""
    payoff_by_hand: str = ""
    rest_by_hand: str = ""
    disbursal_refused: str = ""
    disbursal_by_hand: str = ""

    @property
    def lent_minor(self) -> int:
        """What the ledger pays out: to the borrower, and to the loan that is refinanced."""
        return self.amount_minor + self.payoff_minor + self.rest_minor


def paid_before(payouts: Sequence[Payout]) -> list[Payout]:
    """Return the orders before the last that were paid."""
    return [payout for payout in payouts[:-1] if payout.reference and not payout.returned]


def paid_minor(payouts: Sequence[Payout]) -> int:
    """Return what was paid out."""
    return sum(p.lent_minor for p in payouts if p.reference and not p.returned)


def is_all_out(payouts: Sequence[Payout], lent_minor: int, parts_max: int) -> bool:
    """Say whether no further part can be paid out."""
    parts = sum(bool(p.reference) and not p.returned for p in payouts)
    return paid_minor(payouts) >= lent_minor or parts >= max(1, parts_max)


def last_drawing_on(payouts: Sequence[Payout], drawing_days: int) -> date | None:
    """Return the last day on which a later part can be paid out; None before the first."""
    first = next((p.value_on for p in payouts if p.reference and not p.returned), None)
    return first + timedelta(days=drawing_days) if first else None


def check_drawing(payouts: Sequence[Payout], drawing_days: int, on: date) -> None:
    """
    Let a part be paid out on a day.

    Raises:
        DrawingPeriodIsOver: with the last day.
    """
    last = last_drawing_on(payouts, drawing_days)
    if last is not None and on > last:
        raise DrawingPeriodIsOver(
            f"later parts could be paid out until {last}",
            field="application_id",
            expected=f"by {last}",
            on=on,
        )


def next_amount(
    payouts: Sequence[Payout], lent_minor: int, parts_max: int, asked_minor: int
) -> int:
    """
    Return how much is paid out next.

    Args:
        asked_minor: 0 asks for all that is left.
    Raises:
        NothingLeftToPayOut, AmountAboveWhatIsLeft: with what is left.
    """
    left = lent_minor - paid_minor(payouts)
    parts = sum(bool(p.reference) and not p.returned for p in payouts)
    if left <= 0 or parts >= parts_max:
        raise NothingLeftToPayOut(
            f"{parts} of {parts_max} parts are paid out",
            field="application_id",
            expected="an application with a part left to be paid out",
            left_minor=left,
        )
    if asked_minor > left:
        raise AmountAboveWhatIsLeft(
            f"{asked_minor} is above {left}", field="amount", expected=f"up to {left} minor units"
        )
    if asked_minor and asked_minor < left and parts + 1 >= parts_max:
        raise AmountAboveWhatIsLeft(
            f"the last part is {left}", field="amount", expected=f"{left} minor units"
        )
    return asked_minor or left


def net_of(lent_minor: int, payoff_minor: int) -> int:
    """
    Return what reaches the borrower.

    Raises:
        RefinancingTooSmall: nothing would, or less.
    """
    if lent_minor <= payoff_minor:
        raise RefinancingTooSmall(
            f"{lent_minor} is lent, {payoff_minor} pays the other loan off",
            field="amount",
            expected=f"above {payoff_minor} minor units",
        )
    return lent_minor - payoff_minor
