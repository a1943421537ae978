"""The sample book: 1,000 real applications; what their borrowers do is generated from a seed."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

DATA = Path(__file__).with_name("german_credit.csv")
STARTS_ON, ENDS_ON = date(2024, 1, 1), date(2025, 12, 31)
APPLICATION_DAYS = 364
SEED = 20240101

METHODS = (
    ("REPAYMENT_METHOD_LEVEL_INSTALMENT", 0.70),
    ("REPAYMENT_METHOD_EQUAL_PRINCIPAL", 0.15),
    ("REPAYMENT_METHOD_INTEREST_ONLY", 0.10),
    ("REPAYMENT_METHOD_BULLET", 0.05),
)
HABITS = (
    # what a payer does at a due date, share among good payers
    ("on_time", 0.925),
    ("in_advance", 0.030),
    ("in_grace", 0.025),
    ("late", 0.010),
    ("in_part", 0.006),
    ("returned", 0.004),
)
DEFAULTS = (
    # what a bad payer does from one instalment on, share
    ("charged_off", 0.50),
    ("catches_up", 0.30),
    ("hardship", 0.20),
)


@dataclass(frozen=True, slots=True)
class Applicant:
    """One application of the file, as origination is asked."""

    number: int
    applied_on: date
    method: str
    good: bool
    row: dict[str, str]

    @property
    def application_id(self) -> str:
        """Such as "S-0042"."""
        return f"S-{self.number:04}"

    @property
    def loan_id(self) -> str:
        """The loan that it becomes."""
        return f"L-{self.application_id}"


@dataclass(frozen=True, slots=True)
class Deed:
    """What happens to a loan on a date; `amount_minor` 0 means all that is due then."""

    on: date
    what: str
    name: str
    amount_minor: int = 0
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """One instalment as the ledger scheduled it; minor units."""

    number: int
    due_on: date
    amount_minor: int


def applicants(path: Path = DATA) -> list[Applicant]:
    """Return the applications in order of date, spread over the first year."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for number, row in enumerate(rows, start=1):
        on = STARTS_ON + timedelta(days=1 + (number - 1) * APPLICATION_DAYS // len(rows))
        method = _pick(random.Random(f"{SEED}/{number}/method"), METHODS)
        found.append(Applicant(number, on, method, row["creditability"] == "good", row))
    return found


def deeds(applicant: Applicant, dues: Sequence[Due]) -> list[Deed]:
    """
    Say what a borrower does over the life of a loan.

    Args:
        applicant: Whose repayment habits; good or bad is the real outcome, the rest is synthetic.
        dues: The loan's instalments, oldest first.
    Returns:
        Deeds up to the end of the book, in order of date.
    """
    chance = random.Random(f"{SEED}/{applicant.number}/deeds")
    breaks_at = len(dues) if applicant.good else chance.randrange(1 + len(dues) * 6 // 10)
    found: list[Deed] = []
    for due in dues[:breaks_at]:
        found += _paid(chance, due)
    if breaks_at < len(dues):
        found += _broken(chance, dues[breaks_at:])
    return sorted((d for d in found if d.on <= ENDS_ON), key=lambda d: (d.on, d.name))


def _pick(chance: random.Random, shares: Sequence[tuple[str, float]]) -> str:
    names, weights = zip(*shares, strict=True)
    return chance.choices(names, weights)[0]


def _paid(chance: random.Random, due: Due) -> Iterator[Deed]:
    """One instalment of a payer: mostly on time."""
    habit, name, day = _pick(chance, HABITS), f"i{due.number}", timedelta(days=1)
    if habit == "on_time":
        yield Deed(due.due_on, "repay", name, due.amount_minor)
    elif habit == "in_advance":
        yield Deed(due.due_on - 5 * day, "repay", name, due.amount_minor)
    elif habit == "in_grace":
        yield Deed(due.due_on + chance.randint(1, 3) * day, "repay", name)
    elif habit == "late":
        yield Deed(due.due_on + chance.randint(6, 24) * day, "repay", name)
    elif habit == "in_part":
        yield Deed(due.due_on, "repay", name, due.amount_minor // 2)
        yield Deed(due.due_on + 12 * day, "repay", f"{name}-rest")
    else:
        yield Deed(due.due_on, "repay", name, due.amount_minor)
        yield Deed(due.due_on + 3 * day, "reverse", name)
        yield Deed(due.due_on + 9 * day, "repay", f"{name}-again")


def _broken(chance: random.Random, dues: Sequence[Due]) -> Iterator[Deed]:
    """From here on a bad payer: promises, and then catches up, gets a plan, or is charged off."""
    first, day, fate = dues[0], timedelta(days=1), _pick(chance, DEFAULTS)
    promised = first.due_on + 8 * day
    yield Deed(promised, "promise", f"p{first.number}", until=promised + 10 * day)
    if fate == "catches_up":
        back = first.due_on + chance.randint(10, 80) * day
        yield Deed(back, "repay", f"i{first.number}-back")
        for due in dues:
            if due.due_on > back:
                yield from _paid(chance, due)
    elif fate == "hardship":
        yield Deed(first.due_on + 40 * day, "hardship", f"h{first.number}")
        for month in range(2, 24):
            yield Deed(first.due_on + (10 + 31 * month) * day, "repay", f"h{first.number}-{month}")
    else:
        off = first.due_on + 121 * day
        yield Deed(off, "charge_off", f"c{first.number}")
        if chance.random() < 0.25:
            yield Deed(off + 60 * day, "recover", f"r{first.number}", first.amount_minor)
