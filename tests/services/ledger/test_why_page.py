"""The page that says why a loan is 37 days past due is, in the READMEs, what the ledger prints."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, date, datetime, time
from pathlib import Path

from lending.ledger.v1.loan_pb2 import COMPONENT_PENALTY

from services.ledger.application.reading import Seen, facts_of, line_seen
from services.ledger.domain import commands as cmd
from services.ledger.domain.loan_account import fold
from services.ledger.wire_audit import lateness_message
from shared.audit.evaluate import evaluate
from tests.services.ledger.book import Book, open_book

ROOT = Path(__file__).parents[3]
ON = date(2026, 4, 11)
READMES = ("README.md", "services/ledger/README.md")


async def told(folder: Path):
    """
    Live a loan of 12,000.00 in twelve parts, 1,120.00 on 5 February, 1,110.00 on 5 March.

    A debit of 5 March comes back three days later, 600.00 come on the 10th, 400.00 of 5 April are
    learned on the 7th.
    """
    async with open_book(folder) as book:
        book.now = lambda: datetime.combine(book.writer.business_on or ON, time(9), UTC)
        await book.go_to(date(2026, 1, 5))
        await book.lend("L-1")
        for day, amount in ((date(2026, 2, 5), 112_000), (date(2026, 3, 5), 111_000)):
            await book.go_to(day)
            await book.repay("L-1", amount)
        await book.go_to(date(2026, 3, 8))
        await _returned(book)
        await book.go_to(date(2026, 3, 10))
        await book.repay("L-1", 60_000)
        await book.go_to(date(2026, 4, 7))
        late = {"value_on": date(2026, 4, 5), "amount_minor": 40_000, "currency": "CNY"}
        await book.ask(cmd.PostRepayment, "L-1", **late)
        await book.go_to(ON)
        facts = facts_of(book.writer.log, "L-1")
        return lateness_message("L-1", line_seen(Seen(fold(facts), ON)), facts)


async def _returned(book: Book) -> None:
    paid = [e for e in book.writer.log.stream("loan/L-1") if hasattr(e, "repayment_id")]
    back = {"repayment_id": paid[-1].repayment_id, "reason": "debit returned"}
    await book.ask(cmd.ReverseRepayment, "L-1", **back)


def test_the_page_in_the_readmes_is_what_is_printed(tmp_path: Path) -> None:
    """Letter by letter, wherever a README shows it; the ledger's does."""
    page = asyncio.run(told(tmp_path)).page.rstrip("\n")
    shown = {
        name: re.findall(r"```\n(Why loan .*?)\n```", (ROOT / name).read_text("utf-8"), re.DOTALL)
        for name in READMES
    }

    assert page.startswith("Why loan L-1 is 37 days past due on 2026-04-11\n")
    assert max(map(len, page.splitlines())) <= 100
    assert shown["services/ledger/README.md"] == [page]
    assert all(one == page for pages in shown.values() for one in pages)


def test_the_tree_says_what_the_page_says(tmp_path: Path) -> None:
    """26 days of March and 11 of April; 119.16 of March are owed, and all of April."""
    found = asyncio.run(told(tmp_path))

    assert [(one.month, one.days) for one in found.months] == [("2026-03", 26), ("2026-04", 11)]
    assert [(row.due_on, row.due_minor - row.paid_minor) for row in found.past_due][1:] == [
        ("2026-03-05", 111_000 - 60_000 - 40_000 + _penalty(found)),
        ("2026-04-05", 110_000),
    ]
    assert found.delinquency.days_past_due == sum(one.days for one in found.months) == 37
    placed = [sum(slot.amount_minor for slot in one.allocations) for one in found.money]
    assert placed == [112_000, 60_000, 40_000]
    told_last = [(fact.event, fact.effective_on, fact.recorded_at[:10]) for fact in found.facts][
        -2:
    ]
    assert told_last == [
        ("RepaymentPosted", "2026-04-05", "2026-04-07"),
        ("TimelineRestated", "2026-04-05", "2026-04-07"),
    ]
    late, arrears = (evaluate(_node(one)) for one in found.explanations)
    assert (late, arrears) == (37, found.past_due[-1].carried_minor)


def _penalty(found) -> int:
    """Return what of the money went to penalty interest instead of the instalment."""
    slots = [slot for one in found.money for slot in one.allocations]
    return sum(slot.amount_minor for slot in slots if slot.component == COMPONENT_PENALTY)


def _node(message) -> dict[str, object]:
    """Return a tree as `shared.audit.evaluate` reads it."""
    names = ("op", "label", "value", "from", "to", "mode")
    return {**{n: getattr(message, n) for n in names}, "of": [_node(part) for part in message.of]}
