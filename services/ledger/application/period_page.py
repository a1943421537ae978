"""A period of the whole book as one page to look at: no script, nothing from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from services.ledger.application.entry_tests import TESTS
from services.ledger.application.evidence_page import HEIGHT, WIDTH, document, table
from services.ledger.application.period import Period
from services.ledger.application.period_tables import balance_rows
from services.ledger.domain.chart import CHART
from shared.kernel.money import format_amount

BARS_MAX = 120
LATE = ((0, "0"), (1, "1-30"), (31, "31-60"), (61, "61-90"), (91, "91-180"), (181, "over 180"))


def period_page(
    period: Period,
    said: Mapping[str, Any],
    flags: Sequence[tuple[Any, ...]],
    loans: Sequence[Sequence[tuple[Any, ...]]],
) -> str:
    """
    Return the report.

    Args:
        period: What the log says.
        said: period.json.
        flags: What the tests of entries point at.
        loans: The rows of loans at the beginning and at the end.
    """
    bounds = period.bounds
    title = f"The book from {bounds.since} to {bounds.until}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>Events {bounds.first} to {bounds.end - 1} of the log, under the signed checkpoint of"
        f" {bounds.upto.size}; {len(period.entries)} journal entries;"
        f" {said['loans_after']['loans']} loans paid out.</p>",
        "<h2>Events by business day · 每日事件</h2>",
        bars([(str(day), count) for day, count in sorted(period.days.items())], "events by day"),
        "<h2>Loans by days past due · 逾期分布</h2>",
        *(
            bars(_by_lateness(rows), f"loans by days past due at the {when}")
            for when, rows in zip(("beginning", "end"), loans, strict=True)
        ),
        "<h2>Trial balance · 试算平衡表</h2>",
        _balances(period),
        "<h2>What became of the loans · 贷款</h2>",
        _loans(said),
        "<h2>Tests of entries (ISA 240, 32-33) · 分录测试</h2>",
        _population(said),
        _tests(flags),
    ]
    return document(title, parts)


def bars(values: Sequence[tuple[str, int]], label: str) -> str:
    """Return a picture of counts, in order; of many, neighbours are added up."""
    if not values:
        return "<p>Nothing.</p>"
    step = -(-len(values) // BARS_MAX)
    groups = [values[k : k + step] for k in range(0, len(values), step)]
    sums = [(group[0][0], sum(count for _, count in group)) for group in groups]
    high = max(1, *(count for _, count in sums))
    wide = (WIDTH - 50) / len(sums)
    drawn = "".join(
        f'<rect x="{40 + k * wide:.1f}" y="{HEIGHT - 20 - count * (HEIGHT - 40) / high:.1f}"'
        f' width="{max(1.0, wide - 1):.1f}" height="{count * (HEIGHT - 40) / high:.1f}"'
        f' fill="#467"><title>{escape(name)}: {count}</title></rect>'
        for k, (name, count) in enumerate(sums)
    )
    each = max(1, len(sums) // 6)
    names = "".join(
        f'<text x="{40 + k * wide:.1f}" y="{HEIGHT - 4}">{escape(name)}</text>'
        for k, (name, _) in enumerate(sums)
        if k % each == 0
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<text x="2" y="19">{high}</text>{drawn}{names}</svg>'
        f"<p>{escape(label)}</p>"
    )


def _by_lateness(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, int]]:
    found = Counter(max(name for name in LATE if name[0] <= row[3])[1] for row in rows)
    return [(name, found[name]) for _, name in LATE]


def _balances(period: Period) -> str:
    header = ("account", "", "beginning", "debits", "credits", "ending")
    return table(
        header,
        [
            (CHART[account].english, account, *(format_amount(m, currency) for m in amounts))
            for currency, account, *amounts in balance_rows(period)
        ],
    )


def _loans(said: Mapping[str, Any]) -> str:
    before, after = said["loans_before"], said["loans_after"]
    names = sorted({*before["by_status"], *after["by_status"]})
    rows = [
        (name, before["by_status"].get(name, 0), after["by_status"].get(name, 0)) for name in names
    ]
    return table(("status", "beginning", "end"), rows)


def _population(said: Mapping[str, Any]) -> str:
    found = said["population"]
    return (
        f"<p>Tested: all {found['entries']} entries of {found['loans']} loans, recorded on"
        f" {found['first_on']} to {found['last_on']}, debits of {found['debits_minor']} minor"
        f" units. {said['sample_size']} entries to hold against vouchers are in sample.csv: those"
        f" whose SHA-256 with the seed {escape(said['seed'])} is least. {_seed(said['nonce'])}</p>"
    )


def _seed(nonce: str) -> str:
    if nonce:
        return f"It is the last checkpoint's root and the nonce of an auditor: {escape(nonce)}."
    return (
        "<b>Seed known to the keeper</b>: it is the last checkpoint's root alone, no auditor gave a"
        " nonce, and who writes the log can try roots until the sample misses an entry."
    )


def _tests(flags: Sequence[tuple[Any, ...]]) -> str:
    counts = Counter(flag[0] for flag in flags)
    rows = [(test.__name__, (test.__doc__ or "").strip(), counts[test.__name__]) for test in TESTS]
    return table(("test", "what it points at", "flags"), rows, words=True) + (
        table(("test", "loan", "event", "why"), flags, words=True) if flags else ""
    )
