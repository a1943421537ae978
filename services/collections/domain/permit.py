"""A permit is what the gate gives out for one attempt; whoever sends asks for it."""

from __future__ import annotations

from typing import NamedTuple

from services.collections.domain.debtor import Attempt


class Permit(NamedTuple):
    """One attempt that the gate let pass, and the version of the rules by which."""

    attempt: Attempt
    rules_version: str
