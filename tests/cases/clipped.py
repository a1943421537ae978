"""
The true figures where a source's are its known defect, as its cases name them.

The source counts paused days before an instalment was due. A case lists, per line, what was
printed and what pauses clipped to the overdue interval give: "line 7: ... expected ... got ...".
"""

from __future__ import annotations

import ast
import re
from decimal import Decimal

from tests.cases.inputs import Case
from tests.cases.servicing import minor


def clipped_ranges(case: Case, given: Case) -> dict[str, int] | None:
    """Return the true amount per range of an instalments checkpoint; None where none is named."""
    for got in _named(case, given, instalments=True):
        sums: dict[str, int] = {}
        for name, amount in ast.literal_eval(got):
            sums[name] = sums.get(name, 0) + minor(Decimal(amount))
        return dict(sorted(sums.items()))
    return None


def clipped_figures(case: Case, given: Case) -> set[str]:
    """Return the true figures of a loan checkpoint, as they are written."""
    texts = _named(case, given, instalments=False)
    return {figure for got in texts for figure in re.findall(r"[\w-]+", got)}


def _named(case: Case, given: Case, instalments: bool) -> list[str]:
    """Return what comes after "got" in the texts of a checkpoint's line."""
    line = next(s["line"] for s in case["timeline"] if s.get("expect") is given)
    texts = case.get("differs_if_pause_clipped_to_overdue_interval") or []
    named = [text.split(" got ", 1) for text in texts if text.startswith(f"line {line}:")]
    return [pair[1] for pair in named if ("instalments" in pair[0]) is instalments and pair[1:]]
