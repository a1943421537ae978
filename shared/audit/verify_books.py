"""The books of a period, made again from its events: every line, every balance, both journals."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from shared.audit import journals
from shared.audit.journals import JournalEntry, minor, plain
from shared.audit.packing import PackInvalid, first_other
from shared.audit.steps import Files, Step

GL_DETAIL = (
    "Journal_ID,Journal_ID_Line_Number,JE_Header_Description,JE_Line_Description,Source,"
    "Business_Unit_Code,Effective_Date,Fiscal_Year,Period,GL_Account_Number,Amount,"
    "Amount_Credit_Debit_Indicator,Amount_Currency,Entered_By,Entered_Date,Entered_Time,"
    "Approved_By,Approved_Date,Last_Modified_By,Last_Modified_Date,Reversal_Indicator,"
    "Reversal_Journal_ID,Segment01"
)
TRIAL_BALANCE = (
    "GL_Account_Number,Business_Unit_Code,Fiscal_Year,Period,Balance_As_Of_Date,"
    "Amount_Beginning,Amount_Ending,Amount_Currency"
)
BALANCES = "currency,account,beginning_minor,debits_minor,credits_minor,ending_minor"
UNIT, PRINCIPAL = "LENDING", "loans:principal"
Money = Counter[tuple[str, str]]
"""Minor units by currency and account, debit above zero."""


class Leaf(NamedTuple):
    """One sealed event: its number in the log, its head, and what it says."""

    number: int
    head: list[Any]
    said: dict[str, Any]

    @property
    def name(self) -> str:
        """The event's name, without package and version."""
        return self.head[3].rpartition(".")[2].partition(":")[0]

    @property
    def loan_id(self) -> str:
        """The loan; empty for what belongs to none."""
        return self.head[1].removeprefix("loan/") if self.head[1].startswith("loan/") else ""

    @property
    def postings(self) -> list[list[Any]]:
        """Account and amount, debit above zero, minor units."""
        return self.said.get("postings", [])

    @property
    def on(self) -> str:
        """The date that it counts from."""
        return str(self.said.get("effective_on") or self.said["on"])


def books_steps(
    files: Files, period: dict[str, Any], inside: list[Leaf], all_leaves: list[Leaf]
) -> Iterator[Step]:
    """
    Hold the books of a period against its events.

    Args:
        files: Of the pack.
        period: period.json.
        inside: The events of the period.
        all_leaves: All events of the pack.
    Raises:
        PackInvalid: with the first thing that does not hold.
    """
    yield Step("journal entries sum to zero", _balanced(inside))
    accounts = {row[0]: row for row in json.loads(files["policies.json"])["chart"].values()}
    entries = [leaf for leaf in inside if leaf.postings]
    currencies = _currencies(period, files, all_leaves)
    found = _detail(period, files, entries, currencies, accounts)
    yield Step("lines of GL_Detail are what the events post", found)
    begun, ended = _trial_balance(period, files, entries, currencies)
    yield Step("balances lead from the first to the last", len(ended))
    names = {name: journals.account_name(name, row[1]) for name, row in accounts.items()}
    stated = [(account, currency, ended[currency, account]) for currency, account in sorted(ended)]
    book = [*_opening(period, begun, entries), *(_entry(leaf, currencies) for leaf in entries)]
    for name, write in (
        ("journal.hledger", journals.hledger),
        ("journal.beancount", journals.beancount),
    ):
        wanted = "".join(write(book, stated, names)).encode()
        yield Step(f"lines of {name} are made of the events", _journal(name, files, wanted))
    for name, total in (("loans-before.csv", begun), ("loans-after.csv", ended)):
        yield Step(f"principal in {name} is that of the books", _principal(name, files, total))


def _balanced(inside: list[Leaf]) -> int:
    for leaf in inside:
        if sum(amount for _, amount in leaf.postings):
            raise PackInvalid(f"event {leaf.number}: its postings do not sum to zero")
    return sum(1 for leaf in inside if leaf.postings)


def _currencies(period: dict[str, Any], files: Files, leaves: list[Leaf]) -> dict[str, str]:
    """The currency of each loan: of its terms, or, opened before, the one that its lines state."""
    found: dict[str, str] = {}
    for row in table(files, period["gl_detail"]):
        found.setdefault(row["Segment01"], row["Amount_Currency"])
    for leaf in leaves:
        if leaf.name == "LoanOpened":
            found[leaf.loan_id] = leaf.said["terms"]["currency"]
    return found


def _currency(leaf: Leaf, currencies: dict[str, str]) -> str:
    return currencies[leaf.loan_id] if leaf.loan_id else leaf.said["currency"]


def _detail(
    period: dict[str, Any],
    files: Files,
    entries: list[Leaf],
    currencies: dict[str, str],
    accounts: dict[str, list[str]],
) -> int:
    repaid = {
        leaf.said["repayment_id"]: str(leaf.head[0])
        for leaf in entries
        if "repayment_id" in leaf.said and leaf.name != "RepaymentReversed"
    }
    wanted = [
        [str(cell) for cell in row]
        for leaf in entries
        for row in _lines(leaf, _currency(leaf, currencies), accounts, repaid)
    ]
    name = period["gl_detail"]
    _exactly(name, files, GL_DETAIL, wanted)
    return len(wanted)


