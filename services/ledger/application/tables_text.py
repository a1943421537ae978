"""Tables and values as the texts of files: the same value gives the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any


def csv_text(header: str, rows: Iterable[Sequence[Any]]) -> bytes:
    """Return CSV under a header whose names are parted by commas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return text.getvalue().encode()


def json_text(value: Any) -> bytes:
    """Return JSON, its names sorted."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def jsonl_text(rows: Iterable[Any]) -> bytes:
    """Return one line of JSON per row."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
