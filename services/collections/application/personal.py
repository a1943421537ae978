"""Which of collections' records hold personal data, and whose it is."""

from __future__ import annotations

from services.collections.application.trail import Entry
from services.collections.domain.case import Case
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.message import Message
from services.collections.domain.task import Task
from shared.runtime.vault import Personal


def _of(*paths: str) -> Personal:
    return Personal(subject="borrower_ref", paths=frozenset(paths), otherwise="borrower_ref")


PERSONAL = {
    Debtor: _of("email", "phone", "region", "protections.note"),
    Attempt: _of("address"),
    Message: _of("subject", "text", "why"),
    Entry: _of("said"),
    Case: _of("plan.reason"),
    Task: _of("note"),
}
"""Addresses, where somebody lives, letters, and whatever people said or wrote about somebody."""
