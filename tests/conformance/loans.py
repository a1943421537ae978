"""The loans of the kit: for each case some, what is sent of them, and what has to be noticed."""

from __future__ import annotations

from dataclasses import dataclass, field

from lending.ledger.v1 import loan_pb2

from shared.subscriber.chain import Place, event_hash
from tests.conformance.messages import Sent, chained, event, sent

EVENTS = 6
TYPES = ("GRACE_ENTERED", "GRACE_EXPIRED", "BUCKET_CHANGED", "REPAYMENT_POSTED", "CURED")
LOANS = 3


@dataclass
class Lane:
    """
    One loan of a case.

    `right` are its events as the ledger tells them; `sent` what arrives first, in this order, and
    `late` what arrives once the faults were looked at. Before that, `heard_first` events can be
    taken in. `phase` says when they are sent: 0 before the subscriber runs, 1 at first, 2 while it
    is killed, 3 while the broker is killed, 4 while the broker stands still, 5 while no file of
    the subscriber can grow. With `exact` it may notice no other fault.
    """

    case: str
    loan_id: str
    right: list[Sent]
    sent: list[Sent] = field(default_factory=list)
    late: list[Sent] = field(default_factory=list)
    faults: set[tuple[str, str]] = field(default_factory=set)
    heard_first: int = EVENTS
    phase: int = 1
    exact: bool = False

    def __post_init__(self) -> None:
        self.sent = self.sent or list(self.right)


def life(loan_id: str, count: int = EVENTS) -> list[Sent]:
    """Return a loan's events: late, later, in another bucket, paying, cured, late again."""
    return chained(
        event(
            loan_id,
            TYPES[k % len(TYPES)],
            f"2026-02-{k + 1:02}",
            borrower_ref=f"B-{loan_id}",
            currency="CNY",
            amount_minor=100 * k,
            delinquency=loan_pb2.Delinquency(
                days_past_due=0 if TYPES[k % len(TYPES)] == "CURED" else k + 1,
                buckets={"m": "M1", "five_tier": "NORMAL"},
            ),
        )
        for k in range(count)
    )


def lanes(backlog: int = 0) -> list[Lane]:
    """
    Return the loans of every case.

    Args:
        backlog: Events that wait for a subscriber that was away; at least those of some loans.
    """
    waiting = [f"BACKLOG-{k}" for k in range(max(LOANS, -(-backlog // EVENTS)))]
    return [
        lane
        for make in (_plain, _doubled, _swapped, _missing, _forked, _rewritten, _unreadable)
        for k in range(LOANS)
        for lane in make(k)
    ] + [
        *_restated(),
        *_newer(),
        *_older(),
        *(Lane("a backlog", name, life(name), phase=0) for name in waiting),
    ]


def _plain(k: int) -> list[Lane]:
    return [
        Lane("disorder across loans", name := f"MIX-{k}", life(name)),
        Lane("killed in the middle of its work", name := f"KILL-{k}", life(name), phase=2),
        Lane("the broker killed", name := f"BROKER-{k}", life(name), phase=3),
        Lane("a slow broker", name := f"SLOW-{k}", life(name), phase=4),
        Lane("a full disk", name := f"DISK-{k}", life(name), phase=5),
    ]


def _doubled(k: int) -> list[Lane]:
    right = life(name := f"DUP-{k}")
    return [Lane("duplicates", name, right, sent=[m for one in right for m in (one, one)] + right)]


def _swapped(k: int) -> list[Lane]:
    right = life(name := f"SWAP-{k}")
    order = (0, 2, 1, 5, 4, 3)
    return [Lane("disorder within a loan", name, right, sent=[right[n] for n in order])]


def _missing(k: int) -> list[Lane]:
    right = life(name := f"GAP-{k}")
    lane = Lane("an event missing", name, right, sent=right[:2] + right[3:], late=[right[2]])
    lane.faults, lane.heard_first = {("GAP", f"{name}/4")}, 2
    return [lane]


def _forked(k: int) -> list[Lane]:
    right = life(name := f"FORK-{k}")
    other = sent(event(name, "CURED", sequence=3), right[0].place.hash)
    lane = Lane("a fork of history", name, right, sent=[*right[:2], other], late=right[2:])
    lane.faults, lane.heard_first = {("FORKED", f"{name}/3")}, 2
    return [lane]


def _rewritten(k: int) -> list[Lane]:
    right = life(name := f"REWRITE-{k}")
    last = right[-1]
    changed = last._replace(body=last.body.replace(b"T09:00", b"T08:00"))
    lane = Lane("history rewritten", name, right, sent=[*right, changed])
    lane.faults = {("REWRITTEN", f"{name}/{EVENTS}")}
    return [lane]


def _unreadable(k: int) -> list[Lane]:
    right = life(name := f"POISON-{k}")
    broken = right[3]._replace(body=b"\xff\xff\xff")
    lane = Lane(
        "a message that nobody can read",
        name,
        right,
        sent=[*right[:3], broken, *right[4:]],
        late=[right[3]],
    )
    lane.faults, lane.heard_first = {("UNREADABLE", f"{name}/4")}, 3
    return [lane]


def _restated() -> list[Lane]:
    events = [event("RESTATED-1", "GRACE_ENTERED", borrower_ref="B-R", currency="CNY")]
    events.append(event("RESTATED-1", "TIMELINE_RESTATED", borrower_ref="B-R", currency="CNY"))
    events[1].restated.superseded_log_versions.append(3)
    events.append(event("RESTATED-1", "CURED", borrower_ref="B-R", currency="CNY"))
    return [Lane("history restated", "RESTATED-1", chained(events), heard_first=3)]


def _newer() -> list[Lane]:
    """Return a loan with a type and a field of a version to come."""
    first = life("NEWER-1", 1)[0]
    newer = event("NEWER-1", "CURED", sequence=2, borrower_ref="B-N", currency="CNY")
    newer.type = 4711
    message = sent(event("NEWER-1", "CURED", sequence=2), first.place.hash)
    body = newer.SerializeToString(deterministic=True) + b"\xfa\x3f\x03new"
    headers = {**message.headers, "ce-type": "lending.ledger.v1.LOAN_FORGIVEN"}
    second = placed(message._replace(body=body, headers=headers), first)
    third = sent(event("NEWER-1", "CURED", sequence=3, borrower_ref="B-N"), second.place.hash)
    return [
        Lane(
            "fields and events of a newer version", "NEWER-1", [first, second, third], heard_first=3
        )
    ]


def _older() -> list[Lane]:
    """Return a loan as a version told it that knew no figures, and fewer headers."""
    right = chained(event("OLDER-1", type_) for type_ in ("GRACE_ENTERED", "CURED"))
    kept = ("ce-sequence", "ce-previoushash", "ce-subject", "ce-type")
    told = [one._replace(headers={name: one.headers[name] for name in kept}) for one in right]
    return [Lane("events of an older version", "OLDER-1", told, heard_first=2)]


def placed(message: Sent, before: Sent) -> Sent:
    """Return a message with the place that its body makes."""
    digest = event_hash(before.place.hash, message.body)
    return message._replace(place=Place(before.place.sequence + 1, digest))
