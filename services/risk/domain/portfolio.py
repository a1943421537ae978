"""The whole book's risk on one date: stages, allowances, provisions, rolls, vintages, stress."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import msgspec

from services.risk.domain.book import BookRow, is_bad, is_month_end, month_ends_of, moves
from services.risk.domain.book_losses import (
    BookArrays,
    Hazards,
    allowances,
    arrays_of,
    check_some,
    hazards_of,
    stages_of,
)
from services.risk.domain.exposure import hhi
from services.risk.domain.roll_rates import RollMatrix, roll_matrix
from services.risk.domain.staging import MONTHS_OF_STAGE_ONE, LossRules, Scenario, Stage, provision
from services.risk.domain.vintage import LoanLife, Vintage, vintages

VINTAGE_MONTHS, LARGEST, THIRTY_DAYS = 24, 10, 30
ONE = Decimal(1)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Loans that have something in common; minor units."""

    name: str
    loans: int
    balance_minor: int
    allowance_minor: int


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure of one currency on one date, and the versions that it came from."""

    as_of: date
    currency: str
    rules_version: str
    loans: int
    balance_minor: int
    allowance_minor: int
    by_stage: tuple[Part, ...]
    by_state: tuple[Part, ...]
    by_product: tuple[Part, ...]
    product_hhi: int
    largest_borrowers: tuple[Part, ...]
    provision_minor: int
    scenarios: tuple[tuple[str, int], ...]
    matrix: RollMatrix
    months_of_matrix: int
    vintages: tuple[Vintage, ...]


@dataclass(frozen=True, slots=True)
class Valued:
    """Loans on the books with their stages and allowances, and what those came from."""

    rows: list[BookRow]
    stages: list[Stage]
    losses: list[int]
    arrays: BookArrays
    hazards: Hazards
    matrix: RollMatrix
    months: int


def portfolio(
    history: Sequence[Sequence[BookRow]],
    dates: Sequence[date],
    rules: LossRules,
    watched: frozenset[str] = frozenset(),
) -> Portfolio:
    """
    Return all figures of the last date.

    Args:
        history: The books kept, oldest first, in one currency; months are between two month ends.
        dates: Their dates.
        rules: Stages, scenarios, losses, provisions.
        watched: Borrowers with an open early warning on the last date.
    """
    book, as_of = history[-1], dates[-1]
    found = valued(history, dates, rules, watched)
    rows, losses, hazards, arrays = found.rows, found.losses, found.hazards, found.arrays
    by_product = _parts(rows, losses, [row.product for row in rows])
    alone = [
        (one.name, msgspec.structs.replace(rules, scenarios=(_alone(one),)))
        for one in rules.scenarios
    ]
    return Portfolio(
        as_of=as_of,
        currency=book[0].currency if book else "",
        rules_version=rules.version,
        loans=len(rows),
        balance_minor=sum(row.balance_minor for row in rows),
        allowance_minor=sum(losses),
        by_stage=_parts(rows, losses, [f"stage {int(stage)}" for stage in found.stages]),
        by_state=_parts(rows, losses, [row.state for row in rows]),
        by_product=by_product,
        product_hhi=hhi([part.balance_minor for part in by_product]),
        largest_borrowers=_largest(_parts(rows, losses, [row.borrower_ref for row in rows])),
        provision_minor=_provisions(rows, rules),
        scenarios=tuple((n, int(allowances(arrays, only, hazards).sum())) for n, only in alone),
        matrix=found.matrix,
        months_of_matrix=found.months,
        vintages=tuple(
            vintages(
                _lives(history, dates),
                as_of,
                VINTAGE_MONTHS,
                frozenset(filter(is_month_end, dates)),
            )
        ),
    )


def valued(
    history: Sequence[Sequence[BookRow]],
    dates: Sequence[date],
    rules: LossRules,
    watched: frozenset[str] = frozenset(),
) -> Valued:
    """Return stage and allowance of each loan on the books on the last date."""
    rows = [row for row in history[-1] if row.on_books and row.owed_minor > 0]
    months = list(_months(history, dates))
    matrix = roll_matrix(move for a, b in months for move in moves(a, b))
    longest = max((len(row.exposures_minor) for row in rows), default=0)
    hazards = hazards_of(matrix, rules, max(MONTHS_OF_STAGE_ONE, longest))
    cured = _cured_of_late(history, dates, rules.cure_days)
    stages = stages_of(rows, rules, hazards, watched, dates[-1], cured)
    arrays = arrays_of(rows, stages, hazards)
    losses = [int(one) for one in allowances(arrays, rules, hazards)]
    check_some(rows, stages, losses, rules, hazards)
    return Valued(rows, stages, losses, arrays, hazards, matrix, len(months))


def balances(book: Iterable[BookRow]) -> dict[str, int]:
    """Return the principal outstanding in each bucket, minor units, of loans on the books."""
    found: dict[str, int] = defaultdict(int)
    for row in book:
        if row.on_books:
            found[row.state] += row.balance_minor
    return dict(found)


def _months(
    history: Sequence[Sequence[BookRow]], dates: Sequence[date]
) -> Iterator[tuple[Sequence[BookRow], Sequence[BookRow]]]:
    """Return the books at both ends of each calendar month kept whole; other dates are no month."""
    for before, (_, after) in month_ends_of(history, dates):
        if before is not None:
            yield before, after


def _cured_of_late(
    history: Sequence[Sequence[BookRow]], dates: Sequence[date], days: int
) -> frozenset[str]:
    """
    Return the loans that were in default until fewer days ago than these.

    A default is over when a book shows it so: nobody knows how long before.
    """
    bad, over_on = set[str](), dict[str, date]()
    for book, on in zip(history, dates, strict=True):
        now = {row.loan_id for row in book if is_bad(row)}
        over_on |= dict.fromkeys(bad - now, on)
        bad = now
    return frozenset(name for name, on in over_on.items() if (dates[-1] - on).days < days)


def _alone(scenario: Scenario) -> Scenario:
    return msgspec.structs.replace(scenario, weight=ONE)


def _parts(
    rows: Sequence[BookRow], losses: Sequence[int], names: Iterable[str]
) -> tuple[Part, ...]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row, loss, name in zip(rows, losses, names, strict=True):
        found = sums[name]
        found[0] += 1
        found[1] += row.balance_minor
        found[2] += loss
    return tuple(
        Part(name=name, loans=loans, balance_minor=balance, allowance_minor=loss)
        for name, (loans, balance, loss) in sorted(sums.items())
    )


def _largest(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: (-part.balance_minor, part.name))[:LARGEST])


def _provisions(rows: Iterable[BookRow], rules: LossRules) -> int:
    # Where a loan's policy has no five tiers, the table asks nothing of it.
    tiered = (row for row in rows if row.tier)
    asked = (provision(rules, "five_tier", row.tier, row.balance_minor) for row in tiered)
    return sum(int(one.to_integral_value()) for one in asked)


def _lives(history: Sequence[Sequence[BookRow]], dates: Sequence[date]) -> list[LoanLife]:
    """Return each loan's life; it was so late at the first month end that saw it so."""
    disbursed: dict[str, date] = {}
    late: dict[str, date] = {}
    turned: dict[str, date] = {}
    for book, on in zip(history, dates, strict=True):
        for row in book:
            disbursed.setdefault(row.loan_id, row.disbursed_on)
            if row.days_that_count > THIRTY_DAYS:
                late.setdefault(row.loan_id, on)
            if is_bad(row):
                turned.setdefault(row.loan_id, on)
    return [
        LoanLife(disbursed_on=on, bad_on=turned.get(name), over_thirty_on=late.get(name))
        for name, on in disbursed.items()
    ]
