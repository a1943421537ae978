"""The whole book's risk as tables and plots, for the command line and for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction

from services.risk.adapters.report_page import Chart, Line, Table
from services.risk.domain.portfolio import Part, Portfolio
from services.risk.domain.roll_rates import cure_rates, flow_rates
from services.risk.domain.vintage import Vintage
from shared.kernel.money import format_amount

MONTHS_SHOWN = (3, 6, 9, 12, 15, 18, 21, 24)
BORROWERS_SHOWN = 5
Ever = Callable[[Vintage], tuple[Fraction | None, ...]]


def summary(found: Portfolio) -> str:
    """Return the book in one sentence."""

    def money(minor: int) -> str:
        return format_amount(minor, found.currency)

    return (
        f"{found.as_of} {found.currency}: {found.loans:,} loans, balance "
        f"{money(found.balance_minor)}, allowance {money(found.allowance_minor)}, five-tier "
        f"provision {money(found.provision_minor)}, product HHI {found.product_hhi} "
        f"({found.rules_version})"
    )


def tables(found: Portfolio) -> Iterator[Table]:
    """Yield every table: stages, buckets, products, borrowers, scenarios, rolls, vintages."""
    yield _parts("stage", found.by_stage, found.currency)
    yield _parts("bucket", found.by_state, found.currency)
    yield _parts("product", found.by_product, found.currency)
    yield _parts("borrower", found.largest_borrowers[:BORROWERS_SHOWN], found.currency)
    stress = [(name, format_amount(loss, found.currency)) for name, loss in found.scenarios]
    yield Table("if a scenario were certain", ("scenario", "allowance"), list(stress))
    yield _rolls(found)
    yield _vintages("vintage, ever over 30", found, lambda row: row.ever_over_thirty)
    yield _vintages("vintage, ever over 90", found, lambda row: row.ever_bad)


def charts(found: Portfolio, over_time: Mapping[date, Mapping[str, int]]) -> Iterator[Chart]:
    """Yield every plot: what is late over time, and how each month's loans turn out."""
    dates = sorted(over_time)
    states = sorted({state for here in over_time.values() for state in here} - {"M0"})
    lines = [Line(state, [_share(over_time[on], state) for on in dates]) for state in states]
    labels = [f"{on:%Y-%m}" for on in dates]
    yield Chart("share of the balance that is late, by bucket", labels, lines, percent=True)
    longest = max((len(row.ever_bad) for row in found.vintages), default=0)
    months = [str(mob) for mob in range(1, longest + 1)]
    ways: tuple[tuple[str, Ever], ...] = (
        ("more than 30 days late", lambda row: row.ever_over_thirty),
        ("more than 90 days late or charged off", lambda row: row.ever_bad),
    )
    for late, ever in ways:
        curves = [Line(row.month, _curve(ever(row), longest)) for row in found.vintages]
        title = f"share of loans ever {late}, by months on book"
        yield Chart(title, months, curves, percent=True)


def _share(balances: Mapping[str, int], state: str) -> float:
    return balances.get(state, 0) / max(1, sum(balances.values()))


def _curve(cells: Sequence[Fraction | None], months: int) -> list[float | None]:
    known = [None if cell is None else float(cell) for cell in cells]
    return known + [None] * (months - len(known))


def _parts(title: str, parts: tuple[Part, ...], currency: str) -> Table:
    table = Table(title, (title, "loans", "balance", "allowance", "of balance"))
    for part in parts:
        share = part.allowance_minor / part.balance_minor if part.balance_minor else 0
        balance = format_amount(part.balance_minor, currency)
        loss = format_amount(part.allowance_minor, currency)
        table.rows.append((part.name, f"{part.loans:,}", balance, loss, f"{share:.2%}"))
    return table


def _rolls(found: Portfolio) -> Table:
    flows, cures = flow_rates(found.matrix), cure_rates(found.matrix)
    matrix = found.matrix
    table = Table("rolls from", ("rolls from", "loans", *matrix.states, "flow", "cure"))
    for state, counts, row in zip(matrix.states, matrix.counts, matrix.by_count(), strict=True):
        if sum(counts):
            cells = [f"{100 * cell:.1f}" if cell else "" for cell in map(float, row)]
            flow = f"{float(flows.get(state, 0)):.1%}"
            cure = f"{float(cures[state]):.1%}" if state in cures else ""
            table.rows.append((state, str(sum(counts)), *cells, flow, cure))
    return table


def _vintages(title: str, found: Portfolio, ever: Ever) -> Table:
    head = (title, "loans", *(f"{mob} m" for mob in MONTHS_SHOWN))
    table = Table(title, head)
    for row in found.vintages:
        cells = [ever(row)[mob - 1] for mob in MONTHS_SHOWN]
        texts = ["" if cell is None else f"{float(cell):.1%}" for cell in cells]
        table.rows.append((row.month, str(row.loans), *texts))
    return table
