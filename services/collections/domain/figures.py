"""How well it goes: shares with intervals by arm, and what happened month by month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from services.collections.domain.case import Case, Ending, stage_rank
from services.collections.domain.contact_rules import Channel, Outcome, Party, ProtectionKind
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.message import Message, MessageState
from services.collections.domain.promises import PromiseStatus

Z = Decimal("1.959964")
"""Of the normal distribution, for 95 %."""

FOUR = Decimal("0.0001")
ROLLS = ("GRACE", "M1", "M2", "M3")
OURS = "collections"
LEFT = (
    *(MessageState.SENT, MessageState.DELIVERED),
    *(MessageState.BOUNCED, MessageState.UNCERTAIN),
)
"""A message in one of these left the house, as far as anybody knows."""


_JUDGED = (PromiseStatus.KEPT, PromiseStatus.PART_KEPT, PromiseStatus.BROKEN)


class Share(NamedTuple):
    """`part` of `whole`, with the bounds of the Wilson interval; None with nothing to count."""

    figure: str
    arm: str
    part: int
    whole: int

    @property
    def bounds(self) -> tuple[Decimal, Decimal, Decimal] | None:
        """
        Return share, lower and upper bound at 95 %.

        Source:
            E. B. Wilson, Probable inference, JASA 22 (1927), without continuity correction.
        """
        if not self.whole:
            return None
        n, p = Decimal(self.whole), Decimal(self.part) / self.whole
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * (p * (1 - p) / n + Z * Z / (4 * n * n)).sqrt()
        return (
            p.quantize(FOUR),
            max(Decimal(0), middle - half).quantize(FOUR),
            min(Decimal(1), middle + half).quantize(FOUR),
        )


class Book(NamedTuple):
    """Everything that is counted."""

    cases: Sequence[Case]
    attempts: Sequence[Attempt]
    messages: Sequence[Message]
    debtors: Sequence[Debtor]


class Span(NamedTuple):
    """From a day to a day, both included."""

    from_on: date
    until_on: date

    def holds(self, day: date | None) -> bool:
        """Say whether a day lies within."""
        return day is not None and self.from_on <= day <= self.until_on


def shares(book: Book, span: Span) -> list[Share]:
    """
    Return the shares, by figure and then by arm; the arm "" is all of them.

    right_party: calls and visits that reached the debtor, of those by people.
    promise_kept: promises kept, of those that came due (part kept counts as not kept; void ones,
        where nothing was owed any more, do not count).
    cure: episodes that ended by money or a plan, of those that began; as all of episodes, without
        those that a backdated fact ended: they were not late by then.
    self_cure: episodes cured in grace before anybody was reached for, of those that began.
    roll_<stage>: episodes that went beyond a stage, of those that entered it.
    delivered: messages known to have arrived, of those with a receipt.
    complaint: debtors who complained, of all who were late in the span.
    """
    counted: dict[str, list[tuple[str, bool]]] = {}
    arms = {case.borrower_ref: case.arm for case in book.cases}
    for figure, arm, did in _events(book, span, arms):
        counted.setdefault(figure, []).append((arm, did))
    found = []
    for figure in sorted(counted):
        for arm in ["", *sorted({arm for arm, _ in counted[figure] if arm})]:
            rows = [did for one, did in counted[figure] if arm in ("", one)]
            found.append(Share(figure, arm, sum(rows), len(rows)))
    return found


def _events(book: Book, span: Span, arms: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    days: dict[str, list[date]] = {}
    for attempt in book.attempts:
        if attempt.outcome is not Outcome.NOT_SENT:
            days.setdefault(attempt.loan_id, []).append(attempt.at.date())
    for case in book.cases:
        yield from _of_case(case, span, days.get(case.loan_id, []))
    for attempt in book.attempts:
        if _is_spoken(attempt) and span.holds(attempt.at.date()):
            arm = arms.get(attempt.borrower_ref, "")
            reached = attempt.outcome is Outcome.REACHED and attempt.party is Party.DEBTOR
            yield "right_party", arm, reached
    for message in book.messages:
        known = (MessageState.DELIVERED, MessageState.BOUNCED)
        if message.state in known and span.holds(message.because_on):
            yield "delivered", message.arm, message.state is MessageState.DELIVERED
    late = {case.borrower_ref for case in book.cases if _was_late(case, span)}
    for debtor in book.debtors:
        if debtor.borrower_ref not in late:
            continue
        complained = [p for p in debtor.protections if p.kind is ProtectionKind.COMPLAINT]
        did = any(span.holds(p.from_on) for p in complained)
        yield "complaint", arms[debtor.borrower_ref], did


def _is_spoken(attempt: Attempt) -> bool:
    """Say whether a person called or came, and how that ended."""
    made = attempt.by != OURS and attempt.outcome not in (Outcome.NOT_SENT, Outcome.IN_PROGRESS)
    return made and attempt.channel in (Channel.CALL, Channel.VISIT)


def _was_late(case: Case, span: Span) -> bool:
    return any(
        one.opened_on <= span.until_on and (one.closed_on or span.until_on) >= span.from_on
        for one in case.episodes
    )


def _of_case(case: Case, span: Span, reached: Sequence[date]) -> Iterator[tuple[str, str, bool]]:
    cured = (Ending.CURED, Ending.RESTRUCTURED, Ending.SETTLED)
    for episode in case.episodes:
        if not span.holds(episode.opened_on) or episode.ending is Ending.RESTATED:
            continue
        good = episode.ending in cured and not episode.charged_off
        last = episode.closed_on or date.max
        alone = not any(episode.opened_on <= day <= last for day in reached)
        yield "cure", case.arm, good
        yield "self_cure", case.arm, good and alone and episode.stage == "GRACE"
        for stage in ROLLS:
            if any(entered == stage for entered, _ in episode.stages):
                beyond = stage_rank(episode.stage) > stage_rank(stage)
                yield f"roll_{stage.lower()}", case.arm, beyond
    for promise, standing in zip(case.promises, case.promise_standings(), strict=True):
        if standing.status in _JUDGED and span.holds(promise.due_on):
            yield "promise_kept", case.arm, standing.status is PromiseStatus.KEPT


class Month(NamedTuple):
    """What happened in a month, such as "2025-03"."""

    month: str
    opened: int
    closed: int
    messages: int
    contacts: int
    promises: int
    charged_off: int


def months(book: Book, span: Span) -> list[Month]:
    """Return every month in which something happened, oldest first."""
    episodes = [episode for case in book.cases for episode in case.episodes]
    facts = [fact for case in book.cases for fact in case.facts]
    sent = [message for message in book.messages if message.state in LEFT]
    made = [a for a in book.attempts if a.by != OURS and a.outcome is not Outcome.NOT_SENT]
    days: list[Iterable[date | None]] = [
        (episode.opened_on for episode in episodes),
        (episode.closed_on for episode in episodes),
        (m.sent_at.date() for m in sent if m.sent_at),
        (attempt.at.date() for attempt in made),
        (promise.made_on for case in book.cases for promise in case.promises),
        (fact.effective_on for fact in facts if fact.type == "CHARGED_OFF"),
    ]
    counts = [Counter(f"{d:%Y-%m}" for d in some if d and span.holds(d)) for some in days]
    names = sorted(set().union(*counts))
    return [Month(name, *(count[name] for count in counts)) for name in names]


def contacts_per_cure(found: Sequence[Month], counted: Sequence[Share]) -> Decimal | None:
    """Return messages and attempts per cured episode; None when none was cured."""
    cured = next((share.part for share in counted if (share.figure, share.arm) == ("cure", "")), 0)
    made = sum(month.messages + month.contacts for month in found)
    return (Decimal(made) / cured).quantize(Decimal("0.01")) if cured else None
