"""What the stream tells of a loan that a desk serves."""

from __future__ import annotations

from lending.ledger.v1.events_pb2 import Arrears, DelinquencyEvent

from services.ledger.adapters.event_mapper import encode, topic_of
from services.ledger.application.following import Followed
from services.ledger.application.ports import Logged
from services.ledger.domain.loan_account import LoanAccount, evolve
from services.ledger.wire_events import outgoing_of
from shared.subscriber.chain import Place
from tests.services.ledger.domain.desk import Desk


def told(desk: Desk) -> list[tuple[str, DelinquencyEvent]]:
    """Return the type and body of each message that a loan's facts are told as."""
    found, place, account = [], Place(), None
    for version, event in enumerate(desk.events, 1):
        account: LoanAccount | None = evolve(account, event)
        logged = Logged(version, "loan/L-1", version, topic_of(event), encode(event))
        for message in outgoing_of(Followed(logged, event, account), place):
            place = message.place
            name = message.headers["ce-type"].rpartition(".")[2]
            found.append((name, DelinquencyEvent.FromString(message.body)))
    return found


def of_type(desk: Desk, name: str) -> list[DelinquencyEvent]:
    """Return the messages of one type."""
    return [body for type_, body in told(desk) if type_ == name]


def total(arrears: Arrears) -> int:
    """Return the sum of an amount for each component."""
    return sum(value for _, value in arrears.ListFields())
