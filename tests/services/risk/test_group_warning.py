"""Early warning of regions and partners, from the books kept at month ends."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
from sqlalchemy import select

from services.risk import wire
from services.risk.adapters.artefacts import read_toml
from services.risk.application.exposures import Exposures
from services.risk.application.groups import Groups
from services.risk.application.portfolio import Portfolios
from services.risk.application.watch import Watch
from services.risk.compose import APPLICATION_ID
from services.risk.config import RiskSettings
from services.risk.domain.book import BookRow
from services.risk.domain.early_warning import Alert, AlertOutcome
from services.risk.domain.group_warning import (
    GroupRules,
    MonthCounted,
    counted,
    group_alerts,
    window,
)
from services.risk.domain.reservation import Heard, heard
from shared.kernel.dates import add_months, month_end
from shared.runtime.database import open_database
from shared.runtime.record_tables import OUTBOX
from shared.runtime.records import Records
from tests.services.risk.test_early_warning import RULES
from tests.services.risk.test_portfolio import RULES as LOSS_RULES
from tests.services.risk.test_portfolio import SHARING, row

GROUP_RULES = msgspec.convert(read_toml(RiskSettings().group_warning_file), GroupRules)
ENDS = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]
SIZE = 40
LATE = {"state": "M2", "days_past_due": 40}


def book(
    late: dict[str, int], paid_on: date = date(2025, 1, 5), field: str = "region"
) -> list[BookRow]:
    """Return forty loans in each of three groups, so many of them late."""
    return [
        row(
            f"L-{group}-{n:02}",
            disbursed_on=paid_on,
            **{field: group, **(LATE if n < late.get(group, 0) else {"state": "M0"})},
        )
        for group in ("GD", "SH", "")
        for n in range(SIZE)
    ]


def months(history: list[list[BookRow]], dates: list[date]) -> list[MonthCounted]:
    books = dict(zip(dates, history, strict=True))
    windows = [window(dates, on, GROUP_RULES) for on in dates]
    return [counted([(on, books[on]) for on in one], GROUP_RULES) for one in windows]


def raised(history: list[list[BookRow]], known_on: dict[date, date] | None = None) -> list[str]:
    dates = ENDS[: len(history)]
    found = group_alerts(months(history, dates), known_on or {}, GROUP_RULES, "CNY")
    return [f"{name} {one.outcome}".removesuffix(" UNSPECIFIED") for name, one in found.items()]


def test_a_region_that_falls_behind_warns_once() -> None:
    """Eight of forty against two of eighty in one month; those late before are not new."""
    history = [book({}), book({"SH": 8, "GD": 2}), book({"SH": 8, "GD": 2})]
    (alert,) = group_alerts(months(history, ENDS[:3]), {}, GROUP_RULES, "CNY").values()

    assert alert.alert_id == "2026-02-28.region SH.REGIONAL_SHOCK.CNY"
    assert (alert.group, alert.text_en) == (
        "region SH",
        "Many loans of this region fell behind: 8 / 40",
    )
    assert alert.evidence == tuple(f"L-SH-{n:02}" for n in range(8))


def test_a_region_may_have_a_long_name() -> None:
    """The alert says it in full; its id is one that can be kept."""
    name = "the prefecture of " * 10
    rows = [[msgspec.structs.replace(one, region=name) for one in book({})[:SIZE]], book({})]
    late = [msgspec.structs.replace(one, **LATE) for one in rows[0][:8]]
    history = [rows[0] + rows[1][SIZE:], late + rows[0][8:] + rows[1][SIZE:]]
    (alert,) = group_alerts(months(history, ENDS[:2]), {}, GROUP_RULES, "CNY").values()

    assert alert.group == f"region {name}"
    assert len(alert.alert_id) <= 140


def test_what_chance_explains_warns_nobody() -> None:
    """Four bad loans are few; eight everywhere are no region's; what has no region is none."""
    for late in ({"SH": 4}, {"SH": 8, "GD": 8, "": 8}, {"": 20}):
        assert raised([book({}), book(late)]) == []
    assert raised([book({})[:SIZE], book({"GD": 20})[:SIZE]]) == []


def test_a_partner_whose_young_loans_fail_warns_until_that_is_over() -> None:
    """Ever late within six months of payout; older loans do not count; above 1.3 times no more."""
    young = [book({"SH": 10}, date(2025, 12, 5), "partner_ref") for _ in ENDS]
    old = [book({"SH": 10}, date(2025, 6, 5), "partner_ref") for _ in ENDS]

    assert raised(young) == ["2026-01-31.partner SH.EARLY_DEFAULTS.CNY"]
    assert raised(old) == []