def _lines(
    leaf: Leaf, currency: str, accounts: dict[str, list[str]], repaid: dict[str, str]
) -> Iterator[list[Any]]:
    """The lines of one event, in the order of the standard's columns."""
    said, on = leaf.said, leaf.on
    reverses = leaf.name == "RepaymentReversed"
    instant = said["recorded_at"].replace("Z", "+00:00")
    recorded = datetime.fromisoformat(instant).astimezone(UTC)
    who = said.get("actor", "internal") if leaf.loan_id else ""
    for number, (account, amount) in enumerate(leaf.postings, start=1):
        row = [leaf.head[0], number, f"{leaf.name} {said.get('reason', '')}".strip()]
        row += [accounts[account][2], "loan" if leaf.loan_id else "accrual", UNIT]
        row += [on, int(on[:4]), on[5:7], account, plain(abs(amount), currency)]
        row += ["D" if amount > 0 else "C", currency, who or said["request_id"]]
        row += [recorded.date(), f"{recorded:%H:%M:%S}", said.get("approved_by", "")]
        row += ["", "", "", "1" if reverses else ""]
        row += [repaid.get(said["repayment_id"], "") if reverses else "", leaf.loan_id]
        yield row


def _trial_balance(
    period: dict[str, Any], files: Files, entries: list[Leaf], currencies: dict[str, str]
) -> tuple[Money, Money]:
    """Beginning and movement give the ending balance; each column is zero over all accounts."""
    sides: tuple[Money, Money] = (Counter(), Counter())
    for leaf in entries:
        for account, amount in leaf.postings:
            side = sides[0] if amount > 0 else sides[1]
            side[_currency(leaf, currencies), account] += abs(amount)
    name, until = period["trial_balance"], period["until"]
    begun: Money = Counter()
    for row in table(files, name):
        key = (row["Amount_Currency"], row["GL_Account_Number"])
        if key in begun:
            raise PackInvalid(f"{name}: {key[1]} is there twice")
        begun[key] = minor(row["Amount_Beginning"], key[0])
    keys = sorted({*begun, *sides[0], *sides[1]})
    ended: Money = Counter({key: begun[key] + sides[0][key] - sides[1][key] for key in keys})
    for currency in {currency for currency, _ in keys}:
        if sum(amount for key, amount in begun.items() if key[0] == currency):
            raise PackInvalid(f"{name}: it does not sum to zero in {currency}")
    head = (until[:4], until[5:7], until)
    rows = [
        [account, UNIT, *head, *(plain(side[of, account], of) for side in (begun, ended)), of]
        for of, account in keys
    ]
    _exactly(name, files, TRIAL_BALANCE, rows)
    moved = [[*k, begun[k], sides[0][k], sides[1][k], ended[k]] for k in keys]
    wanted = [[str(cell) for cell in row] for row in moved]
    _exactly("balances.csv", files, BALANCES, wanted)
    return begun, ended


def _opening(period: dict[str, Any], begun: Money, entries: list[Leaf]) -> Iterator[JournalEntry]:
    first = min((leaf.on for leaf in entries), default=period["since"])
    on = date.fromisoformat(min(first, period["since"])) - timedelta(days=1)
    for currency in sorted({currency for (currency, _), amount in begun.items() if amount}):
        lines = [(k[1], v) for k, v in sorted(begun.items()) if k[0] == currency and v]
        yield JournalEntry(0, on, "BeginningBalances", "", currency, lines)


def _entry(leaf: Leaf, currencies: dict[str, str]) -> JournalEntry:
    on = date.fromisoformat(leaf.on)
    lines = [(account, amount) for account, amount in leaf.postings]
    head = (leaf.head[0], on, leaf.name, leaf.loan_id)
    return JournalEntry(*head, _currency(leaf, currencies), lines)


def _journal(name: str, files: Files, wanted: bytes) -> int:
    at = first_other(wanted, files[name])
    if at is not None:
        line = wanted[:at].count(b"\n") + 1
        raise PackInvalid(f"{name} line {line}: not what the events post")
    return wanted.count(b"\n")


def _principal(name: str, files: Files, balances: Money) -> int:
    """What the loans on the books owe is what the general ledger says, by currency."""
    owed: Counter[str] = Counter()
    rows = table(files, name)
    for row in rows:
        owed[row["currency"]] += int(row["principal_on_books_minor"])
    for currency in {*owed, *(currency for currency, _ in balances)}:
        if owed[currency] != balances[currency, PRINCIPAL]:
            told = f"{owed[currency]} {currency}, the books say {balances[currency, PRINCIPAL]}"
            raise PackInvalid(f"{name}: the principal on the books is {told}")
    return len(rows)


def _exactly(name: str, files: Files, header: str, wanted: list[list[str]]) -> None:
    """The file is this table, its first line and the order of its columns too."""
    head, *found = csv.reader(io.StringIO(files[name].decode(), newline=""))
    if head != header.split(","):
        raise PackInvalid(f"{name}: its first line is not {header}")
    same(name, found, wanted)


def table(files: Files, name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file by the names of its columns; each row has every column."""
    rows = csv.DictReader(io.StringIO(files[name].decode(), newline=""), restkey="", restval=None)
    found = list(rows)
    for number, row in enumerate(found, start=1):
        if "" in row or None in row.values():
            raise PackInvalid(f"{name} row {number}: it has not the columns of the first line")
    return found


def same(name: str, found: Iterable[Any], wanted: Iterable[Any]) -> None:
    """
    Compare rows.

    Raises:
        PackInvalid: naming the first that is otherwise.
    """
    there, due = list(found), list(wanted)
    for number, (one, other) in enumerate(zip(there, due, strict=False), start=1):
        if one != other:
            raise PackInvalid(f"{name} row {number}: {one}, the events say {other}")
    if len(there) != len(due):
        raise PackInvalid(f"{name} has {len(there)} rows, the events say {len(due)}")
