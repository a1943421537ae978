"""The bank's statement and the ledger's cash: matched by reference, differences with a cause."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.application.reconciling import (
    COLUMNS,
    Move,
    Statement,
    StatementInvalid,
    read_statement,
    reconcile,
)
from services.ledger.compose_replay import replay_book
from tests.tamper.vault import new_vault

HEADER = ",".join(COLUMNS)
LEDGER = """
2026-01-05,-12000.00,CNY,out-1
2026-02-05,1120.00,CNY,in-1
2026-03-05,1110.00,CNY,in-2
2026-04-05,500.00,CNY,in-3
2026-05-01,7.00,CNY,after
"""
BANK = """
2026-01-05,-12000.00,CNY,out-1
2026-02-06,1120.00,CNY,in-1
2026-03-05,1100.00,CNY,in-2
2026-03-05,1100.00,CNY,in-2
2026-04-30,88.00,CNY,who
"""


def read(text: str, *covers: str) -> Statement:
    return read_statement([*covers, HEADER, *text.split()])


def test_each_difference_has_a_cause() -> None:
    """A day later, ten less, taken twice, not booked, not there; after the statement: left out."""
    found = reconcile(read(BANK, "covers,2026-01-01,2026-04-30"), read(LEDGER).moves)

    told = [(d.cause, d.reference, d.difference_minor) for d in found]
    assert told == [
        ("another date: 2026-02-06 at the bank, 2026-02-05 here", "in-1", 0),
        ("another amount", "in-2", -1_000),
        ("only in the ledger", "in-3", -50_000),
        ("twice at the bank", "in-2", 110_000),
        ("only at the bank", "who", 8_800),
    ]


def test_a_statement_without_its_first_or_last_lines_does_not_pass() -> None:
    """Nor an empty one: what it covers is stated, or is all time, and is not taken from it."""
    ledger = read(LEDGER).moves

    for kept in (ledger[1:], ledger[:-1], []):
        gone = {move.reference for move in ledger} - {move.reference for move in kept}
        for bank in (Statement(kept), Statement(kept, ledger[0].on, ledger[-1].on)):
            found = reconcile(bank, ledger)
            assert {d.reference for d in found if d.cause == "only in the ledger"} == gone


def test_a_statement_says_what_it_covers() -> None:
    """What is asked for lies in it, and so do its lines; days outside of it are left out."""
    quarter = "covers,2026-01-01,2026-03-31"
    lines = [quarter, HEADER, "2026-01-05,-12000.00,CNY,out-1"]

    assert reconcile(read_statement(lines, None, date(2026, 1, 31)), read(LEDGER).moves) == []
    for since, until in ((date(2025, 12, 31), None), (None, date(2026, 4, 1))):
        with pytest.raises(StatementInvalid, match="not what it covers"):
            read_statement(lines, since, until)
    with pytest.raises(StatementInvalid, match=r"line 3: .* outside"):
        read("2026-04-01,1.00,CNY,a", quarter)
    for torn in ("covers,2026-01-01", "covers,2026-01-01,soon"):
        with pytest.raises(StatementInvalid, match="line 1"):
            read("", torn)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("2026-13-01,1.00,CNY,a", "line 3"),
        ("2026-01-01,1.001,CNY,a", "line 3"),
        ("2026-01-01,NaN,CNY,a", "line 3"),
        ("2026-01-01,1.00,XXX,a", "line 3"),
        ("2026-01-01,1.00,CNY", "line 3"),
    ],
)
def test_a_statement_that_cannot_be_read_says_where(line: str, says: str) -> None:
    """A date, an amount, a currency, a column: the line is named."""
    with pytest.raises(StatementInvalid, match=says):
        read_statement([HEADER, "2026-01-01,1.00,CNY,a", line])
    with pytest.raises(StatementInvalid, match="line 1"):
        read_statement(["date,amount"])


MOVES = st.lists(
    st.builds(
        Move,
        on=st.dates(date(2026, 1, 1), date(2026, 1, 5)),
        amount_minor=st.integers(-300, 300),
        currency=st.just("CNY"),
        reference=st.sampled_from("abcd"),
    ),
    max_size=8,
)


@given(bank=MOVES, ledger=MOVES)
def test_the_causes_sum_to_the_difference(bank: list[Move], ledger: list[Move]) -> None:
    """Whatever was moved: the bank's total less the ledger's is the sum of the differences."""
    whole = Statement(bank)

    found = reconcile(whole, ledger)

    difference = sum(m.amount_minor for m in bank) - sum(m.amount_minor for m in ledger)
    assert sum(d.difference_minor for d in found) == difference


def test_the_whole_book_is_reconciled_with_progress(tmp_path: Path) -> None:
    """The bank's own record agrees; how far each step has come is told."""
    vault = new_vault(tmp_path / "vault")
    told: list[tuple[str, int, int]] = []

    verdicts = asyncio.run(
        replay_book(
            vault.settings,
            [vault.kept],
            Statement(vault.bank),
            say=lambda what, done, of: told.append((what, done, of)),
        )
    )

    assert [v.name for v in verdicts if v.different] == []
    assert {what for what, _, _ in told} >= {"comparing with the bank", "sealing the log again"}
    assert max(done for _, done, _ in told) == told[-1][2] == len(vault.rows())
