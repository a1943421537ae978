"""What the borrower agreed to pay and when; the last instalment absorbs the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from services.ledger.domain.frames import Frame, frame_of
from services.ledger.domain.periods import Draw, Period, periods_with
from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.money import round_minor, round_ratio

LEVEL_INSTALMENT, EQUAL_PRINCIPAL, _, _, FLAT, AGREED = RepaymentMethod
_place = attrgetter("due_on", "number")


class Instalment(NamedTuple):
    """What falls due on one date; minor units; `period` says what earned the interest."""

    number: int
    due_on: date
    principal_due_minor: int
    interest_due_minor: int
    period: Period


class Plan(NamedTuple):
    """
    What a schedule is computed from: terms, money paid out, days that earn nothing.

    `odd_months` is how many months the period counts in which the plan goes on, if it is not whole.
    """

    terms: Terms
    start_on: date
    draws: tuple[Draw, ...]
    pauses: tuple[tuple[date, date], ...] = ()
    first_number: int = 1
    odd_months: Fraction | None = None


def schedule(terms: Terms, start_on: date, first_number: int = 1) -> tuple[Instalment, ...]:
    """Compute the contract's instalments with the whole principal paid out on `start_on`."""
    draws = (Draw(start_on, terms.principal_minor),)
    return schedule_of(Plan(terms, start_on, draws, (), first_number))


@lru_cache(maxsize=4_096)
def schedule_of(plan: Plan) -> tuple[Instalment, ...]:
    """
    Compute the instalments of a plan.

    Args:
        plan: Checked terms, draws by date, pauses inclusive at both ends.
    Returns:
        Down payments and instalments, oldest first; principal sums to what was paid out.
    Source:
        Level instalment by an annuity with one factor per period; interest of each period on the
        balance of the night before, rounded once per period. A later draw changes the instalments
        from its own period on.
    """
    terms = plan.terms
    number, downs, financed = plan.first_number, [], []
    for draw in plan.draws:
        down = _down_payment(terms, draw.amount_minor)
        financed.append(Draw(draw.on, draw.amount_minor - down))
        if down:
            downs.append((draw.on, down))
    frame, out = frame_of(terms, plan.start_on, plan.odd_months), tuple(financed)
    plain = periods_with(frame.periods, terms, out, ())
    periods = periods_with(frame.periods, terms, out, plan.pauses) if plan.pauses else plain
    first_downs = [d for d in downs if d[0] == plan.start_on]
    rows = [_down_row(number + k, on, amount) for k, (on, amount) in enumerate(first_downs)]
    number += len(rows)
    flat = sum(draw.amount_minor for draw in plan.draws)
    rows += _instalments(terms, frame, plain, periods, number, flat)
    number += len(periods)
    later = [d for d in downs if d[0] != plan.start_on]
    rows += [_down_row(number + k, on, amount) for k, (on, amount) in enumerate(later)]
    return tuple(sorted(rows, key=_place) if downs else rows)


def first_of(plan: Plan, upto: date) -> tuple[Sequence[Instalment], bool]:
    """Return the instalments due by a date and the next, and whether those are all of the plan."""
    terms = plan.terms
    plain = len(plan.draws) == 1 and not plan.pauses and not terms.down_payment_rate
    if not plain or terms.even_out_last or terms.method is AGREED:
        return schedule_of(plan), True
    frame, first = frame_of(terms, plan.start_on, plan.odd_months), []
    if plan.draws[0].on >= frame.dates[0]:
        # Its level begins later than its first instalment.
        return schedule_of(plan), True
    periods = periods_with(frame.periods, terms, plan.draws, ())
    level = _level(terms, frame, periods, 0, plan.draws[0].amount_minor)
    flat = plan.draws[0].amount_minor
    for instalment in _run(terms, periods, [], level, plan.first_number, flat):
        first.append(instalment)
        if instalment.due_on > upto:
            return first, False
    return first, True


def _down_payment(terms: Terms, amount_minor: int) -> int:
    if not terms.down_payment_rate:
        return 0
    share = amount_minor * terms.down_payment_rate
    return round_minor(share, terms.rounding, terms.instalment_multiple_minor)


def _down_row(number: int, on: date, amount_minor: int) -> Instalment:
    return Instalment(number, on, amount_minor, 0, Period(on, on, ()))


