"""Money that no machine carries on: where it hangs, and what people may say became of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import msgspec

from services.origination.domain.payouts import Payout
from shared.kernel.errors import InvalidArgument, Refused


class PayoutNotStuck(Refused):
    """The payout goes on by itself: nobody refuses it."""


class OutcomeNotPossible(InvalidArgument):
    """That cannot have become of money where it hangs."""


class Hangs(StrEnum):
    """What is refused: two orders to the payer; the disbursal and two repayments in the ledger."""

    ORDER = "order"
    DISBURSAL = "disbursal"
    PAYOFF = "payoff"
    REST_ORDER = "rest-order"
    REST = "rest"


class Outcome(StrEnum):
    """What becomes of it: asked again, paid after all, never paid, dealt with by people."""

    AGAIN = "AGAIN"
    PAID = "PAID"
    RETURNED = "RETURNED"
    BY_HAND = "BY_HAND"


_FIELDS: Mapping[tuple[Hangs, Outcome], str] = {
    (Hangs.ORDER, Outcome.AGAIN): "",
    (Hangs.ORDER, Outcome.PAID): "reference",
    (Hangs.ORDER, Outcome.RETURNED): "returned",
    (Hangs.DISBURSAL, Outcome.AGAIN): "",
    (Hangs.DISBURSAL, Outcome.RETURNED): "returned",
    (Hangs.DISBURSAL, Outcome.BY_HAND): "disbursal_by_hand",
    (Hangs.REST_ORDER, Outcome.AGAIN): "",
    (Hangs.REST_ORDER, Outcome.PAID): "rest_reference",
    (Hangs.REST_ORDER, Outcome.RETURNED): "rest_returned",
    (Hangs.PAYOFF, Outcome.BY_HAND): "payoff_by_hand",
    (Hangs.REST, Outcome.BY_HAND): "rest_by_hand",
}
"""In which field of the payout an outcome is kept, with what people said of it."""
FACTS = {(Hangs.ORDER, Outcome.PAID), (Hangs.REST_ORDER, Outcome.PAID)}
FACTS |= {(Hangs.DISBURSAL, Outcome.BY_HAND)}
"""Where the reference is the payer's or the ledger's own, so that both persons state the same."""


def hangs_at(payout: Payout) -> Hangs | None:
    """Say where a payout hangs; None where it goes on by itself."""
    if payout.stopped:
        return Hangs.REST_ORDER if payout.reference else Hangs.ORDER
    if payout.disbursal_refused:
        return Hangs.DISBURSAL
    if payout.payoff_refused:
        return Hangs.PAYOFF
    return Hangs.REST if payout.rest_refused else None


def resolved(payout: Payout, outcome: Outcome, said: str, on: date) -> Payout:
    """
    Return a payout as people say it is.

    A disbursal that is asked again counts from the business date, since the ledger may refuse the
    day; with a payoff it keeps its day, for which the payoff was asked.

    Args:
        said: The payer's reference, why it never paid, or where people dealt with it.
        on: The business date.
    Raises:
        PayoutNotStuck, OutcomeNotPossible
    """
    at = hangs_at(payout)
    if at is None:
        raise PayoutNotStuck(
            f"{payout.payout_id} goes on by itself",
            field="payout_id",
            expected="no step; hangs_at of the application says when one is needed",
        )
    if (at, outcome) not in _FIELDS:
        raise OutcomeNotPossible(
            f"its {at} is what hangs",
            field="outcome",
            expected=" or ".join(o for place, o in _FIELDS if place is at),
        )
    name = _FIELDS[at, outcome]
    kept = msgspec.structs.replace(
        payout, stopped="", disbursal_refused="", payoff_refused="", rest_refused=""
    )
    if at is Hangs.DISBURSAL and outcome is Outcome.AGAIN and not payout.payoff_minor:
        kept = msgspec.structs.replace(kept, value_on=max(on, payout.value_on))
    if name == "reference":
        kept = msgspec.structs.replace(kept, paid_on=on)
    return msgspec.structs.replace(kept, **{name: said}) if name else kept
