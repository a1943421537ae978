"""What we remember of a borrower: signs as a set, whatever the order in which loans were heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import msgspec

from services.risk.domain.indicators import (
    BESIDE,
    DUE,
    GUARANTOR,
    INDICATORS_OF,
    PAID,
    RETURNED,
    TAKEN_BACK,
    Heard,
    Indicator,
    Seen,
    Sign,
    WarningRules,
)
from services.risk.domain.thresholds import clears, seen

YEARS_KEPT = 2
"""Of this year and so many before it signs are kept; what came before is summed up."""
OF_A_LOAN = frozenset((Indicator.REPAYMENTS_FALLING, Indicator.PAYS_LATER))
"""What tells of one loan; all else tells of the borrower."""


class Front(msgspec.Struct, frozen=True, array_like=True):
    """How far a loan's own stream was heard: the latest date that counts, and the last number."""

    on: date
    sequence: int


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """
    What signs up to a date led to.

    `up` are the indicators that warned and are not clear yet, with the date of their last sign,
    `warned` the date of each one's last alert, `recent` what is still in the window.
    """

    up: dict[str, date] = {}
    warned: dict[str, date] = {}
    recent: tuple[Sign, ...] = ()


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """
    A borrower: `signs` since a date, in the order in which they count, and the `course` until then.

    Earlier versions kept signs in the order heard, and no fronts.
    """

    borrower_ref: str
    signs: tuple[Sign, ...] = ()
    fronts: dict[str, Front] = {}
    since: date = date.min
    course: Course = Course()


def observe(before: Behaviour, heard: Heard, rules: WarningRules) -> Behaviour:
    """
    Add one event to what we know of a borrower; heard again, it changes nothing.

    A loan's events come in their order, loans in any. Repayments and due dates are signs of a
    loan that was late before; money taken back was never a repayment, and when a debit was
    returned that is a sign itself.
    """
    if heard.type not in INDICATORS_OF and heard.type not in (TAKEN_BACK, *BESIDE):
        return before
    returned = heard.type == TAKEN_BACK and _is_returned(heard, rules)
    if heard.name and heard.type != GUARANTOR:
        return _with(before, _named_once(before.signs, _sign(heard, None, rules)), rules)
    fronts = dict(before.fronts) or _fronts(before.signs)
    front = fronts.get(heard.told_by)
    if front is None and heard.type in (PAID, TAKEN_BACK, DUE) and not returned:
        return before
    if front and heard.sequence <= front.sequence:
        return before
    on = max(heard.effective_on, front.on) if front else heard.effective_on
    fronts[heard.told_by] = Front(on, heard.sequence)
    before = msgspec.structs.replace(before, fronts=dict(sorted(fronts.items())))
    if heard.type != TAKEN_BACK:
        return _with(before, [*before.signs, _sign(heard, front, rules)], rules)
    kept = _without_paid(before.signs, heard)
    if returned:
        kept.append(_sign(msgspec.structs.replace(heard, type=RETURNED), front, rules))
    return _with(before, kept, rules)


def restated(before: Behaviour, loan_id: str, superseded: frozenset[int]) -> Behaviour:
    """Return a borrower without a loan's signs that no longer hold."""
    kept = [s for s in before.signs if s.told_by != loan_id or s.log_version not in superseded]
    fronts = before.fronts or _fronts(before.signs)
    return msgspec.structs.replace(before, signs=tuple(kept), fronts=fronts)


def warnings(borrower: Behaviour, rules: WarningRules) -> list[tuple[Indicator, Seen]]:
    """
    Return what a borrower's signs warn of, oldest first: of their set alone, not of their order.

    An indicator that warned is up, and warns no more, until it is clear: by a sign, or because
    none of its signs came for the rules' `clear_days`. What is heard too late warns nobody, and
    holds no other warning up.
    """
    return _follow(borrower.course, sorted(borrower.signs, key=lambda one: one.place), rules)[1]


def warnings_of_both(
    before: Behaviour, after: Behaviour, rules: WarningRules
) -> tuple[list[tuple[Indicator, Seen]], list[tuple[Indicator, Seen]]]:
    """Return what two states of a borrower warn of; the signs that both begin with count once."""
    if before.course != after.course:
        return warnings(before, rules), warnings(after, rules)
    was, now = (sorted(one.signs, key=lambda sign: sign.place) for one in (before, after))
    same = next((n for n, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]), -1)
    same = min(len(was), len(now)) if same < 0 else same
    course, found = _follow(before.course, now[:same], rules)
    rests = (_follow(course, signs[same:], rules)[1] for signs in (was, now))
    return found + next(rests), found + next(rests)


