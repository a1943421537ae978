"""The whole book: the same figures as loan by loan, kept on its dates, and told by the ledger."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending.ledger.v1 import loan_pb2

from services.risk import wire_portfolio
from services.risk.adapters.artefacts import read_loss_rules, read_sharing_rules
from services.risk.adapters.ledger_book import book_row
from services.risk.application.exposures import Exposures
from services.risk.application.portfolio import BookNotKept, Portfolios
from services.risk.config import APPLICATION_ID, RiskSettings
from services.risk.domain.book import BookRow, moves, remaining_months
from services.risk.domain.book_losses import allowances, arrays_of, hazards_of, stages_of
from services.risk.domain.exposure import EVERYTHING
from services.risk.domain.portfolio import portfolio
from services.risk.domain.reservation import heard
from services.risk.domain.roll_rates import Move, roll_matrix
from services.risk.domain.staging import Stage, allowance
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.test_reservations import TOLD

SHARING = read_sharing_rules(RiskSettings().sharing_file)
RULES = read_loss_rules(RiskSettings().loss_file)
MATRIX = roll_matrix(
    [
        *[Move("M0", "M0", 100)] * 95,
        *[Move("M0", "M1", 100)] * 5,
        *[Move("M1", "M0", 100)] * 4,
        *[Move("M1", "M2", 100)] * 6,
        *[Move("M2", "M3", 100)] * 7,
        *[Move("M2", "M0", 100)] * 3,
        *[Move("M3", "M4", 100)] * 9,
        *[Move("M3", "M0", 100)] * 1,
    ]
)
HAZARDS = hazards_of(MATRIX, RULES, 60)


def row(loan_id: str = "L-1", **different: object) -> BookRow:
    """Return a loan of 1,200.00 with twelve months to go, but for what is different."""
    given = {
        "loan_id": loan_id,
        "borrower_ref": f"B-{loan_id}",
        "product": "consumer-2026",
        "currency": "CNY",
        "state": "M0",
        "tier": "NORMAL",
        "days_past_due": 0,
        "balance_minor": 120_000,
        "disbursed_on": date(2026, 1, 5),
        "rate_annual": Decimal("0.12"),
        "remaining_minor": tuple(range(120_000, 0, -10_000)),
    }
    return BookRow(**{**given, **different})


_DAYS = {"M0": 0, "M1": 20, "M2": 45, "M3": 75, "M4": 100, "M7": 400}


@st.composite
def _rows(draw: st.DrawFn) -> BookRow:
    state = draw(st.sampled_from(sorted(_DAYS)))
    balance, months = draw(st.integers(1, 10**10)), draw(st.integers(1, 60))
    return row(
        state=state,
        days_past_due=_DAYS[state],
        balance_minor=balance,
        rate_annual=draw(st.decimals(0, "0.36", places=4)),
        remaining_minor=tuple(balance * k // months for k in range(months, 0, -1)),
    )


@given(st.lists(_rows(), min_size=1, max_size=8))
@settings(max_examples=30)
def test_the_book_at_once_is_the_book_loan_by_loan(rows: list[BookRow]) -> None:
    """Over arrays each allowance is within one minor unit of the exact one, for every stage."""
    stages = stages_of(rows, RULES, HAZARDS, frozenset(), MARCH)
    found = allowances(arrays_of(rows, stages, HAZARDS), RULES, HAZARDS)

    for one, stage, loss in zip(rows, stages, found.tolist(), strict=True):
        hazards = HAZARDS.by_state[HAZARDS.states.index(one.state)]
        exact = allowance(
            RULES,
            stage,
            exposures=[Decimal(left) for left in one.exposures_minor],
            pds=[Decimal(h) for h in hazards[: len(one.exposures_minor)]],
            eir_month=one.rate_annual / 12,
        )
        assert abs(loss - exact) <= 1
        assert 0 <= loss <= one.balance_minor


def test_stages_of_a_book() -> None:
    """Current 1, four weeks late with doubled risk 2, a hundred days late 3, watched 2."""
    book = [
        row("L-1"),
        row("L-2", state="M1", days_past_due=20),
        row("L-3", state="M4", days_past_due=100),
        row("L-4"),
    ]

    assert stages_of(book, RULES, HAZARDS, frozenset({"B-L-4"}), MARCH) == [
        Stage.PERFORMING,
        Stage.RISK_ROSE,
        Stage.IMPAIRED,
        Stage.RISK_ROSE,
    ]


JANUARY, FEBRUARY, MARCH = date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)
HISTORY = [
    [row("L-1"), row("L-2"), row("L-3")],
    [row("L-1"), row("L-2", state="M1", days_past_due=24), row("L-3", state="SETTLED")],
    [
        row("L-1", balance_minor=100_000, product="consumer-2026-daily"),
        row("L-2", state="M4", tier="SUBSTANDARD", days_past_due=95),
        row("L-3", state="SETTLED"),
        row("L-4", disbursed_on=date(2026, 3, 2)),
    ],
]


def test_figures_of_a_small_book() -> None:
    """Sums add up over every cut; what is settled is no asset; the stress orders its scenarios."""
    found = portfolio(HISTORY, [JANUARY, FEBRUARY, MARCH], RULES)

    assert (found.loans, found.balance_minor) == (3, 340_000)
    for cut in (found.by_stage, found.by_state, found.by_product, found.largest_borrowers):
        assert sum(part.loans for part in cut) == found.loans
        assert sum(part.balance_minor for part in cut) == found.balance_minor
        assert sum(part.allowance_minor for part in cut) == found.allowance_minor
    assert found.product_hhi == round(10_000 * (100**2 + 240**2) / 340**2)
    assert found.provision_minor == 1_000 + 30_000 + 1_200
    losses = dict(found.scenarios)
    assert losses["upturn"] < losses["base"] < losses["downturn"]
    weighed = sum(one.weight * losses[one.name] for one in RULES.scenarios)
    assert abs(found.allowance_minor - weighed) <= 3
    assert [(v.month, v.loans, v.ever_bad[:3]) for v in found.vintages] == [
        ("2026-01", 3, (0, 0, None)),
        ("2026-03", 1, (None, None, None)),
    ]


def test_a_loan_that_is_new_or_gone_is_no_move() -> None:
    """Only loans of both dates that were on the books move."""
    assert moves(HISTORY[1], HISTORY[2]) == [Move("M0", "M0", 120_000), Move("M1", "M4", 120_000)]


def test_what_is_left_month_by_month() -> None:
    """What is overdue is owed until it would be in default; the rest falls month by month."""
    dues = [(date(2026, 2, 5), 10), (date(2026, 4, 5), 30), (date(2026, 5, 5), 60)]

    assert remaining_months(dues, MARCH) == (100, 100, 70, 10)
    assert remaining_months([], MARCH) == ()


class FakeBook:
    """A book by hand."""

    async def on(self, as_of: date, currency: str) -> list[BookRow]:
        return HISTORY[[JANUARY, FEBRUARY, MARCH].index(as_of)]

    async def known(self) -> tuple[date, str]:
        return MARCH, "2026-04-01T08:00:00+00:00"


async def test_a_kept_book_answers_the_same_again(tmp_path: Path) -> None:
    """Figures come from what was kept: the same on every asking, none for other dates."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/risk.db"))
    await records.create(APPLICATION_ID)
    exposures = Exposures(records)
    await exposures.create(APPLICATION_ID)
    portfolios = Portfolios(exposures, RULES, SHARING)
    owes = next(row for row in HISTORY[2] if row.on_books)
    told = msgspec.structs.replace(TOLD, loan_id=owes.loan_id, amount_minor=10**9)
    async with exposures.work() as work:
        await exposures.put(work, [one for one in [heard(None, told, None)] if one])
    for on in (JANUARY, FEBRUARY, MARCH):
        await portfolios.keep(FakeBook(), on, "CNY")
    found = await portfolios.figures(MARCH, "CNY")

    assert found == portfolio(HISTORY, [JANUARY, FEBRUARY, MARCH], RULES)
    assert await portfolios.figures(MARCH, "CNY") == found
    assert (await portfolios.figures(FEBRUARY, "CNY")).months_of_matrix == 1
    with pytest.raises(BookNotKept):
        await portfolios.figures(date(2026, 3, 30), "CNY")
    async with exposures.work():
        counted = exposures.sum_of("CNY", EVERYTHING, EVERYTHING)
    await records.engine.dispose()
    assert counted == owes.balance_minor
    said = wire_portfolio.message(found)
    assert (said.loans, said.allowance_minor) == (3, found.allowance_minor)
    assert said.roll_rates[0].by_count == {"M0": "0.5000", "M1": "0.2500", "SETTLED": "0.2500"}
    assert list(said.vintages[0].ever_bad) == ["0.0000", "0.0000"]


def test_a_loan_of_the_ledger_as_a_row() -> None:
    """Bucket, tier and how it ended are the ledger's."""
    loan = loan_pb2.Loan(
        loan_id="L-1",
        borrower_ref="B-1",
        product="p",
        terms=loan_pb2.Terms(currency="CNY", rate_annual="0.12"),
        disbursed_on="2026-01-05",
        principal_outstanding_minor=90,
        instalments=[
            loan_pb2.Instalment(
                due_on="2026-02-05", principal_due_minor=50, principal_paid_minor=10
            ),
            loan_pb2.Instalment(due_on="2026-04-05", principal_due_minor=50),
        ],
        delinquency=loan_pb2.Delinquency(
            days_past_due=54, buckets={"m": "M2", "five_tier": "SPECIAL_MENTION"}
        ),
    )
    found = book_row(loan, MARCH)

    assert (found.state, found.tier, found.days_past_due) == ("M2", "SPECIAL_MENTION", 54)
    assert found.remaining_minor == (90, 90, 40, 40)
    loan.status = loan_pb2.LOAN_STATUS_CHARGED_OFF
    assert book_row(loan, MARCH).state == "CHARGED_OFF"
