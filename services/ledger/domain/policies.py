"""How lateness is counted and named: each scheme a table of edges, each policy a dated version."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

import msgspec

from shared.kernel.dates import add_months


class DpdConvention(StrEnum):
    """Whether the due date's own day-end is day 0 (elapsed) or day 1 (inclusive)."""

    ELAPSED = "ELAPSED"
    INCLUSIVE = "INCLUSIVE"


class Scheme(msgspec.Struct, frozen=True, gc=False):
    """
    One classification: the first day past due of each bucket, lowest first.

    With INCLUSIVE the edges count the due date's day-end as day 1, so that a loan unpaid at the
    end of its due date is already on day 1.
    """

    name: str
    edges: tuple[tuple[int, str], ...]
    convention: DpdConvention = DpdConvention.ELAPSED

    def bucket(self, days_elapsed: int) -> str:
        """Return the bucket of a loan overdue for this many elapsed days."""
        inclusive = self.convention is DpdConvention.INCLUSIVE
        days = days_elapsed + 1 if inclusive and days_elapsed >= 0 else days_elapsed
        return [name for edge, name in self.edges if days >= edge][-1]

    def first_day(self, bucket: str) -> int:
        """Return the days elapsed from which a bucket is reached."""
        shift = 1 if self.convention is DpdConvention.INCLUSIVE else 0
        return next(edge for edge, name in self.edges if name == bucket) - shift

    @property
    def elapsed_edges(self) -> tuple[int, ...]:
        """Days elapsed on which the bucket changes."""
        shift = 1 if self.convention is DpdConvention.INCLUSIVE else 0
        return tuple(edge - shift for edge, _ in self.edges if edge - shift > 0)