def is_stale(found: Seen, rules: WarningRules) -> bool:
    """Say whether enough was known only when it was too late to warn of anything."""
    late = (found.known_on - found.evidence[-1].on).days
    return rules.stale_days is not None and late > rules.stale_days


def _follow(
    course: Course, signs: Iterable[Sign], rules: WarningRules
) -> tuple[Course, list[tuple[Indicator, Seen]]]:
    up, warned, recent = dict(course.up), dict(course.warned), list(course.recent)
    found = []
    for sign in signs:
        recent = [*_since(recent, sign.on, rules.days_looked_at), sign]
        for indicator, name in _named(sign):
            window = _since(recent, sign.on, rules.window_of(indicator))
            if not window:
                continue
            last = up.pop(name, None)
            still = last is not None and (sign.on - last).days < rules.clear_days
            if still and not clears(indicator, window, rules):
                up[name] = sign.on
                continue
            one = seen(indicator, window, rules)
            if one is None or _cooling(warned.get(name), sign.on, rules):
                continue
            found.append((indicator, one))
            if not is_stale(one, rules):
                warned[name] = sign.on
                up |= {name: sign.on} if rules.clear_days else {}
    now = Course(up=_in_order(up), warned=_in_order(warned), recent=tuple(recent))
    return now, found


def _named(sign: Sign) -> Iterator[tuple[Indicator, str]]:
    """Yield what a sign may tell of, by the name under which it warns."""
    for one in INDICATORS_OF.get(sign.type, ()):
        yield one, f"{one}/{sign.loan_id}" if one in OF_A_LOAN else str(one)


def _since(signs: Iterable[Sign], on: date, days: int) -> list[Sign]:
    """Return the signs of so many days up to a date."""
    first = on - timedelta(days=days)
    return [one for one in signs if one.on > first]


def _is_returned(heard: Heard, rules: WarningRules) -> bool:
    """Say whether money was taken back because the bank did not pay, not because we erred."""
    reason = heard.reason.casefold()
    return any(word.casefold() in reason for word in rules.returned_words)


def _cooling(warned_on: date | None, on: date, rules: WarningRules) -> bool:
    return warned_on is not None and (on - warned_on).days < rules.cool_down_days


def _in_order(dates: dict[str, date]) -> dict[str, date]:
    return dict(sorted(dates.items()))


def _with(before: Behaviour, signs: Iterable[Sign], rules: WarningRules) -> Behaviour:
    """Return a borrower with these signs, those of long ago summed up."""
    kept = sorted((one for one in signs if one.on >= before.since), key=lambda one: one.place)
    first = max(one.on for one in kept).year - YEARS_KEPT if kept else 0
    since = max(before.since, date(max(1, first), 1, 1))
    old = [one for one in kept if one.on < since]
    course = _follow(before.course, old, rules)[0] if old else before.course
    return msgspec.structs.replace(
        before, signs=tuple(kept[len(old) :]), since=since, course=course
    )


def _sign(heard: Heard, front: Front | None, rules: WarningRules) -> Sign:
    """Return what was heard as a sign; nothing was heard before what its own loan told ahead."""
    on = heard.effective_on
    known = max([on, heard.known_on or on, *([front.on] if front else [])])
    # Beyond what makes it stale it does not matter how far the reading lagged.
    behind = min(heard.days_behind, (rules.stale_days or 0) + 1) if rules.stale_days else 0
    known += timedelta(days=behind)
    return Sign(
        heard.type,
        heard.loan_id,
        on,
        heard.event_id,
        heard.amount_minor,
        heard.log_version,
        heard.count,
        known if known != on else None,
        heard.count_7d,
        heard.count_90d,
        heard.monthly_minor,
        heard.lenders,
        heard.currency,
    )


def _named_once(signs: tuple[Sign, ...], one: Sign) -> list[Sign]:
    """Add what has a name; known twice, it was known when that was first."""
    same = [other for other in signs if other.event_id == one.event_id]
    first = min([*same, one], key=lambda other: (other.known_on, other.loan_id))
    return [*(other for other in signs if other not in same), first]


def _without_paid(signs: tuple[Sign, ...], heard: Heard) -> list[Sign]:
    """Forget the newest repayment of this loan and amount."""
    paid = [
        one
        for one in signs
        if one.type == PAID
        and (one.loan_id, one.amount_minor) == (heard.loan_id, heard.amount_minor)
    ]
    newest = max(paid, key=lambda one: one.sequence, default=None)
    return [one for one in signs if one is not newest]


def _fronts(signs: Iterable[Sign]) -> dict[str, Front]:
    found: dict[str, Front] = {}
    for one in signs:
        if one.sequence:
            before = found.get(one.loan_id, Front(one.on, one.sequence))
            after = Front(max(one.on, before.on), max(one.sequence, before.sequence))
            found[one.loan_id] = after
    return dict(sorted(found.items()))
