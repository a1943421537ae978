"""What was published stays what it was: older facts are told to the byte as they were told then."""

from __future__ import annotations

import json
from pathlib import Path

from services.ledger.adapters.event_mapper import decode, encode
from services.ledger.application.following import Followed
from services.ledger.application.ports import Logged
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount, evolve
from services.ledger.wire_events import outgoing_of
from shared.subscriber.chain import Place

BEFORE_REASONS = Path(__file__).with_name("told_before_reasons.jsonl")
"""A loan's log before 2026-12, and which messages, with which hash, each fact was told as."""


def test_an_older_log_is_told_as_it_was() -> None:
    """A stream that is made anew by a newer relay has the numbers, bytes and hashes that it had."""
    place, account = Place(), None
    for version, line in enumerate(BEFORE_REASONS.read_text("utf-8").splitlines(), 1):
        stored = json.loads(line)
        state = stored["state"].encode()
        event = decode(stored["topic"], state)
        assert isinstance(event, Fact)
        account: LoanAccount | None = evolve(account, event)
        row = Followed(Logged(version, "loan/L-1", version, stored["topic"], state), event, account)

        told = []
        for message in outgoing_of(row, place):
            place = message.place
            told.append([message.headers["ce-type"].rpartition(".")[2], place.hash])

        assert told == stored["told"], f"fact {version}, {stored['topic']}"
        assert encode(event) == state
