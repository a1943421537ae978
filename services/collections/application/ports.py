"""What collections needs from outside: channels, a clock, the house's policies, the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from services.collections.domain.contact_rules import Rules, rules_in_force
from services.collections.domain.debtor import Debtor
from services.collections.domain.matter import LegalPolicy, legal_in_force
from services.collections.domain.message import Letter
from services.collections.domain.permit import Permit
from services.collections.domain.treatment import Strategy, strategy_in_force

Ledger = Any
"""A stub of lending.ledger.v1.LedgerService whose errors are LendingErrors."""

Risk = Any
"""A stub of lending.risk.v1.AffordabilityService whose errors are LendingErrors."""


class ChannelAway(Exception):
    """Nothing was accepted; the same may be tried again later."""


class ChannelRefused(Exception):
    """The address or the message was refused for good."""


class ChannelUncertain(Exception):
    """The connection was lost when the message may have been accepted already."""


class SendingChannel(Protocol):
    """
    Sends to a person.

    `repeatable`: the same message name again is the same message, so that a send whose end was
    not seen may be repeated; `needs_address`: it cannot send where none is known.
    """

    repeatable: bool
    needs_address: bool

    async def send(self, permit: Permit, letter: Letter) -> str:
        """
        Send what the gate permitted; return the carrier's reference.

        Raises:
            ChannelAway, ChannelRefused, ChannelUncertain
        """


class Wording(Protocol):
    """Turns a template and its words into a letter."""

    def letter(
        self, name: str, template: str, language: str, to: str, words: dict[str, object]
    ) -> Letter:
        """Render; raises TemplateIncomplete when required content is missing."""


@dataclass(frozen=True, slots=True)
class Policies:
    """Contact rules and strategies by the date from which they are in force."""

    rules: tuple[Rules, ...]
    strategies: tuple[Strategy, ...]
    legal: tuple[LegalPolicy, ...] = ()

    def rules_for(self, debtor: Debtor, on: date) -> Rules:
        """Return the contact rules of a debtor's jurisdiction on a date."""
        return rules_in_force(self.rules, debtor.jurisdiction, on)

    def legal_on(self, debtor: Debtor, on: date) -> LegalPolicy:
        """Return the legal policy of a debtor's jurisdiction on a date."""
        return legal_in_force(self.legal, debtor.jurisdiction, on)

    def strategy(self, on: date) -> Strategy:
        """Return the strategy in force on a date."""
        return strategy_in_force(self.strategies, on)
