"""What the ledger has booked: asked before people's word on money counts."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.origination.application import names
from services.origination.application.desk import Desk
from services.origination.domain.application import Application
from services.origination.domain.payouts import Payout, paid_before
from services.origination.domain.resolutions import Hangs, Outcome, OutcomeNotPossible
from shared.kernel.errors import NotFound, Refused

ID_REUSED = "REQUEST_ID_REUSED"
VOID = "two persons said what became of it"
"""Why a request is made void; the same words each time, so that it is the same request."""

OUT, BACK = "lending.ledger.LoanDisbursed", "lending.ledger.DisbursementReturned"


async def is_booked(desk: Desk, found: Application, at: Hangs) -> bool:
    """Say whether the ledger has by now what it refused before: the machine then goes on."""
    payout = found.payouts[-1]
    if at is Hangs.PAYOFF:
        name = names.payoff_id(found.application_id, payout.payoff_minor)
        return name in {fact["request_id"] for fact in await _facts(desk, found.refinances)}
    name = names.disbursal_id_of(found) if at is Hangs.DISBURSAL else names.rest_id(payout)
    return name in {fact["request_id"] for fact in await _facts(desk, found.loan_id)}


async def booked_on(desk: Desk, found: Application) -> date | None:
    """Return from which date the ledger counts the last disbursal; None where it has no such."""
    name = names.disbursal_id_of(found)
    for fact in await _facts(desk, found.loan_id):
        if _books(fact, name, found.payouts[-1]):
            return date.fromisoformat(fact["effective_on"])
    return None


async def made_void(desk: Desk, request_id: str, loan_id: str) -> bool:
    """
    Make sure that a call to the ledger which may still be on its way has no effect.

    Returns:
        False where it came first: the ledger has booked it.
    """
    asked = ledger_pb.VoidRequestRequest(request_id=request_id, loan_id=loan_id, reason=VOID)
    try:
        await desk.ledger.VoidRequest(asked)
    except Refused as refusal:
        if refusal.reason != ID_REUSED:
            raise
        return False
    return True


async def check_books(desk: Desk, found: Application, outcome: Outcome, said: str) -> None:
    """
    Hold what people say of a disbursal against the ledger's own books.

    Raises:
        OutcomeNotPossible: it has no such disbursal, or has one where none is to be.
    """
    payout, facts = found.payouts[-1], await _facts(desk, found.loan_id)
    if outcome is Outcome.BY_HAND:
        ours = {p.disbursal_by_hand or p.disbursal_id for p in paid_before(found.payouts)}
        if said in ours or not any(_books(fact, said, payout) for fact in facts):
            raise OutcomeNotPossible(
                f"the ledger has no disbursal of {payout.lent_minor} under {said!r}",
                field="reference",
                expected="the request id under which the ledger booked this disbursal",
            )
    booked = sum(f["amount_minor"] * _SIGN[f["topic"]] for f in facts if f["topic"] in _SIGN)
    before = sum(p.lent_minor for p in paid_before(found.payouts))
    if outcome is Outcome.RETURNED and booked > before:
        raise OutcomeNotPossible(
            f"the ledger has paid out {booked - before} under another id",
            field="outcome",
            expected="BY_HAND under that id, or ReturnDisbursement in the ledger before",
        )


_SIGN = {OUT: 1, BACK: -1}


def _books(fact: dict[str, Any], request_id: str, payout: Payout) -> bool:
    named = (fact["topic"], fact["request_id"])
    return named == (OUT, request_id) and fact["amount_minor"] == payout.lent_minor


async def _facts(desk: Desk, loan_id: str) -> list[dict[str, Any]]:
    """Return what the ledger has recorded of a loan, oldest first; nothing if it has no such."""
    try:
        answer = await desk.ledger.ListLoanEvents(ledger_pb.ListLoanEventsRequest(loan_id=loan_id))
    except NotFound:
        return []
    return [{**json.loads(one.body_json), "topic": one.topic} for one in answer.events]
