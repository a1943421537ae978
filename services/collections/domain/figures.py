"""How well it goes: shares with intervals by arm, and what happened month by month."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.collections.domain.case import Case, Ending, Episode
from services.collections.domain.contact_rules import Channel, Outcome, Party, ProtectionKind
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.intervals import Count, Share
from services.collections.domain.matter import Matter
from services.collections.domain.message import Message, MessageState
from services.collections.domain.promises import PromiseStatus
from services.collections.domain.task import Task

OBSERVED_DAYS = 90
"""How long a time of being late is watched before it counts, unless asked otherwise."""

ROLL_DAYS = 31
"""A stage is a month: whoever is not beyond it by then did not roll."""

ROLLS = ("GRACE", "M1", "M2", "M3")
OURS = "collections"
LEFT = (
    *(MessageState.SENT, MessageState.DELIVERED),
    *(MessageState.BOUNCED, MessageState.UNCERTAIN),
)
"""A message in one of these left the house, as far as anybody knows."""


_JUDGED = (PromiseStatus.KEPT, PromiseStatus.PART_KEPT, PromiseStatus.BROKEN)


class Book(NamedTuple):
    """Everything that is counted of some borrowers."""

    cases: Sequence[Case]
    attempts: Sequence[Attempt]
    messages: Sequence[Message]
    debtors: Sequence[Debtor]
    tasks: Sequence[Task] = ()
    matters: Sequence[Matter] = ()


class Span(NamedTuple):
    """
    From a day to a day, both included, as the book is on `seen_on`.

    What began less than `observed_days` before it is too young to count.
    """

    from_on: date
    until_on: date
    seen_on: date = date.max
    observed_days: int = OBSERVED_DAYS

    def holds(self, day: date | None) -> bool:
        """Say whether a day lies within."""
        return day is not None and self.from_on <= day <= self.until_on

    def saw(self, began_on: date, days: int) -> bool:
        """Say whether what began on a day was watched for so long."""
        return began_on + timedelta(days=days) <= self.seen_on


Row = tuple[str, str, str, bool | None]
"""Figure, arm, borrower, and whether it came about; None: too young to say."""


class Month(NamedTuple):
    """What happened in a month, such as "2025-03"."""

    month: str
    opened: int
    closed: int
    messages: int
    contacts: int
    promises: int
    charged_off: int


@dataclass(slots=True)
class Tally:
    """What is counted of a span, some borrowers at a time; it does not grow with the book."""

    span: Span
    counts: dict[tuple[str, str], Count] = field(default_factory=dict)
    by_month: tuple[Counter[str], ...] = field(
        default_factory=lambda: tuple(Counter() for _ in range(6))
    )
    cured: int = 0

    def add(self, book: Book) -> None:
        """Count all there is of some borrowers, each of whom is added once."""
        rows: dict[tuple[str, str, str], list[bool | None]] = {}
        arms = {case.borrower_ref: case.arm for case in book.cases}
        for figure, arm, who, did in _events(book, self.span, arms):
            for one in {"", arm}:
                rows.setdefault((figure, one, who), []).append(did)
        for (figure, arm, _), came in rows.items():
            self.counts.setdefault((figure, arm), Count()).add(came)
        for counter, days in zip(self.by_month, _days_of(book), strict=True):
            counter.update(f"{day:%Y-%m}" for day in days if day and self.span.holds(day))
        ended = [e for case in book.cases for e in case.episodes if self.span.holds(e.closed_on)]
        self.cured += sum(_is_cured(one) for one in ended)

    def shares(self) -> list[Share]:
        """
        Return the shares, by figure and then by arm; the arm "" is all of them.

        right_party: calls and visits that reached the debtor, of those by people.
        promise_kept: promises kept, of those whose last day went by (part kept counts as not kept;
            void ones, where nothing was owed any more, do not count).
        cure: episodes that ended by money or a plan within the days for which each is watched, of
            those that began so long ago; as all of episodes, without those that a backdated fact
            ended: they were not late by then.
        self_cure: episodes so cured in grace before anybody was reached for, of those that began.
        roll_<stage>: episodes that went beyond a stage within a month, of those that entered it.
        delivered: messages known to have arrived, of those with a receipt.
        complaint: debtors who complained, of all who were late in the span.
        task_in_time: tasks done by the day they were due on, of those whose day went by.
        """
        return [self.counts[key].share(*key) for key in sorted(self.counts)]

    def months(self) -> list[Month]:
        """Return every month in which something happened, oldest first."""
        names = sorted(set().union(*self.by_month))
        return [Month(name, *(count[name] for count in self.by_month)) for name in names]

    def contacts_per_cure(self) -> Decimal | None:
        """Return messages and attempts of the span per episode cured in it; None without one."""
        made = sum(month.messages + month.contacts for month in self.months())
        return (Decimal(made) / self.cured).quantize(Decimal("0.01")) if self.cured else None


def _events(book: Book, span: Span, arms: dict[str, str]) -> Iterator[Row]:
    days: dict[str, list[date]] = {}
    for attempt in book.attempts:
        if attempt.outcome is not Outcome.NOT_SENT:
            days.setdefault(attempt.loan_id, []).append(attempt.at.date())
    for case in book.cases:
        yield from _of_case(case, span, days.get(case.loan_id, []))
        yield from _of_promises(case, span)
    for attempt in book.attempts:
        if _is_spoken(attempt) and span.holds(attempt.at.date()):
            who = attempt.borrower_ref
            reached = attempt.outcome is Outcome.REACHED and attempt.party is Party.DEBTOR
            yield "right_party", arms.get(who, ""), who, reached
    for message in book.messages:
        known = (MessageState.DELIVERED, MessageState.BOUNCED)
        if message.state in known and span.holds(message.because_on):
            arrived = message.state is MessageState.DELIVERED
            yield "delivered", message.arm, message.borrower_ref, arrived
    late = {case.borrower_ref for case in book.cases if _was_late(case, span)}
    for debtor in book.debtors:
        who = debtor.borrower_ref
        if who not in late:
            continue
        complained = [p for p in debtor.protections if p.kind is ProtectionKind.COMPLAINT]
        yield "complaint", arms[who], who, any(span.holds(p.from_on) for p in complained)
    for task in book.tasks:
        if span.holds(task.due_on) and not _is_unknown(task):
            in_time = task.done_on is not None and task.done_on <= task.due_on
            seen = task.due_on < span.seen_on
            who = task.borrower_ref
            yield "task_in_time", arms.get(who, ""), who, in_time if seen else None


def _is_unknown(task: Task) -> bool:
    """Say whether nobody can say when it was done: cancelled, or done before that was kept."""
    return task.state == "CANCELLED" or (task.state == "DONE" and task.done_on is None)


def _is_spoken(attempt: Attempt) -> bool:
    """Say whether a person called or came, and how that ended."""
    made = attempt.by != OURS and attempt.outcome not in (Outcome.NOT_SENT, Outcome.IN_PROGRESS)
    return made and attempt.channel in (Channel.CALL, Channel.VISIT)


def _was_late(case: Case, span: Span) -> bool:
    return any(
        one.opened_on <= span.until_on and (one.closed_on or span.until_on) >= span.from_on
        for one in case.episodes
    )


def _of_case(case: Case, span: Span, reached: Sequence[date]) -> Iterator[Row]:
    whose = (case.arm, case.borrower_ref)
    for episode in case.episodes:
        if not span.holds(episode.opened_on) or episode.ending is Ending.RESTATED:
            continue
        good = _is_cured(episode) and _days(episode) <= span.observed_days
        last = episode.closed_on or date.max
        alone = not any(episode.opened_on <= day <= last for day in reached)
        seen = span.saw(episode.opened_on, span.observed_days)
        yield "cure", *whose, good if seen else None
        in_grace = good and alone and episode.stage == "GRACE"
        yield "self_cure", *whose, in_grace if seen else None
        for place, (stage, entered_on) in enumerate(episode.stages):
            if stage in ROLLS:
                ends_on = entered_on + timedelta(days=ROLL_DAYS)
                beyond = any(on <= ends_on for _, on in episode.stages[place + 1 :])
                seen = span.saw(entered_on, ROLL_DAYS)
                yield f"roll_{stage.lower()}", *whose, beyond if seen else None


def _of_promises(case: Case, span: Span) -> Iterator[Row]:
    for promise, standing in zip(case.promises, case.promise_standings(), strict=True):
        if not span.holds(promise.due_on) or standing.status is PromiseStatus.VOID:
            continue
        # One kept before its day is not counted before it either: who breaks it cannot be, yet.
        seen = standing.status in _JUDGED and promise.last_on < span.seen_on
        kept = standing.status is PromiseStatus.KEPT
        yield "promise_kept", case.arm, case.borrower_ref, kept if seen else None


def _is_cured(episode: Episode) -> bool:
    cured = (Ending.CURED, Ending.RESTRUCTURED, Ending.SETTLED)
    return episode.ending in cured and not episode.charged_off


def _days(episode: Episode) -> int:
    """Return how many days an episode lasted that is over."""
    return ((episode.closed_on or date.max) - episode.opened_on).days


def _days_of(book: Book) -> list[Iterable[date | None]]:
    """Return the days of what a month counts, in the order of its fields."""
    episodes = [episode for case in book.cases for episode in case.episodes]
    facts = [fact for case in book.cases for fact in case.facts]
    sent = [message for message in book.messages if message.state in LEFT]
    made = [a for a in book.attempts if a.by != OURS and a.outcome is not Outcome.NOT_SENT]
    return [
        (episode.opened_on for episode in episodes),
        (episode.closed_on for episode in episodes),
        (m.sent_at.date() for m in sent if m.sent_at),
        (attempt.at.date() for attempt in made),
        (promise.made_on for case in book.cases for promise in case.promises),
        (fact.effective_on for fact in facts if fact.type == "CHARGED_OFF"),
    ]
