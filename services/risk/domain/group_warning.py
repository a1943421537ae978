"""Early warning of a group of loans: a region in trouble, a partner whose loans fail at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec

from services.risk.domain.book import BookRow, is_bad, month_ends_of
from services.risk.domain.early_warning import Alert, AlertOutcome
from services.risk.domain.indicators import TEXTS, Indicator, kept_as

OVER_THIRTY, EVIDENCE_MAX = 30, 50
DIMENSION_OF = {Indicator.REGIONAL_SHOCK: "region", Indicator.EARLY_DEFAULTS: "partner"}


class GroupRules(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of the rules, by month ends kept.

    A group warns from so many bad loans on, at a share so many times that of all other groups,
    and so many standard errors above it; it does not again until it is below the second share,
    nor within the cool-down. A book kept later than `stale_days` warns nobody.
    """

    version: str
    bads_min: int
    times_raised: Decimal
    times_clear: Decimal
    errors_min: Decimal
    cool_down_days: int
    stale_days: int
    early_months: int


class Counted(msgspec.Struct, frozen=True):
    """The loans of one group at a month end, and which of them are bad, in order of id."""

    loans: int
    bads: tuple[str, ...]


class MonthCounted(msgspec.Struct, frozen=True, kw_only=True):
    """What fell behind by region at a month end, and what failed early by partner."""

    on: date
    groups: dict[Indicator, dict[str, Counted]]


def group_alerts(
    months: Iterable[MonthCounted],
    known_on: Mapping[date, date],
    rules: GroupRules,
    currency: str,
) -> dict[str, Alert]:
    """
    Return the alerts that the books kept raise, by id: of them alone, whenever they were kept.

    Args:
        months: What was counted at each month end kept, oldest first, in one currency.
        known_on: The business date on which the book of each was kept.
        rules: What raises and what clears.
        currency: Of all loans; alerts of several currencies are apart.
    """
    found: dict[str, Alert] = {}
    up: set[tuple[Indicator, str]] = set()
    warned: dict[tuple[Indicator, str], date] = {}
    every = ((month.on, *one) for month in months for one in month.groups.items())
    for on, indicator, groups in every:
        for value in sorted(groups):
            name = indicator, value
            own, others = _shares(groups, value)
            if name in up and (others is None or own > others * Fraction(rules.times_clear)):
                continue
            up.discard(name)
            cooling = name in warned and (on - warned[name]).days < rules.cool_down_days
            if cooling or not value or not _raises(groups, value, rules):
                continue
            alert = _alert(name, on, known_on.get(on, on), groups[value], rules, currency)
            found[alert.alert_id] = alert
            if alert.is_open:
                up.add(name)
                warned[name] = on
    return found


def window(ends: Iterable[date], on: date, rules: GroupRules) -> list[date]:
    """Return the month ends whose books the counts of one look at, oldest first."""
    most = max(1, rules.early_months)
    return sorted(one for one in ends if one <= on and _months(one, on) <= most)


def counted(books: Sequence[tuple[date, Sequence[BookRow]]], rules: GroupRules) -> MonthCounted:
    """Count at the last of a window's month ends; nothing fell behind if none is just before it."""
    dates, rows = zip(*books, strict=True)
    on, book = books[-1]
    groups: dict[Indicator, dict[str, Counted]] = {}
    before = [one for one, _ in month_ends_of(rows, dates)][-1]
    if before is not None:
        well = {row.loan_id for row in before if row.on_books and not _is_late(row)}
        fell = {row.loan_id for row in book if row.loan_id in well and _is_late(row)}
        here = [row for row in book if row.loan_id in well]
        groups[Indicator.REGIONAL_SHOCK] = _by(here, fell, "region")
    late = {row.loan_id for _, one in books for row in one if _is_late(row)}
    young = [row for row in book if _months(row.disbursed_on, on) <= rules.early_months]
    groups[Indicator.EARLY_DEFAULTS] = _by(young, late, "partner_ref")
    return MonthCounted(on=on, groups=groups)


def _by(rows: Sequence[BookRow], bads: set[str], field: str) -> dict[str, Counted]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(getattr(row, field), []).append(row.loan_id)
    return {
        value: Counted(len(names), tuple(sorted(name for name in names if name in bads)))
        for value, names in found.items()
    }


def _shares(groups: Mapping[str, Counted], value: str) -> tuple[Fraction, Fraction | None]:
    """Return the bad share of a group, and of all others; None without any."""
    own = groups[value]
    loans = sum(one.loans for one in groups.values()) - own.loans
    bads = sum(len(one.bads) for one in groups.values()) - len(own.bads)
    return Fraction(len(own.bads), own.loans), Fraction(bads, loans) if loans else None


def _raises(groups: Mapping[str, Counted], value: str, rules: GroupRules) -> bool:
    own, others = _shares(groups, value)
    if others is None or len(groups[value].bads) < rules.bads_min:
        return False
    loans = sum(one.loans for one in groups.values())
    pooled = Fraction(sum(len(one.bads) for one in groups.values()), loans)
    size = groups[value].loans
    variance = pooled * (1 - pooled) * (Fraction(1, size) + Fraction(1, loans - size))
    apart = own - others
    # Held against each other as squares, which are exact.
    clear = apart > 0 and apart**2 >= Fraction(rules.errors_min) ** 2 * variance
    return clear and own >= others * Fraction(rules.times_raised)


def _alert(
    name: tuple[Indicator, str],
    on: date,
    known_on: date,
    counted: Counted,
    rules: GroupRules,
    currency: str,
) -> Alert:
    indicator, value = name
    text_en, text_zh = TEXTS[indicator]
    share = f"{len(counted.bads)} / {counted.loans}"
    group = f"{DIMENSION_OF[indicator]} {value}"
    stale = (known_on - on).days > rules.stale_days
    return Alert(
        alert_id=f"{on}.{DIMENSION_OF[indicator]} {kept_as(value, 80)}.{indicator}.{currency}",
        borrower_ref="",
        loan_id="",
        group=group,
        indicator=indicator,
        raised_on=on,
        text_en=f"{text_en}: {share}",
        text_zh=f"{text_zh}：{share}",
        evidence=counted.bads[:EVIDENCE_MAX],
        policy_version=rules.version,
        known_on=known_on,
        outcome=AlertOutcome.STALE if stale else AlertOutcome.UNSPECIFIED,
        closed_on=known_on if stale else None,
    )


def _is_late(row: BookRow) -> bool:
    return is_bad(row) or (row.on_books and row.days_that_count > OVER_THIRTY)


def _months(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month
