"""The flat tables as Parquet files, and the book recomputed from them with DuckDB's SQL."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from services.ledger.application.verifying import Verdict

QUERY = Path(__file__).with_name("recompute.sql")
TYPES = {
    "position": "BIGINT",
    "version": "BIGINT",
    "number": "INTEGER",
    "days_past_due": "INTEGER",
    "off_books": "BOOLEAN",
}


class DuckDBMissing(Exception):
    """Parquet needs DuckDB: install duebook with the extra `analytics`."""


def _connect() -> Any:
    try:
        import duckdb
    except ImportError:
        raise DuckDBMissing("Parquet needs DuckDB: pip install 'duebook[analytics]'") from None
    return duckdb.connect()


def _type(column: str) -> str:
    if column.endswith("_minor"):
        return "BIGINT"
    dated = column.endswith("_on") or column == "on_date"
    return "DATE" if dated else TYPES.get(column, "VARCHAR")


def write_parquet(
    folder: Path, tables: Mapping[str, tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]]
) -> None:
    """
    Write each table as `<name>.parquet`.

    Raises:
        DuckDBMissing: DuckDB is not installed.
    """
    with _connect() as connection:
        for name, (columns, rows) in tables.items():
            text = folder / f"{name}.csv"
            with text.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
            types = {column: _type(column) for column in columns}
            # Its guessing at how a file is written fails now and then: it is told.
            source = connection.read_csv(
                str(text),
                header=False,
                columns=types,
                auto_detect=False,
                delimiter=",",
                quotechar='"',
                escapechar='"',
                parallel=False,
            )
            source.write_parquet(str(folder / f"{name}.parquet"))
            text.unlink()


def recomputed(folder: Path) -> list[Verdict]:
    """
    Recompute the book from the Parquet files of a folder; say what differs from what we say.

    Raises:
        DuckDBMissing: DuckDB is not installed.
    """
    with _connect() as connection:
        for path in sorted(folder.glob("*.parquet")):
            connection.read_parquet(str(path)).create_view(path.stem)
        found = connection.execute(QUERY.read_text("utf-8")).fetchall()
    return [
        Verdict(name, compared, [f"{different} rows"] if different else [])
        for name, compared, different in found
    ]
