"""What is counted, of whom, and what it cost."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from services.collections.domain.case import Case, follow
from services.collections.domain.contact_rules import Channel, Outcome, Party
from services.collections.domain.costs import Cost, Spending
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.figures import Book, Span
from services.collections.domain.matter import Matter, Step, Taken
from tests.services.collections.counting import shares, tally
from tests.services.collections.people import POLICIES, attempt, shielded
from tests.services.collections.test_case import heard

YEAR = Span(date(2026, 1, 1), date(2026, 12, 31))
STRATEGY = POLICIES.strategy(date(2026, 2, 10))


def case(loan: str, borrower: str, arm: str, *paid: tuple[str, int]) -> Case:
    """A loan that is late from 6 February to 10 March, with what was paid."""
    found: Case | None = None
    rows = [(1, "GRACE_ENTERED", "2026-02-06", 1, "M1", 0)]
    rows += [(n, "REPAYMENT_POSTED", on, 4, "M1", minor) for n, (on, minor) in enumerate(paid, 2)]
    rows += [(90, "CURED", "2026-03-10", 0, "M0", 0)]
    for row in rows:
        one = msgspec.structs.replace(heard(*row), loan_id=loan, borrower_ref=borrower)
        found, _ = follow(found, one)
    assert found is not None
    return msgspec.structs.replace(found, arm=arm)


def made(channel: str, outcome: str, loan: str = "L-1", by: str = "ann") -> Attempt:
    borrower = f"B-{loan[2:]}"
    how = {"outcome": Outcome(outcome), "by": by, "loan_id": loan, "borrower_ref": borrower}
    return attempt("2026-02-10 15:00 in Asia/Shanghai", channel, **how)


CASES = [
    case("L-1", "B-1", "champion", ("2026-02-20", 90_000), ("2026-05-01", 7)),
    case("L-2", "B-2", "soft-words", ("2026-03-10", 10_000)),
]
ATTEMPTS = [
    made("CALL", "REACHED"),
    made("CALL", "NO_ANSWER"),
    made("EMAIL", "SENT"),
    made("CALL", "NOT_SENT"),
    made("SMS", "SENT", "L-2", "collections"),
]
DEBTORS = [
    Debtor(borrower_ref="B-1", jurisdiction="CN", protections=(shielded("COMPLAINT"),)),
    Debtor(borrower_ref="B-2", jurisdiction="CN"),
    Debtor(borrower_ref="B-9", jurisdiction="CN"),
]
BOOK = Book(CASES, ATTEMPTS, [], DEBTORS)


def test_shares_count_whom_they_say() -> None:
    """Right party: calls and visits that were made. Complaints: of debtors who have a case."""
    found = {(one.figure, one.arm): (one.part, one.whole) for one in shares(BOOK, YEAR)}

    assert found["right_party", ""] == (1, 2)
    assert found["complaint", ""] == (1, 2)
    assert found["complaint", "champion"] == (1, 1)
    assert len(found) == len(shares(BOOK, YEAR))
    assert [month.contacts for month in tally(BOOK, YEAR).months() if month.contacts] == [3]


def test_cost_to_collect() -> None:
    """Every attempt at its price and the court's fee, over what was paid while late."""
    fee = Taken(
        step=Step.FILING,
        on=date(2026, 3, 1),
        proposed_by="o-1",
        approved_by="o-2",
        cost_minor=1_000,
    )
    matter = Matter(loan_id="L-2", due_on=date(2026, 2, 5), steps=(fee,))
    prices = {Channel.CALL: 800, Channel.EMAIL: 1, Channel.SMS: 5}
    strategy = msgspec.structs.replace(STRATEGY, price_minor=prices)

    spending = Spending(YEAR, strategy)
    spending.add(BOOK._replace(matters=[matter]))
    found = spending.costs()

    assert found == [
        Cost("", "CNY", 1_606, 1_000, 100_000),
        Cost("champion", "CNY", 1_601, 0, 90_000),
        Cost("soft-words", "CNY", 5, 1_000, 10_000),
    ]
    assert [str(one.per_hundred) for one in found] == ["2.61", "1.78", "10.05"]
    assert Cost("", "CNY", 1, 0, 0).per_hundred is None


NOT_THEM = [("REACHED", "EMPLOYER", [(0, 1)]), ("IN_PROGRESS", "DEBTOR", [])]


@pytest.mark.parametrize(("outcome", "party", "counted"), NOT_THEM)
def test_only_the_debtor_is_the_right_party(
    outcome: str, party: str, counted: list[tuple[int, int]]
) -> None:
    """An employer who answers is not; a call that still goes on is not counted yet."""
    call = msgspec.structs.replace(made("CALL", outcome), party=Party(party))
    found = shares(Book(CASES, [call], [], []), Span(date(2026, 1, 1), date(2026, 12, 31)))

    whole = [(one.part, one.whole) for one in found if (one.figure, one.arm) == ("right_party", "")]
    assert whole == counted


def test_who_was_reached_for_did_not_cure_alone() -> None:
    """Cured in grace without a word is self-cure; after a reminder it is not."""

    def graced(loan: str) -> Case:
        found: Case | None = None
        for row in (
            (1, "GRACE_ENTERED", "2026-02-06", 1, "M1"),
            (2, "CURED", "2026-02-11", 0, "M0"),
        ):
            minor = row[3] > 0
            one = msgspec.structs.replace(heard(*row), loan_id=loan, minor=minor)
            found, _ = follow(found, one)
        assert found is not None
        return msgspec.structs.replace(found, arm="")

    book = Book([graced("L-1"), graced("L-2")], [made("EMAIL", "SENT", by="collections")], [], [])
    found = [one for one in shares(book, YEAR) if one.figure == "self_cure"]

    assert [(one.arm, one.part, one.whole) for one in found] == [("", 1, 2)]


def test_a_time_that_never_was_is_not_counted() -> None:
    """A backdated repayment shows that nothing was overdue: no failed cure, no roll."""
    found: Case | None = None
    for row in (
        (1, "BUCKET_CHANGED", "2026-02-06", 35, "M2"),
        (2, "TIMELINE_RESTATED", "2026-02-06", 35, "M2"),
        (3, "CURED", "2026-02-10", 0, "M0"),
    ):
        found, _ = follow(found, heard(*row))
    assert found is not None

    assert shares(Book([found], [], [], []), YEAR) == []