def _instalments(
    terms: Terms,
    frame: Frame,
    plain: list[Period],
    periods: list[Period],
    number: int,
    flat_minor: int,
) -> list[Instalment]:
    """
    Fix the level at each period in which money is paid out, for that period and later ones.

    The level is that of the periods without pauses, and of the money paid out by then; what a
    pause saves lowers the last instalment.
    """
    if terms.method is AGREED:
        return [
            Instalment(number + k, period.due_on, principal, interest, period)
            for k, (period, (principal, interest)) in enumerate(
                zip(periods, terms.agreed, strict=True)
            )
        ]
    rows: list[Instalment] = []
    starts = [k for k, period in enumerate(periods) if period.drawn or k == 0]
    for start, end in zip(starts, [*starts[1:], len(periods)], strict=True):
        balance = sum(p.drawn for p in periods[: start + 1])
        balance -= sum(row.principal_due_minor for row in rows)
        level = _level(terms, frame, plain, start, balance)
        if terms.even_out_last and terms.method is LEVEL_INSTALMENT:
            known = [p if k <= start else p.undrawn() for k, p in enumerate(plain)]
            level = _evened(terms, known, rows, level, number)
        coming = _run(terms, periods, rows, level, number, flat_minor)
        rows += islice(coming, end - start)
    return rows


def _run(
    terms: Terms,
    periods: list[Period],
    kept: list[Instalment],
    level: int,
    number: int,
    flat_minor: int,
) -> Iterator[Instalment]:
    """Run the balance down from the rows that are kept to the last, one by one."""
    done = len(kept)
    balance = sum(p.drawn for p in periods[:done])
    balance -= sum(row.principal_due_minor for row in kept)
    carried, flat = 0, _flat_interest(terms, periods, flat_minor)
    rate, rounding, last = terms.rate_annual.as_integer_ratio(), terms.rounding, len(periods) - 1
    free, shifted = terms.interest_free_instalments, terms.interest_grace_instalments
    annuity, repaid_from = terms.method is LEVEL_INSTALMENT, _repaid_from(terms, len(periods))
    for k in range(done, len(periods)):
        period = periods[k]
        earned = flat[k] if flat else period.interest(balance, rate, rounding)
        if period.drawn and balance:
            period = period._replace(opening=balance)
        balance += period.drawn
        interest = 0 if k < free else earned + carried
        carried = interest if k < shifted else 0
        interest -= carried
        if k == last:
            principal = balance
        elif k < repaid_from:
            principal = 0
        elif annuity:
            plain = min(interest, earned) if shifted else interest
            principal = max(0, min(balance, level - plain))
        else:
            principal = min(balance, level)
        yield Instalment(number + k, period.due_on, principal, interest, period)
        balance -= principal


def _repaid_from(terms: Terms, count: int) -> int:
    """Return the first instalment, from 0, that pays principal before the last one does."""
    spread = terms.method in (LEVEL_INSTALMENT, EQUAL_PRINCIPAL, FLAT)
    return terms.principal_grace_instalments if spread else count


def _level(terms: Terms, frame: Frame, plain: list[Period], start: int, balance: int) -> int:
    """
    Return what stays the same from period `start` on: the annuity, or the equal principal.

    The annuity is the balance grown to the end over the sum of later growth, rounded once.
    """
    first = max(start, terms.principal_grace_instalments)
    left = len(plain) - first
    if terms.method is not LEVEL_INSTALMENT:
        multiple = terms.instalment_multiple_minor
        return round_ratio(balance, max(1, left), terms.rounding, multiple)
    opening = balance - plain[first].drawn if first == start else balance
    growth, over = frame.growths[first]
    grown, of = opening * growth, over
    if first == start and plain[first].drawn:
        part, parts = plain[first].drawn_grown(frame.rate)
        grown, of = grown * parts + part * of, of * parts
    growth, growths = frame.tail(first)
    return round_ratio(
        grown * growth, of * growths, terms.rounding, terms.instalment_multiple_minor
    )


def _evened(
    terms: Terms, periods: list[Period], kept: list[Instalment], level: int, number: int
) -> int:
    """Shift the level once by the last instalment's difference over all, if the gap shrinks."""
    count = len(periods) - len(kept)
    gap = _gap(list(_run(terms, periods, kept, level, number, 0)), level)
    if abs(gap) <= count // 2:
        return level
    shifted = round_minor(
        level + Fraction(gap, count), terms.rounding, terms.instalment_multiple_minor
    )
    again = _gap(list(_run(terms, periods, kept, shifted, number, 0)), shifted)
    return shifted if abs(again) < abs(gap) else level


def _gap(rows: list[Instalment], level: int) -> int:
    return rows[-1].principal_due_minor + rows[-1].interest_due_minor - level


def _flat_interest(terms: Terms, periods: list[Period], principal_minor: int) -> list[int]:
    """Return each period's flat interest: on the amount paid out, over the whole term."""
    if terms.method is not FLAT:
        return []
    years = sum((p.length for p in periods), Fraction(0))
    total = round_minor(principal_minor * Fraction(terms.rate_annual) * years, terms.rounding)
    each = round_minor(Fraction(total, len(periods)), terms.rounding)
    before_last = [max(0, min(each, total - k * each)) for k in range(len(periods) - 1)]
    return [*before_last, total - sum(before_last)]
