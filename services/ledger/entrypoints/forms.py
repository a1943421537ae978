"""One answer as a table, JSON or CSV: the same rows, whatever the form."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Any, Self

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

TABLE_ROWS_MAX = 200
"""Rows of one table; a longer answer has another below it, so that it need not fit in memory."""

WIDTH_MAX = 1_000_000
"""A pipe has no width: a table that is not for a terminal is as wide as its rows."""


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


As = Annotated[Form, typer.Option("--as", help="How to write the answer.")]
AsElse = Annotated[
    Form | None, typer.Option("--as", help="How to write the answer, instead of for people.")
]


@dataclass(slots=True)
class Sheet:
    """Rows under a header, written as they come."""

    form: Form
    header: Sequence[str]
    waiting: list[Sequence[Any]] = field(default_factory=list)
    written: int = 0

    def __enter__(self) -> Self:
        """Write what comes before the rows."""
        if self.form is Form.CSV:
            self._csv([self.header])
        elif self.form is Form.JSON:
            sys.stdout.write("[")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Write what comes behind the rows; an answer that was cut short is left open."""
        if kind is not None:
            return
        if self.form is Form.JSON:
            sys.stdout.write("\n]\n" if self.written else "]\n")
        elif self.form is Form.TABLE and (self.waiting or not self.written):
            self._table()

    def add(self, row: Sequence[Any]) -> None:
        """Write a row, or keep it for the next table."""
        if self.form is Form.CSV:
            self._csv([row])
        elif self.form is Form.JSON:
            text = json.dumps(dict(zip(self.header, row, strict=True)), ensure_ascii=False)
            sys.stdout.write(f"{',' if self.written else ''}\n {text}")
        else:
            self.waiting.append(row)
            if len(self.waiting) == TABLE_ROWS_MAX:
                self._table()
        self.written += 1

    def _csv(self, rows: Iterable[Sequence[Any]]) -> None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)

    def _table(self) -> None:
        table = Table(*self.header, box=box.ROUNDED)
        for row in self.waiting:
            # Not as markup: what is in a log may have brackets.
            table.add_row(*(Text(_shown(cell)) for cell in row))
        console = Console()
        (console if console.is_terminal else Console(width=WIDTH_MAX)).print(table)
        self.waiting.clear()


def _shown(cell: Any) -> str:
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return " ".join(str(cell).splitlines())


def write(form: Form, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows under a header."""
    with Sheet(form, header) as sheet:
        for row in rows:
            sheet.add(row)


def write_message(form: Form, message: Message) -> None:
    """Write a message: as its JSON, or as one row for each of its values with the way there."""
    said = MessageToDict(message)
    if form is Form.JSON:
        print(json.dumps(said, ensure_ascii=False, indent=2))
    else:
        write(form, ("field", "value"), leaves(said))


def leaves(said: Any, way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of JSON with the way to each, such as months.0.days."""
    if isinstance(said, dict):
        for name, value in said.items():
            yield from leaves(value, f"{way}.{name}" if way else name)
    elif isinstance(said, list):
        for number, value in enumerate(said):
            yield from leaves(value, f"{way}.{number}")
    else:
        yield way, said
