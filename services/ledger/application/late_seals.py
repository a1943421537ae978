"""Say why part of the log was sealed late: a person, in the log, and it stays listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.ledger.application.ports import Log
from services.ledger.domain.book_events import ApprovalRuleChanged, LateSealExplained
from shared.audit.approvals import RULE
from shared.kernel.errors import InvalidArgument

LATE_SEALS = "late-seals"
"""The stream of the log with the explanations."""


class ExplanationInvalid(InvalidArgument):
    """It names no leaves, no reason, no person, or no second one where four eyes are on."""


@dataclass(slots=True)
class Explanations:
    """What the log says of late seals, as one pass over it finds out."""

    four_eyes: bool = False
    given: list[LateSealExplained] = field(default_factory=list)

    def take(self, number: int, event: object) -> None:
        """Look at one event; what explains later leaves, or lacks a person, counts for nothing."""
        if isinstance(event, ApprovalRuleChanged):
            self.four_eyes = bool(event.methods)
        if not isinstance(event, LateSealExplained) or event.end_leaf > number:
            return
        if not wrong(event, four_eyes=self.four_eyes):
            self.given.append(event)

    def of(self, number: int) -> LateSealExplained | None:
        """Return the first explanation of a leaf; None where there is none."""
        found = (one for one in self.given if one.first_leaf <= number < one.end_leaf)
        return next(found, None)


def wrong(event: LateSealExplained, *, four_eyes: bool) -> str:
    """Return what is wrong with an explanation; "" when nothing is."""
    if not 0 <= event.first_leaf < event.end_leaf:
        return "it names no leaves"
    if not event.reason.strip() or not event.explained_by.strip():
        return "it says no reason, or not who gives it"
    if event.approved_by == event.explained_by:
        return "a second person is another one"
    if four_eyes and not event.approved_by.strip():
        return "four eyes are on: a second person must have approved it"
    return ""


def explain_late(log: Log, event: LateSealExplained) -> None:
    """
    Write an explanation into the log.

    Args:
        log: Where; a running ledger's sealer sees it there.
        event: The explanation.
    Raises:
        ExplanationInvalid: says what is missing.
    """
    rules: list[Any] = log.stream(RULE)
    said = wrong(event, four_eyes=bool(rules and rules[-1].methods))
    if not said and event.end_leaf > log.last_position():
        said = f"the log has only {log.last_position()} events"
    if said:
        raise ExplanationInvalid(said, field="explanation")
    log.append([(LATE_SEALS, len(log.stream(LATE_SEALS)), [event])])
