"""Better only when all arrears are paid, and then after a probation."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.policies import POLICIES
from tests.services.ledger.domain.desk import TERMS, Desk

# Due 5 Feb, 5 Mar, ... 2026: 1,120.00, 1,110.00, ...; nothing is paid before the dates below.
STORIES = [
    # policy | scheme | what is paid on which date ("" = everything overdue) | then on | in bucket
    ("rbi-retail/1", "rbi", [], "2026-05-05", "SMA-2"),
    ("rbi-retail/1", "rbi", [], "2026-05-06", "NPA"),
    ("rbi-retail/1", "rbi", [("2026-05-07", "1150.00")], "2026-05-07", "NPA"),
    ("rbi-retail/1", "rbi", [("2026-05-04", "1300.00")], "2026-05-07", "SMA-2"),
    ("rbi-retail/1", "rbi", [("2026-05-07", "")], "2026-05-07", "STANDARD"),
    ("eu-retail/1", "ifrs9", [("2026-05-10", "")], "2026-05-10", "STAGE_1"),
    ("eu-retail/2", "ifrs9", [("2026-05-10", "")], "2026-05-10", "STAGE_3"),
    ("eu-retail/2", "ifrs9", [("2026-05-10", ""), ("2026-06-05", "")], "2026-08-09", "STAGE_3"),
    ("eu-retail/2", "ifrs9", [("2026-05-10", ""), *[(f"2026-0{m}-05", "") for m in (6, 7, 8)]],
     "2026-08-09", "STAGE_3"),
    ("eu-retail/2", "ifrs9", [("2026-05-10", ""), *[(f"2026-0{m}-05", "") for m in (6, 7, 8)]],
     "2026-08-10", "STAGE_1"),
    # Late again for a month in probation: three months from the day on which that is paid.
    ("eu-retail/2", "ifrs9", [("2026-05-10", ""), ("2026-07-05", ""), ("2026-08-05", ""),
     ("2026-09-05", "")], "2026-10-04", "STAGE_3"),
    ("eu-retail/2", "ifrs9", [("2026-05-10", ""), ("2026-07-05", ""), ("2026-08-05", ""),
     ("2026-09-05", "")], "2026-10-05", "STAGE_1"),
    # Two instalments or six months, the longer.
    ("cn-consumer/3", "five_tier", [("2026-05-10", ""), *[(f"2026-{m:02}-05", "")
     for m in range(6, 12)]], "2026-11-09", "SUBSTANDARD"),
    ("cn-consumer/3", "five_tier", [("2026-05-10", ""), *[(f"2026-{m:02}-05", "")
     for m in range(6, 12)]], "2026-11-10", "NORMAL"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "scheme", "paid", "then_on", "bucket"), STORIES)
def test_a_bucket_is_left_as_the_rule_says(policy, scheme, paid, then_on, bucket) -> None:
    """Read on the day, and as ageing recorded it."""
    desk = Desk(msgspec.structs.replace(TERMS, delinquency=POLICIES[policy]))
    for on, amount in paid:
        desk.go_to(date.fromisoformat(on))
        line = desk.account.timeline(desk.on)
        owed = sum(row.unpaid for row in line.rows if row.due_on <= desk.on)
        minor = owed + line.penalty_outstanding
        desk.repay(amount or f"{minor // 100}.{minor % 100:02}")
    desk.go_to(date.fromisoformat(then_on))

    assert standing_of(desk.account.timeline(desk.on)).buckets[scheme] == bucket
    assert desk.account.standing.buckets[scheme] == bucket


def test_forbearance_keeps_a_default_for_a_year() -> None:
    """Restructured in default on 10 May 2026: stage 3 until a year later."""
    desk = Desk(msgspec.structs.replace(TERMS, delinquency=POLICIES["eu-retail/2"]))
    desk.go_to(date(2026, 5, 10))
    desk.ask(
        cmd.RestructureLoan,
        effective_on=desk.on,
        instalments=24,
        reason="hardship: illness",
        approved_by="Li",
    )
    found = {}
    for month in range(6, 18):
        on = date(2026 + (month - 1) // 12, (month - 1) % 12 + 1, 5)
        desk.go_to(on)
        due = sum(row.unpaid for row in desk.account.timeline(on).rows if row.due_on <= on)
        desk.repay(f"{due // 100}.{due % 100:02}")
        found[on] = desk.account.standing.buckets["ifrs9"]
    desk.go_to(date(2027, 5, 9))
    found[desk.on] = desk.account.standing.buckets["ifrs9"]
    desk.go_to(date(2027, 5, 10))

    assert set(found.values()) == {"STAGE_3"}
    assert desk.account.standing.buckets["ifrs9"] == "STAGE_1"
