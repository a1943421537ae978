"""What early warning concludes does not hang on when loans were heard, also of one borrower."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from lending.ledger.v1.events_pb2 import DelinquencyEvent
from sqlalchemy import select

from services.risk import wire
from services.risk.adapters.artefacts import read_toml
from services.risk.application.exposures import Exposures
from services.risk.application.watch import Watch
from services.risk.compose import APPLICATION_ID
from services.risk.config import RiskSettings
from services.risk.domain.early_warning import Alert, AlertOutcome, alerts_of, changed, settled
from services.risk.domain.indicators import Heard, Sign, WarningRules
from services.risk.domain.signs import Behaviour, observe, restated
from shared.runtime.database import open_database
from shared.runtime.reading import Message
from shared.runtime.record_tables import OUTBOX
from shared.runtime.records import Records
from shared.subscriber.event import Event, Restatement

RULES = msgspec.convert(read_toml(RiskSettings().warning_file), WarningRules)
MESSAGE = Message("", b"", {}, 1, datetime(2026, 3, 9, tzinfo=UTC))
TYPES = (
    *("GRACE_ENTERED", "GRACE_EXPIRED", "PARTIALLY_CURED", "REPAYMENT_POSTED"),
    *("INSTALMENT_DUE", "DELINQUENCY_STARTED", "CURED"),
)


def expired(loan_id: str, borrower_ref: str, on: date, sequence: int = 1) -> Heard:
    return Heard(
        loan_id=loan_id,
        borrower_ref=borrower_ref,
        sequence=sequence,
        type="GRACE_EXPIRED",
        effective_on=on,
    )


async def heard_by(folder: Path, told: Sequence[Heard]) -> list[tuple[str, ...]]:
    """Let an early warning hear events; return its alerts: name, how they ended, when known."""
    folder.mkdir()
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/risk.db"))
    await records.create(APPLICATION_ID)
    book = Exposures(records)
    await book.create(APPLICATION_ID)
    rules = msgspec.convert(read_toml(RiskSettings().warning_file), WarningRules)
    watch = Watch(records, rules, book, wire.alert_told)
    for one in told:
        async with book.work() as work:
            await watch.hear(one, work)
    async with records.work() as work:
        found = [alert async for alert in work.every(Alert)]
    await records.engine.dispose()
    return [(one.alert_id, str(one.outcome), str(one.learned_on)) for one in found]


async def test_loans_in_any_order(tmp_path: Path) -> None:
    """Months between the loans of two borrowers: each warns on its day, in every order."""
    told = [
        expired("L-1", "B-1", date(2026, 1, 9)),
        expired("L-2", "B-1", date(2026, 4, 9)),
        expired("L-3", "B-2", date(2026, 7, 9)),
    ]
    wanted = [
        (f"{one.effective_on}.{one.loan_id}.GRACE_EXPIRED", "UNSPECIFIED", f"{one.effective_on}")
        for one in told
    ]
    for number, order in enumerate(permutations(told)):
        assert await heard_by(tmp_path / str(number), order) == wanted, order


async def test_the_past_of_a_loan_is_known_late(tmp_path: Path) -> None:
    """What a loan's own stream tells behind its later events was known no earlier than they."""
    told = [
        expired("L-1", "B-1", date(2026, 4, 9)),
        expired("L-1", "B-1", date(2026, 1, 9), sequence=2),
    ]
    assert await heard_by(tmp_path / "risk", told) == [
        ("2026-01-09.L-1.GRACE_EXPIRED", "STALE", "2026-04-09"),
        ("2026-04-09.L-1.GRACE_EXPIRED", "UNSPECIFIED", "2026-04-09"),
    ]


Stream = tuple[str, list[Heard | frozenset[int]]]
"""Who tells it, and what: facts, and which log versions no longer hold."""
DAY = date(2026, 3, 1)
GAPS = [0, 1, 3, 20, 28, 31, 59, 60, 91]


@st.composite
def streams(draw: st.DrawFn) -> list[Stream]:
    """Draw all that is told of one borrower, some facts backdated, reversed or restated."""
    loans = [f"L-{number}" for number in range(1, draw(st.integers(2, 4)) + 1)]
    found = [draw(_stream(name, TYPES, name)) for name in loans]
    found.append(draw(_stream("L-9", ["GUARANTOR_DEFAULT"], "L-1")))
    for number in range(draw(st.integers(0, 6))):
        found.append(("", [draw(_named(number))]))
    return found


@st.composite
def _stream(draw: st.DrawFn, teller: str, types: Sequence[str], loan_id: str) -> Stream:
    day, told = DAY, list[Heard | frozenset[int]]()
    own = teller == loan_id
    for sequence in range(1, draw(st.integers(1, 9 if own else 3)) + 1):
        day += timedelta(days=draw(st.sampled_from(GAPS)))
        type_ = draw(st.sampled_from([*types, *(["REPAYMENT_REVERSED"] if own else []), ""]))
        if not type_:
            told.append(frozenset(draw(st.sets(st.integers(1, sequence), max_size=3))))
            continue
        told.append(
            Heard(
                loan_id=loan_id,
                borrower_ref="B-1",
                sequence=sequence,
                type=type_,
                effective_on=day - timedelta(days=draw(st.sampled_from([0, 0, 0, 7, 40]))),
                amount_minor=draw(st.sampled_from([900, 700, 500, 400])),
                log_version=sequence,
                reason=draw(st.sampled_from(["returned debit", "posted twice"])),
                name="" if own else f"guarantor/{teller}/{sequence}",
            )
        )
    return teller, told


