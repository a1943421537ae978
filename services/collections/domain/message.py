"""A message to a borrower: planned once by name, sent once, or said why not."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from services.collections.domain.contact_rules import Channel


class MessageState(StrEnum):
    """Where a message stands; READY when the gate let it pass and it is about to leave."""

    PLANNED = "PLANNED"
    READY = "READY"
    SENDING = "SENDING"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    BOUNCED = "BOUNCED"
    UNCERTAIN = "UNCERTAIN"
    CANCELLED = "CANCELLED"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message; `name` is unique for ever and decides what is the same message.

    `repairable`: cancelled for a reason that may end, such as no address or a shield.
    `approved_by`: somebody decided on it; nobody did on what a strategy plans. `pay_within_days` is
    what such a letter gives; 0: what the strategy says.
    """

    name: str
    borrower_ref: str
    loan_id: str
    stage: str
    step: str
    template: str
    channel: Channel
    planned_at: datetime
    because_on: date
    strategy: str
    arm: str = ""
    state: MessageState = MessageState.PLANNED
    language: str = ""
    sent_at: datetime | None = None
    attempt_id: str = ""
    rules: str = ""
    why: str = ""
    carrier_ref: str = ""
    tries: int = 0
    repairable: bool = False
    wording: str = ""
    subject: str = ""
    text: str = ""
    approved_by: str = ""
    pay_within_days: int = 0

    def says(self, words: str) -> bool:
        """Say whether its text has these words in it; none are in none."""
        return bool(words) and words in self.text


class Letter(NamedTuple):
    """What goes out; `wording` names the very version of the template."""

    name: str
    to: str
    language: str
    wording: str
    subject: str
    text: str
