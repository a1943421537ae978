"""The sets that models are trained on: what each column means, and what is left out on purpose."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.risk.domain.provenance import Origin

GERMAN_FILE = Path(__file__).resolve().parents[3] / "deploy" / "sample" / "german_credit.csv"
Floats = NDArray[np.float64]


class DataMissing(Exception):
    """The file or package that holds a set is not here; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute; `rises` is +1 where risk may only rise with it, -1 only fall, 0 any."""

    name: str
    text_en: str
    text_zh: str
    numeric: bool = False
    rises: int = 0


@dataclass(frozen=True, slots=True)
class Dataset:
    """Applications with their outcome; `values[name]` and `bad` have one entry per application."""

    name: str
    source: str
    licence: str
    sha256: str
    columns: tuple[Column, ...]
    left_out: tuple[Column, ...]
    values: dict[str, NDArray[np.str_]]
    bad: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> Dataset:
        """Return some of its rows."""
        values = {name: column[rows] for name, column in self.values.items()}
        return replace(self, values=values, bad=self.bad[rows])

    def with_everything(self) -> Dataset:
        """Return it with what is left out taken in: for comparison, never to be served."""
        return replace(self, columns=(*self.columns, *self.left_out), left_out=())

    def origin(self) -> Origin:
        """Return what a model trained on it says about itself."""
        return Origin(
            data=self.name,
            source=self.source,
            licence=self.licence,
            sha256=self.sha256,
            applications=len(self.bad),
            bads=int(self.bad.sum()),
            left_out=tuple(column.name for column in self.left_out),
        )

    def applicants(self) -> list[dict[str, str]]:
        """Return each application as its attributes, as a request carries them."""
        names = [column.name for column in self.columns]
        rows = zip(*(self.values[name].tolist() for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]


GERMAN = (
    Column(
        "status_of_existing_checking_account", "Balance of the checking account", "支票账户余额"
    ),
    Column("duration_in_month", "Term of the loan", "贷款期限", numeric=True, rises=1),
    Column("credit_history", "Credit history", "信用记录"),
    Column("purpose", "Purpose of the loan", "贷款用途"),
    Column("credit_amount", "Amount of the loan", "贷款金额", numeric=True),
    Column("savings_account_and_bonds", "Savings", "储蓄"),
    Column("present_employment_since", "Time in the present job", "现职年限"),
    Column(
        "installment_rate_in_percentage_of_disposable_income", "Instalment to income", "月供收入比"
    ),
    Column("other_debtors_or_guarantors", "Guarantor or co-borrower", "担保人或共同借款人"),
    Column("property", "Property", "财产"),
    Column("other_installment_plans", "Other instalment plans", "其他分期"),
    Column("housing", "Housing", "住房"),
)
GERMAN_LEFT_OUT = (
    Column("personal_status_and_sex", "Marital status and sex", "婚姻状况与性别"),
    Column("age_in_years", "Age", "年龄", numeric=True),
    Column("foreign_worker", "Foreign worker", "外籍劳工"),
)

BLOAN = (
    Column("rev", "Use of revolving credit", "循环额度使用率", numeric=True, rises=1),
    Column("income", "Income", "收入", numeric=True),
    Column("debrate", "Debt to income", "负债收入比", numeric=True),
    Column("due30", "Times 30 to 59 days late", "逾期30至59天次数", numeric=True, rises=1),
    Column("due60", "Times 60 to 89 days late", "逾期60至89天次数", numeric=True, rises=1),
    Column("due90", "Times 90 days late", "逾期90天以上次数", numeric=True, rises=1),
    Column("late_times", "Times late in all", "逾期总次数", numeric=True, rises=1),
    Column("late_weight", "Times late, the later the more", "逾期严重程度", numeric=True, rises=1),
    Column("payments", "Debt payments", "债务还款额", numeric=True),
    Column("income_left", "Income after debt payments", "偿债后剩余收入", numeric=True, rises=-1),
    Column("loan_num", "Open loans", "未结清贷款笔数", numeric=True),
    Column("city", "City", "城市"),
)
USE_MAX = 10
"""Times the limit; of 20,000 loans 31 say more, most of them hundreds or thousands."""
BLOAN_LEFT_OUT = (
    Column("age", "Age", "年龄", numeric=True),
    Column("marital", "Marital status", "婚姻状况", numeric=True),
)


def german(path: Path = GERMAN_FILE) -> Dataset:
    """Return the 1,000 applications of the sample folder."""
    return _read(
        path,
        "german",
        "Statlog (German Credit Data), UCI, doi.org/10.24432/C5NC77",
        "CC BY 4.0",
        GERMAN,
        GERMAN_LEFT_OUT,
        ("creditability", "bad"),
    )


def bloan() -> Dataset:
    """Return the 20,000 loans that the package bbbrisk carries; where they come from, it hides."""
    try:
        path = Path(str(distribution("bbbrisk").locate_file("bbbrisk/datasets/bloan.csv")))
    except PackageNotFoundError:
        raise DataMissing("bbbrisk is not installed: run `make training`") from None
    source = "bbbrisk 1.0.2, datasets/bloan.csv; provenance not stated by its authors"
    outcome = ("is_bad", "1")
    licence = "MIT (the package)"
    return _read(path, "bloan", source, licence, BLOAN, BLOAN_LEFT_OUT, outcome, put_together)


def put_together(row: dict[str, str]) -> dict[str, str]:
    """
    Return what the columns of a loan say once they are read for what they hold.

    How often somebody was late in all; the same with 30, 60 and 90 days as 1, 2 and 3; debt
    payments, and the income that they leave. Without an income, unknown or none, the ratio's
    column holds the payments themselves: whole numbers around 1,000, elsewhere 0.35. Use beyond
    `USE_MAX` is an amount where a ratio belongs, so the ratio is unknown.
    """
    times = [_number(row[name]) for name in ("due30", "due60", "due90")]
    weight = sum(place * time for place, time in enumerate(times, start=1))
    income, ratio = _number(row["income"]), _number(row["debrate"])
    payments = ratio * (income + 1) if income > 0 else ratio
    return {
        "rev": row["rev"] if _number(row["rev"]) <= USE_MAX else "",
        "late_times": _text(sum(times)),
        "late_weight": _text(weight),
        "debrate": row["debrate"] if income > 0 else "",
        "payments": _text(payments),
        "income_left": _text(income - payments),
    }


def _text(number: float) -> str:
    return f"{number:.9g}" if isfinite(number) else ""


DATASETS = {"german": german, "bloan": bloan}


def _read(
    path: Path,
    name: str,
    source: str,
    licence: str,
    columns: Sequence[Column],
    left_out: Sequence[Column],
    outcome: tuple[str, str],
    derived: Callable[[dict[str, str]], dict[str, str]] = lambda _: {},
) -> Dataset:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{**row, **derived(row)} for row in csv.DictReader(file)]
    kept = [column.name for column in (*columns, *left_out)]
    values = {key: np.array([row[key] for row in rows]) for key in kept}
    bad = np.array([row[outcome[0]] == outcome[1] for row in rows])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(name, source, licence, digest, tuple(columns), tuple(left_out), values, bad)


def numbers(values: NDArray[np.str_]) -> Floats:
    """Return texts as numbers; what is empty, or no plain finite number, is NaN."""
    found = np.array([_number(text) for text in values.tolist()])
    found[~np.isfinite(found)] = np.nan
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