@st.composite
def _named(draw: st.DrawFn, number: int) -> Heard:
    """Draw a report, an income or an application; some are told twice, known at other times."""
    type_ = draw(st.sampled_from(["BUREAU_REPORT", "INCOME", "APPLIED"]))
    on = DAY + timedelta(days=draw(st.sampled_from([0, 10, 45, 90, 200, 380])))
    name = f"{type_}/{draw(st.integers(0, 4))}"
    return Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=0,
        type=type_,
        effective_on=DAY + timedelta(days=10 * int(name[-1])),
        known_on=on,
        name=name,
        currency="CNY",
        amount_minor=100_000 // (1 + int(name[-1])),
        count=int(name[-1]) + 2,
        count_7d=int(name[-1]),
        count_90d=2 * int(name[-1]),
        monthly_minor=50_000 * int(name[-1]) if type_ == "BUREAU_REPORT" else None,
        lenders=int(name[-1]) if type_ == "BUREAU_REPORT" else None,
    )


def interleaved(
    streams: Sequence[Stream], turns: Sequence[int], again: bool
) -> list[tuple[str, Heard | frozenset[int]]]:
    """Merge streams, each in its order, `turns` saying whose next; some are heard again."""
    places, found = [0] * len(streams), []
    rest = [n for n, (_, told) in enumerate(streams) for _ in told]
    for turn in [*turns, *rest]:
        which = turn % len(streams)
        teller, told = streams[which]
        if places[which] < len(told):
            found.append((teller, told[places[which]]))
            places[which] += 1
        if again and turn % 5 == 0:
            found += [(teller, told[at]) for at in range(places[which])]
    return found


def live(told: Sequence[tuple[str, Heard | frozenset[int]]]) -> tuple[Behaviour, dict[str, Alert]]:
    """Hear all, alerts stored and withdrawn as they come; return what stands in the end."""
    borrower, stored = Behaviour(borrower_ref="B-1"), dict[str, Alert]()
    for loan_id, one in told:
        before = borrower
        borrower = (
            observe(before, one, RULES)
            if isinstance(one, Heard)
            else restated(before, loan_id, one)
        )
        for name, now in changed(before, borrower, RULES).items():
            after = settled(stored.get(name), now, date(2026, 1, 1))
            if after is not None:
                stored[name] = after
    standing = {n: a for n, a in stored.items() if a.outcome is not AlertOutcome.WITHDRAWN}
    return borrower, standing


@given(streams(), st.lists(st.integers(0, 19), max_size=40), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_borrowers_loans_in_any_order(told: list[Stream], turns: list[int], again: bool) -> None:
    """However the loans of one borrower are interleaved, and heard again: the same alerts stand."""
    wanted = live(interleaved(told, [], again=False))

    assert live(interleaved(told, turns, again)) == wanted
    assert wanted[1] == alerts_of(wanted[0], RULES)


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(TYPES)), max_size=80))
@settings(max_examples=100, deadline=None)
def test_what_is_summed_up_warns_the_same(steps: list[tuple[int, str]]) -> None:
    """Signs of years ago are dropped, and what comes after warns as if they were all kept."""
    day, borrower, told = date(2020, 1, 1), Behaviour(borrower_ref="B-1"), dict[str, Alert]()
    signs = []
    for number, (days, type_) in enumerate([(1, "GRACE_ENTERED"), *steps], start=1):
        day += timedelta(days=days)
        heard = Heard(
            loan_id="L-1",
            borrower_ref="B-1",
            sequence=number,
            type=type_,
            effective_on=day,
            amount_minor=10_000 // number,
        )
        before, borrower = borrower, observe(borrower, heard, RULES)
        found = changed(before, borrower, RULES)
        assert all(found.values())
        told |= found
        signs.append(Sign(type_, "L-1", day, f"L-1/{number}", heard.amount_minor))
    all_kept = Behaviour(borrower_ref="B-1", signs=tuple(signs))

    assert told == alerts_of(all_kept, RULES)
    assert all(one.on.year >= day.year - 2 for one in borrower.signs)


async def test_what_was_told_and_no_longer_stands_is_told_as_withdrawn(tmp_path: Path) -> None:
    """An earlier end of grace takes the later alert's place; restated, the later one is back."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/risk.db"))
    await records.create(APPLICATION_ID)
    book = Exposures(records)
    await book.create(APPLICATION_ID)
    watch = Watch(records, RULES, book, wire.alert_told)
    later, earlier = (
        expired("L-1", "B-1", date(2026, 3, 9)),
        expired("L-2", "B-1", date(2026, 2, 9)),
    )
    earlier = msgspec.structs.replace(earlier, log_version=4)
    back = DelinquencyEvent(loan_id="L-2", borrower_ref="B-1", effective_on="2026-02-05")
    for one in (later, later, earlier, earlier):
        async with book.work() as work:
            await watch.hear(one, work)
    told = Event("L-2/2", "TIMELINE_RESTATED", "L-2", 2, "", "", back, MESSAGE)
    for _ in range(2):
        async with book.work() as work:
            restating = Restatement((4,), "2026-02-05", "2026-02-09", 4, 0)
            await watch.restate(told, restating, work)
    async with records.work() as work:
        owed = (
            (await work.connection.execute(select(OUTBOX.c.message_id).order_by(OUTBOX.c.number)))
            .scalars()
            .all()
        )
        alerts = [(one.alert_id, str(one.outcome)) async for one in work.every(Alert)]
    await records.engine.dispose()

    first, second = "2026-03-09.L-1.GRACE_EXPIRED", "2026-02-09.L-2.GRACE_EXPIRED"
    assert list(owed) == [
        f"risk/{first}",
        f"risk/{second}",
        f"risk/{first}/1/withdrawn",
        f"risk/{second}/1/withdrawn",
        f"risk/{first}/2",
    ]
    assert alerts == [(second, "WITHDRAWN"), (first, "UNSPECIFIED")]
