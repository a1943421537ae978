"""Did a second person approve what needs four eyes, before it was stored? Asked of a log alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

RULE = "approval-rule"
"""The stream of the log that says what needs a second person, from when on."""

METHODS = {
    "RepaymentReversed": "ReverseRepayment",
    "ChargeWaived": "WaiveCharge",
    "CreditRefunded": "RefundCredit",
    "InterestPaused": "PauseInterest",
    "TermsRestructured": "RestructureLoan",
    "DelinquencyPolicyChanged": "ChangeDelinquencyPolicy",
    "LoanAccelerated": "AccelerateLoan",
    "AccelerationWithdrawn": "WithdrawAcceleration",
    "LoanTransferred": "TransferLoan",
    "LoanChargedOff": "ChargeOffLoan",
    "ChargeOffUndone": "UndoChargeOff",
    "LoanWrittenOff": "WriteOffLoan",
    "SettlementPosted": "SettleLoan",
    "DisbursementReturned": "ReturnDisbursement",
}
"""The facts that can need a second person, and the method that asks for each."""


APPROVAL_EVENTS = frozenset({*METHODS, "ApprovalRuleChanged", "ChangeApproved", "RequestAnswered"})
"""What `ApprovalCheck.take` does not pass by."""


class Rule(NamedTuple):
    """What takes effect only when a second person approved it, and who answers for it alone."""

    since: datetime
    methods: frozenset[str]
    vouchers: frozenset[tuple[str, str]]

    def holds(self, method: str, actor: str) -> bool:
        """Return whether a change by an actor needs a second person."""
        return method in self.methods and (actor, method) not in self.vouchers


class Approval(NamedTuple):
    """One person's word on a change, as the log has it."""

    by: str
    loan_id: str
    method: str
    body_sha256: str
    since: datetime
    until: datetime


class Changed(NamedTuple):
    """A fact that can need a second person."""

    loan_id: str
    method: str
    request_id: str
    actor: str
    approved_by: str
    at: datetime


@dataclass(slots=True)
class ApprovalCheck:
    """Takes a log in its order; `wrong` names what nobody else approved before it was stored."""

    rules: list[Rule] = field(default_factory=list)
    given: dict[str, list[Approval]] = field(default_factory=dict)
    waiting: dict[str, tuple[str, str, list[str]]] = field(default_factory=dict)
    held: int = 0
    wrong: list[str] = field(default_factory=list)

    def rule(
        self, since: datetime, methods: Iterable[str], vouchers: Iterable[Iterable[str]]
    ) -> None:
        """Hear that another rule holds from here on."""
        pairs = frozenset((who, method) for who, method in vouchers)
        self.rules.append(Rule(since, frozenset(methods), pairs))

    def approved(self, change_request_id: str, approval: Approval) -> None:
        """Hear an approval."""
        self.given.setdefault(change_request_id, []).append(approval)

    def changed(self, change: Changed, place: str) -> None:
        """Hear a change, which is at a place of the log."""
        if not self._needs(change):
            return
        self.held += 1
        fits = [
            one
            for one in self.given.get(change.request_id, ())
            if (one.loan_id, one.method) == (change.loan_id, change.method)
            and one.by != change.actor
            and change.approved_by in ("", one.by)
            and one.since <= change.at < one.until
        ]
        if not fits:
            said = f"{change.method} {change.request_id} by {change.actor}"
            self.wrong.append(f"{place}: {said}: no second person approved it before")
            return
        bodies = [one.body_sha256 for one in fits]
        self.waiting[change.request_id] = (place, change.loan_id, bodies)

    def answered(self, request_id: str, loan_id: str, body_sha256: str) -> None:
        """Hear which body a request had: the approval must be of that one."""
        place, about, bodies = self.waiting.pop(request_id, ("", "", [body_sha256]))
        if body_sha256 not in bodies or about not in ("", loan_id):
            self.wrong.append(f"{place}: {request_id} is not what was approved")

    def finish(self) -> None:
        """Name what was approved and never answered: nobody knows whether it is what was."""
        for request_id, (place, _, _) in self.waiting.items():
            self.wrong.append(f"{place}: {request_id} has no answer to hold its approval against")
        self.waiting.clear()

    def _needs(self, change: Changed) -> bool:
        """Ask the rule; a change asked for before the last one came may be under the one before."""
        if not self.rules or not self.rules[-1].holds(change.method, change.actor):
            return False
        if change.at >= self.rules[-1].since:
            return True
        return len(self.rules) > 1 and self.rules[-2].holds(change.method, change.actor)

    def take(self, name: str, said: dict[str, Any], place: str) -> None:
        """Hear an event as it is stored, by its name; others than those of approvals pass by."""
        if name == "ApprovalRuleChanged":
            self.rule(instant(said["recorded_at"]), said["methods"], said["vouchers"])
        elif name == "ChangeApproved":
            head = (said["approved_by"], said["loan_id"], said["method"], said["body_sha256"])
            times = (instant(said["recorded_at"]), instant(said["expires_at"]))
            self.approved(said["change_request_id"], Approval(*head, *times))
        elif name == "RequestAnswered":
            self.answered(said["request_id"], said["loan_id"], said["body_sha256"])
        elif name in METHODS:
            actor, named = said.get("actor", "internal"), said.get("approved_by", "")
            head = (said["loan_id"], METHODS[name], said["request_id"], actor)
            self.changed(Changed(*head, named, instant(said["recorded_at"])), place)


def instant(text: str) -> datetime:
    """Return an instant as it is stored."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
