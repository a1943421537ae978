"""Ids of what origination asks of others: each names one order of one application, for ever."""

from __future__ import annotations

from services.origination.domain.application import Application
from services.origination.domain.payouts import Payout, paid_before

# An application's id may hold any separator and end in a number. So each form is a word of its own,
# the whole application id and one number that is always there ("-rest" follows an id of that form):
# word and number taken off, the application's id is left, and two applications never make one id.


def open_id(application_id: str) -> str:
    """Return the id under which the ledger opens the loan: once, so it has no number."""
    return f"open-{application_id}"


def payout_id(application_id: str, number: int) -> str:
    """Return the id of the nth order to the payer."""
    return f"payout-{application_id}-{number}"


def disbursal_id(application_id: str, number: int) -> str:
    """Return the id under which the ledger hears of the nth order."""
    return f"disbursal-{application_id}-{number}"


def rest_id(payout: Payout) -> str:
    """Return the id of the order that pays what a refinanced loan did not need."""
    return f"{payout.payout_id}-rest"


def payoff_id(application_id: str, amount_minor: int) -> str:
    """Return the id of the repayment that pays another loan off; it names its amount."""
    return f"payoff-{application_id}-{amount_minor}"


def cancellation_id(application_id: str, number: int) -> str:
    """Return the id under which the ledger hears of the nth cancellation."""
    return f"cancellation-{application_id}-{number}"


def older_cancellation_id(application_id: str, number: int) -> str:
    """Return the id of a cancellation that began before it kept one of its own."""
    return f"cancel-{application_id}" + (f"-{number}" if number > 1 else "")


def disbursal_id_of(given: Application) -> str:
    """Return the id of the last order; an order from before it had one keeps its older form."""
    payout, before = given.payouts[-1], len(paid_before(given.payouts))
    older = f"disburse-{given.application_id}" + (f"-{before + 1}" if before else "")
    return payout.disbursal_id or older