def test_a_book_kept_late_warns_nobody() -> None:
    """More than a month after its date it is kept as STALE, and does not hold a later one up."""
    history = [book({}), book({"SH": 8}), book({"SH": 18})]
    known_on = {ENDS[1]: date(2026, 4, 5), ENDS[2]: date(2026, 4, 5)}

    assert raised(history, known_on) == [
        "2026-02-28.region SH.REGIONAL_SHOCK.CNY STALE",
        "2026-03-31.region SH.REGIONAL_SHOCK.CNY",
    ]


class Kept:
    """A ledger whose book was one, and is put right later."""

    def __init__(self) -> None:
        self.late = {"SH": 8}

    async def on(self, as_of: date, currency: str) -> list[BookRow]:
        late = self.late if as_of > ENDS[0] else {}
        return [msgspec.structs.replace(one, region="") for one in book(late)]

    async def known(self) -> tuple[date, str]:
        return date(2026, 3, 1), "2026-03-01T08:00:00+00:00"


def told(loan: BookRow) -> Heard:
    """Return that origination paid a loan out; its region is that of the decision."""
    return Heard(
        application_id=f"A-{loan.loan_id}",
        loan_id=loan.loan_id,
        status="DISBURSED",
        steps=3,
        borrower_ref=loan.borrower_ref,
        product="p",
        currency="CNY",
        amount_minor=1,
    )


async def test_a_region_warns_from_the_books_kept(tmp_path: Path) -> None:
    """Kept again it is the same alert, told once; put right, it is withdrawn, and told so."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/risk.db"))
    await records.create(APPLICATION_ID)
    exposures = Exposures(records)
    await exposures.create(APPLICATION_ID)
    portfolios = Portfolios(exposures, LOSS_RULES, SHARING)
    watch = Watch(records, RULES, exposures, wire.alert_told)
    groups, ledger = Groups(portfolios, watch, GROUP_RULES), Kept()
    async with exposures.work() as work:
        for loan in book({}):
            one = heard(None, told(loan), None)
            assert one
            values = {**one.values, "region": loan.region or "-"}
            await exposures.put(work, [msgspec.structs.replace(one, values=values)])
    stood = []
    for late in ({"SH": 8}, {"SH": 8}, {"SH": 1}):
        ledger.late = late
        for on in ENDS[:2]:
            await portfolios.keep(ledger, on, "CNY")
        stood.append([one.alert_id for one in await groups.settle("CNY")])
    async with records.work() as work:
        (alert,) = [one async for one in work.every(Alert)]
        query = select(OUTBOX.c.message_id, OUTBOX.c.subject).order_by(OUTBOX.c.number)
        owed = [tuple(one) for one in await work.connection.execute(query)]
    rows = (await portfolios.history(ENDS[0], "CNY"))[1][0]
    await records.engine.dispose()

    name = "2026-02-28.region SH.REGIONAL_SHOCK.CNY"
    assert stood == [[name], [name], []]
    assert {one.region for one in rows} == {"GD", "SH", ""}
    assert (alert.alert_id, alert.outcome) == (name, AlertOutcome.WITHDRAWN)
    assert owed == [
        (f"risk/{name}", "lending.v1.risk.alert_raised.group"),
        (f"risk/{name}/1/withdrawn", "lending.v1.risk.alert_withdrawn.group"),
    ]


class Read(Portfolios):
    """Books kept, and which of them were read."""

    dates_read: list[date]

    async def book(self, on: date, currency: str) -> list[BookRow]:
        self.dates_read.append(on)
        return await super().book(on, currency)


async def test_only_what_changed_is_counted_again(tmp_path: Path) -> None:
    """Of nine month ends the last is put right: its own window is read, and nothing once more."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/risk.db"))
    await records.create(APPLICATION_ID)
    exposures = Exposures(records)
    await exposures.create(APPLICATION_ID)
    portfolios, ledger = Read(exposures, LOSS_RULES, SHARING), Kept()
    groups = Groups(portfolios, Watch(records, RULES, exposures, wire.alert_told), GROUP_RULES)
    ends = [month_end(add_months(ENDS[0], k)) for k in range(9)]
    read = []
    for late, again in (({}, ends), ({}, ends), ({"SH": 8}, ends[8:])):
        ledger.late, portfolios.dates_read = late, []
        for on in again:
            await portfolios.keep(ledger, on, "CNY")
        await groups.settle("CNY")
        read.append(portfolios.dates_read)
    await records.engine.dispose()

    assert read == [ends, [], ends[2:]]
