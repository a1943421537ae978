"""How loans turned out: the same window for good and bad, each under its own decision."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from services.risk.adapters.report_page import page
from services.risk.application.book import Decided, gathered
from services.risk.application.deciding import Deciding
from services.risk.application.exposures import Exposures
from services.risk.application.monitoring import CardWatched, Monitoring
from services.risk.application.portfolio import Portfolios
from services.risk.config import APPLICATION_ID
from services.risk.domain.application import Application
from services.risk.domain.book import BookRow
from services.risk.domain.outcomes import outcomes
from services.risk.domain.reservation import Heard
from services.risk.domain.reservation import heard as told
from services.risk.entrypoints.monitoring_desk import card_parts, without_drift
from services.risk.entrypoints.portfolio_desk import month_ends
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.test_decision import GOOD, MODELS, POLICIES, SOUND
from tests.services.risk.test_monitoring import RULES
from tests.services.risk.test_portfolio import RULES as LOSSES
from tests.services.risk.test_portfolio import SHARING, row

PAID = date(2026, 1, 5)
ENDS = list(month_ends(date(2026, 1, 31), date(2027, 2, 28)))


def seen(*states: str, paid: date = PAID, loan: str = "L-1") -> list[list[BookRow]]:
    """Return a loan's books at the month ends from its pay-out on, the last state staying."""
    held = [*states, *[states[-1]] * (len(ENDS) - len(states))]
    return [[row(loan, state=state, disbursed_on=paid)] for state in held]


def test_a_bad_loan_is_known_no_sooner_than_a_good_one() -> None:
    """In the fourth month already written off, a loan has an outcome after twelve, as all have."""
    bad, good = seen("M0", "M1", "M2", "CHARGED_OFF"), seen("M0")

    for history in (bad, good):
        assert outcomes(history[:12], ENDS[:12], 12) == {}
    assert outcomes(bad[:13], ENDS[:13], 12)["L-1"].bad
    assert not outcomes(good[:13], ENDS[:13], 12)["L-1"].bad
    assert not outcomes(seen("M0", "SETTLED"), ENDS, 12)["L-1"].bad


def test_what_comes_after_the_window_is_not_in_it() -> None:
    """Bad in the thirteenth month is good in twelve; bad within, and cured since, is bad."""
    late = seen(*["M0"] * 13, "M4")
    cured = seen("M0", "M4", "M0")

    assert not outcomes(late, ENDS, 12)["L-1"].bad
    assert outcomes(cured, ENDS, 12)["L-1"].bad


def test_what_nobody_watched_to_the_end_has_no_outcome() -> None:
    """A book of another day than a month's last, a last month not kept, a loan that was sold."""
    history = seen("M0", "M4")
    sold = [[msgspec.structs.replace(one[0], creditor_ref="fund-1")] for one in seen("M0")]
    sold_bad = [*seen("M0", "M4")[:3], *sold[3:]]

    assert outcomes(history[:12] + history[13:], ENDS[:12] + ENDS[13:], 12) == {}
    assert outcomes(history[:13], [*ENDS[:12], date(2027, 1, 30)], 12) == {}
    assert outcomes(sold, ENDS, 12) == {}
    assert outcomes(sold_bad, ENDS, 12)["L-1"].bad


class Books:
    """What the ledger would say: forty loans of January, every fourth of them goes bad."""

    async def on(self, as_of: date, currency: str) -> list[BookRow]:
        bad = "M4" if as_of >= date(2026, 6, 30) else "M0"
        return [
            row(
                f"L-{n}",
                borrower_ref=f"B-{n % 7}",
                state=bad if n % 4 == 0 else "M0",
                disbursed_on=PAID,
            )
            for n in range(40)
        ]

    async def known(self) -> tuple[date, str]:
        return ENDS[-1], "2027-02-01T08:00:00+00:00"


def application(number: int, on: date, months: int) -> Application:
    attributes = {**GOOD, "duration_in_month": str(months), "credit_amount": "2000"}
    return msgspec.structs.replace(
        SOUND,
        application_id=f"A-{number}",
        borrower_ref=f"B-{number % 7}",
        decided_on=on,
        bureau=None,
        income=None,
        attributes=attributes,
    )


async def filled(folder: Path) -> Monitoring:
    """Return forty applications of seven borrowers, each decided twice, and their loans' year."""
    book = Exposures(Records(open_database(f"sqlite+aiosqlite:///{folder}/risk.db")))
    await book.records.create(APPLICATION_ID)
    await book.create(APPLICATION_ID)
    deciding = Deciding(book, POLICIES, MODELS)
    for number in range(40):
        first = application(number, date(2026, 1, 2), 6)
        second = application(number, date(2026, 1, 4), 60 if number % 4 == 0 else 6)
        after_pay_out = application(number, date(2026, 2, 1), 6)
        for turn, given in enumerate((second, first, after_pay_out)):
            async with book.work() as work:
                made: Decided = deciding.decide(gathered(given, book), f"d-{number}-{turn}")
                await deciding.keep(work, [made])
                heard = Heard(
                    application_id=given.application_id,
                    loan_id=f"L-{number}",
                    status="DISBURSED",
                    steps=turn + 1,
                    borrower_ref=given.borrower_ref,
                    product=given.product,
                    currency="CNY",
                    amount_minor=given.amount_minor,
                )
                before = await book.get(work, given.application_id)
                await book.put(work, [one for one in [told(before, heard, given)] if one])
    portfolios = Portfolios(book, LOSSES, SHARING)
    for on in ENDS:
        await portfolios.keep(Books(), on, "CNY")
    return Monitoring(deciding, portfolios, RULES)


def figures(card: CardWatched) -> dict[str, tuple[float, str]]:
    return {one.name: (one.figure, one.note) for one in card.figures}


async def test_each_loan_counts_once_under_the_decision_it_was_paid_out_on(tmp_path: Path) -> None:
    """Of three decisions the latest before the pay-out counts, joined by application and loan."""
    monitoring = await filled(tmp_path)
    (card,) = await monitoring.figures(date(2026, 1, 1), ENDS[-1], "CNY")
    early = await monitoring.figures(date(2026, 1, 1), date(2026, 12, 31), "CNY")
    found = figures(card)

    # Only the decision of the 4th asks for five years where the loan goes bad: it ranks perfectly.
    assert found["auc"] == (1.0, "n 40, 10 bad: too few to judge")
    assert found["psi duration_in_month"][1].startswith("n 40,")
    assert "auc" not in figures(early[0])
    assert [(one.name, bool(one.drift), bool(one.performance)) for one in card.periods] == [
        ("2026 Q1", True, True)
    ]
    assert sum(group.loans for group in card.calibration) == 40
    text = page("Model monitoring", ["one note"], list(card_parts(card, RULES)))
    await monitoring.deciding.records.engine.dispose()
    assert without_drift([card]) == []
    unseen = msgspec.structs.replace(card, figures=tuple(f for f in card.figures if f.name == "ks"))
    assert without_drift([unseen])[0].startswith(f"{card.version} does not say who")
    assert text.count("<svg") == 5 and "psi duration_in_month" in text and "GREEN" in text
