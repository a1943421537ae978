"""The evidence about a loan as one page to look at: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any

from services.ledger.domain.delinquency import past_due_table
from services.ledger.domain.events import Fact, TransitionRecorded
from services.ledger.domain.explain import FIGURES, explain, figures
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.replay import begin
from services.ledger.domain.status import status_on
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.walk import Walk
from shared.kernel.money import format_amount

WIDTH, HEIGHT = 760, 120
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; color: #222;
  padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, .words th, .words td { text-align: left }
details, .leaf { margin-left: 1rem } summary { cursor: pointer } .late { color: #a30 }
svg text { font-size: 11px; fill: #555 }
"""


def page(account: LoanAccount, line: Timeline, events: Sequence[Fact]) -> str:
    """Return a whole HTML document; every text of the book is escaped."""
    days, currency = line.days_past_due, line.terms.currency
    title = f"Loan {account.loan_id}: {days} days past due on {line.on}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>Borrower {escape(account.borrower_ref)}, product {escape(account.product)},"
        f" status {status_on(account, line, line.on)}. Amounts in {currency}.</p>",
        "<h2>Days past due, day by day · 逾期天数</h2>",
        _plot(account, line.on),
        "<h2>What fell due and what was paid · 应还与已还</h2>",
        table(
            ("due on", "due", "paid", "carried on", "days past due"),
            [
                (
                    row.due_on,
                    *_amounts((row.due_minor, row.paid_minor, row.carried_minor), currency),
                    row.days_past_due or "",
                )
                for row in past_due_table(line)
            ],
        ),
        "<h2>What was recorded, on both clocks · 记录</h2>",
        table(
            ("event", "counts from", "learned", "amount", "reason"),
            [_fact(event, currency) for event in events if not _is_record(event)],
            words=True,
        ),
        "<h2>Each figure, down to terms, dates and events · 依据</h2>",
        *[_tree(name, explain(line, name)) for name in sorted(FIGURES) if figures(line)[name]],
    ]
    return document(title, parts)


def document(title: str, parts: Iterable[str]) -> str:
    """Return a whole HTML document of some parts, which are HTML already."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _is_record(event: Fact) -> bool:
    return isinstance(event, TransitionRecorded)


def _fact(event: Fact, currency: str) -> tuple[Any, ...]:
    amount = getattr(event, "amount_minor", None)
    money = format_amount(amount, currency) if amount is not None else ""
    learned = f"{event.recorded_at:%Y-%m-%d %H:%M}"
    return type(event).__name__, event.effective_on, learned, money, event.reason


def _amounts(minor: Iterable[int], currency: str) -> list[str]:
    return [format_amount(amount, currency) for amount in minor]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, words: bool = False) -> str:
    """Return a table; every text is escaped. With `words` all columns are set left."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    lines = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    kind = ' class="words"' if words else ""
    return f"<table{kind}><tr>{head}</tr>\n{body}</table>"


def _tree(label: str, node: dict[str, Any]) -> str:
    """Return a node and its parts, folded."""
    until = f" to {node['to']}" if node.get("to") else ""
    source = f" ({node['from']}{until})" if node.get("from") else ""
    said = f"{escape(label)} = {escape(node['value'])}{escape(str(source))}"
    parts = node.get("of", [])
    if not parts:
        return f'<div class="leaf">{said}</div>'
    inner = "\n".join(_tree(str(part["label"]), part) for part in parts)
    return f"<details><summary>{said}: {escape(node['op'])} of</summary>\n{inner}</details>"


def _plot(account: LoanAccount, on: date) -> str:
    """Draw the days past due of every day since the loan was paid out."""
    if account.disbursed_on is None:
        return ""
    span = (on - account.disbursed_on).days
    late = _late(account, account.disbursed_on, span)
    high = max(*late, 30)
    points = " ".join(
        f"{40 + k * (WIDTH - 50) / max(1, span):.1f},{HEIGHT - 20 - n * (HEIGHT - 35) / high:.1f}"
        for k, n in enumerate(late)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="days past due by day">'
        f'<line x1="40" x2="{WIDTH - 10}" y1="{HEIGHT - 20}" y2="{HEIGHT - 20}" stroke="#999"/>'
        f'<text x="2" y="{HEIGHT - 16}">0</text><text x="2" y="19">{high}</text>'
        f'<text x="40" y="{HEIGHT - 4}">{account.disbursed_on}</text>'
        f'<text x="{WIDTH - 75}" y="{HEIGHT - 4}">{on}</text>'
        f'<polyline points="{points}" fill="none" stroke="#a30" stroke-width="1.5"/></svg>'
    )


def _late(account: LoanAccount, first: date, span: int) -> list[int]:
    """Return the days past due on each day from the first, in one walk."""
    line = begin(account.terms, first, account.disbursed_minor)
    walk, days = Walk(line, account.counting, watched=True), range(span + 1)
    walk.count(first + timedelta(days=span))
    return walk.days_past_due(first + timedelta(days=k) for k in days)
