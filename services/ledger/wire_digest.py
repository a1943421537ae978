"""What was told of all loans between two closed days, as one message."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lending.ledger.v1 import events_pb2

from services.ledger.application.following import Closed, Followed
from services.ledger.domain import events as ev
from services.ledger.wire_events import told
from shared.runtime.bus import Draft, Fence
from shared.runtime.streams import DIGEST

_MONEY: dict[type[ev.Fact], str] = {
    ev.RepaymentPosted: "repaid_minor",
    ev.RepaymentReversed: "reversed_minor",
    ev.RecoveryPosted: "recovered_minor",
    ev.ChargeApplied: "charged_minor",
    ev.ChargeWaived: "waived_minor",
}


@dataclass(slots=True)
class DayTold:
    """
    Counts what facts are told as, from one closed day to the next.

    `reached` is the position of the log up to which it counted.
    """

    reached: int = 0
    previous_on: str = ""
    types: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    money: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, row: Followed) -> None:
        """Count one fact."""
        event = row.event
        messages = told(event)
        for name, change in messages:
            self.types[name] += 1
            if change is not None and change.scheme:
                self.moves[change.scheme, change.bucket_from, change.bucket_to] += 1
        kind = _MONEY.get(type(event))
        if messages and kind:
            self.money[row.account.terms.currency, kind] += getattr(event, "amount_minor", 0)

    def close(self, closed: Closed) -> Draft:
        """Return the digest of a day that was closed, and begin the next."""
        draft = self._digest(closed)
        self.reached, self.previous_on = closed.position, closed.event.on.isoformat()
        for counter in (self.types, self.moves, self.money):
            counter.clear()
        return draft

    def _digest(self, closed: Closed) -> Draft:
        on = closed.event.on.isoformat()
        body = events_pb2.DelinquencyDigest(
            on=on,
            previous_on=self.previous_on,
            recorded_at=closed.event.recorded_at.isoformat(),
            log_position=closed.position,
            events=self.types.total(),
            events_by_type=self.types,
            loans_changed=closed.event.loans_changed,
        )
        for (scheme, before, after), count in sorted(self.moves.items()):
            body.moves.add(scheme=scheme, bucket_from=before, bucket_to=after, count=count)
        for currency in sorted({currency for currency, _ in self.money}):
            money = {k: amount for (c, k), amount in self.money.items() if c == currency}
            body.money.add(currency=currency, **money)
        headers = {
            "ce-specversion": "1.0",
            "ce-id": f"digest/{on}",
            "ce-source": "duebook/ledger",
            "ce-type": "lending.ledger.v1.DelinquencyDigest",
            "ce-time": f"{on}T00:00:00Z",
            "ce-recordedtime": body.recorded_at,
            "ce-subject": on,
            "content-type": "application/protobuf",
        }
        subject = f"{DIGEST}.{on}"
        sent = body.SerializeToString(deterministic=True)
        # Once per date: the fence refuses it where it is.
        return Draft(subject, sent, "", headers, Fence(subject, 0))