class Cure(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    From `bucket` on, a loan of this scheme is better only once nothing is overdue any more.

    And then only after a probation: the longest of `probation_months`, `probation_instalments` due
    dates, and `forborne_months` since the contract was last restructured; a new arrear in it
    starts it again.
    """

    scheme: str
    bucket: str
    probation_months: int = 0
    probation_instalments: int = 0
    forborne_months: int = 0


class DelinquencyPolicy(msgspec.Struct, frozen=True, omit_defaults=True, cache_hash=True, gc=False):
    """
    How lateness is counted: the schemes in force, and what does not count.

    `uncounted_days` are taken off before classifying (a reporting convention); the days past due
    themselves never shrink. Arrears classify only above both `materiality_minor` and
    `materiality_rate` of what is outstanding (Reg. 2018/171: both exceeded). `due_soon_days` before
    an unpaid instalment falls due the stream says so; 0: it does not.
    """

    policy: str
    schemes: tuple[Scheme, ...]
    uncounted_days: int = 0
    materiality_minor: int = 0
    materiality_rate: Decimal = Decimal(0)
    cures: tuple[Cure, ...] = ()
    due_soon_days: int = 0

    def best(self, scheme: str) -> str:
        """Return the bucket of a scheme in which nothing is overdue."""
        return next(one for one in self.schemes if one.name == scheme).edges[0][1]

    def better(self, scheme: str, before: str, after: str) -> bool:
        """Say whether a bucket is less late than another; not if either is not in the scheme."""
        rule = next(one for one in self.schemes if one.name == scheme)
        known = {name for _, name in rule.edges}
        return {before, after} <= known and rule.first_day(after) < rule.first_day(before)

    @property
    def edges(self) -> tuple[int, ...]:
        """Days past due, pauses aside, on which some bucket changes; lowest first."""
        return _edges(self)


@lru_cache(maxsize=256)
def _edges(policy: DelinquencyPolicy) -> tuple[int, ...]:
    found = {edge for scheme in policy.schemes for edge in scheme.elapsed_edges}
    return tuple(sorted(edge + policy.uncounted_days for edge in found))


M = Scheme(
    "m",
    (
        (0, "M0"),
        (1, "M1"),
        (31, "M2"),
        (61, "M3"),
        (91, "M4"),
        (121, "M5"),
        (151, "M6"),
        (181, "M7"),
    ),
)
FIVE_TIER = Scheme(
    "five_tier",
    (
        (0, "NORMAL"),
        (1, "SPECIAL_MENTION"),
        (91, "SUBSTANDARD"),
        (271, "DOUBTFUL"),
        (361, "LOSS"),
    ),
)
"""Loans, CBIRC/PBOC Order 2023-1, art. 10: floors by days overdue."""

CARD_TIER = Scheme(
    "card_tier",
    (
        (0, "NORMAL"),
        (1, "SPECIAL_MENTION"),
        (91, "SUBSTANDARD"),
        (121, "DOUBTFUL"),
        (181, "LOSS"),
    ),
)
"""Credit cards, 信用卡办法 art. 92; not for loans."""

PBOC = Scheme(
    "pboc",
    (
        (0, "N"),
        (1, "1"),
        (31, "2"),
        (61, "3"),
        (91, "4"),
        (121, "5"),
        (151, "6"),
        (181, "7"),
    ),
)
METRO_2 = Scheme(
    "metro2",
    ((0, "11"), (30, "71"), (60, "78"), (90, "80"), (120, "82"), (150, "83"), (180, "84")),
)
IFRS_9 = Scheme("ifrs9", ((0, "STAGE_1"), (31, "STAGE_2"), (91, "STAGE_3")))
"""Backstops: more than 30 days (5.5.11), more than 90 days (B5.5.37)."""

RBI = Scheme(
    "rbi",
    ((0, "STANDARD"), (1, "SMA-0"), (31, "SMA-1"), (61, "SMA-2"), (91, "NPA")),
    DpdConvention.INCLUSIVE,
)
"""Day-end of the due date is day 1: due 31 March, SMA-1 30 April (RBI/2021-22/125)."""

CN_CONSUMER = DelinquencyPolicy("cn-consumer/1", (M, FIVE_TIER))
CN_CONSUMER_2 = DelinquencyPolicy("cn-consumer/2", (M, FIVE_TIER, PBOC, IFRS_9))
ALL_SCHEMES = DelinquencyPolicy(
    "all-schemes/1", (M, FIVE_TIER, CARD_TIER, PBOC, METRO_2, IFRS_9, RBI)
)
EU_RETAIL = DelinquencyPolicy(
    "eu-retail/1", (M, IFRS_9), materiality_minor=10_000, materiality_rate=Decimal("0.01")
)
"""Above 100 euro and above 1 % of the exposure (CRR art. 178, Reg. 2018/171)."""

CN_CONSUMER_3 = DelinquencyPolicy(
    "cn-consumer/3",
    (M, FIVE_TIER, PBOC, IFRS_9),
    cures=(Cure("five_tier", "SUBSTANDARD", probation_months=6, probation_instalments=2),),
)
"""Out of the bad tiers: all arrears paid, then two instalments or six months, the longer."""

CN_CONSUMER_4 = msgspec.structs.replace(CN_CONSUMER_3, policy="cn-consumer/4", due_soon_days=3)
"""And three days before an instalment falls due the stream says so; not in force by itself."""

EU_RETAIL_2 = DelinquencyPolicy(
    "eu-retail/2",
    (M, IFRS_9),
    materiality_minor=10_000,
    materiality_rate=Decimal("0.01"),
    cures=(Cure("ifrs9", "STAGE_3", probation_months=3, forborne_months=12),),
)
"""Default ends three months after the arrears, one year after forbearance (EBA/GL/2016/07)."""

RBI_RETAIL = DelinquencyPolicy("rbi-retail/1", (M, RBI), cures=(Cure("rbi", "NPA"),))
"""NPA is upgraded only when all arrears are paid (RBI/2021-22/125)."""

POLICIES = {
    policy.policy: policy
    for policy in (
        CN_CONSUMER,
        CN_CONSUMER_2,
        CN_CONSUMER_3,
        CN_CONSUMER_4,
        ALL_SCHEMES,
        EU_RETAIL,
        EU_RETAIL_2,
        RBI_RETAIL,
    )
}
"""The delinquency policies that a contract can name."""


IN_FORCE = (
    # effective from | policy
    (date(2023, 7, 1), CN_CONSUMER_3),
    (date(2020, 12, 31), EU_RETAIL),
    (date(2021, 1, 1), EU_RETAIL_2),
    (date(2021, 11, 12), RBI_RETAIL),
)
"""Order 2023-1 (2023-07-01); Reg. 2018/171; EBA/GL/2016/07; RBI/2021-22/125."""


def policy_in_force(name: str, on: date) -> DelinquencyPolicy | None:
    """Return the newest version of a policy on a date; None when none was in force yet."""
    rows = [
        (since, policy)
        for since, policy in IN_FORCE
        if since <= on and policy.policy.partition("/")[0] == name
    ]
    return max(rows, key=lambda row: row[0])[1] if rows else None


def bucket_dates(scheme: Scheme, due_on: date) -> dict[str, date]:
    """Return the day-end from which an amount due on a date, and never paid, is in each bucket."""
    inclusive = scheme.convention is DpdConvention.INCLUSIVE
    return {
        name: due_on + timedelta(days=edge - 1 if inclusive else edge)
        for edge, name in scheme.edges
        if edge > 0
    }


def months_delinquent_mba(due_on: date, on: date) -> int:
    """
    Count monthly instalments from `due_on`, none paid, unpaid the day before the next due date.

    Source:
        Mortgage Bankers Association method; Andrew Davidson & Co, April 2005.
    """
    return _months_unpaid(due_on, on + timedelta(days=1))


def months_delinquent_ots(due_on: date, on: date) -> int:
    """
    Count monthly instalments from `due_on`, none paid, unpaid at the close of the next due date.

    Source:
        Office of Thrift Supervision method; Andrew Davidson & Co, April 2005.
    """
    return _months_unpaid(due_on, on)


def _months_unpaid(due_on: date, by: date) -> int:
    count = 0
    while add_months(due_on, count + 1) <= by:
        count += 1
    return count
