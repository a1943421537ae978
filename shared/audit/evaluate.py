"""
Recompute an explained figure from its tree alone.

    python -m shared.audit.evaluate explanation.json

A node is {"op", "label", "value", ...}. Leaves: "given" (a value with its source in "from") and
"days" (calendar days between two dates). Inner nodes combine "of": "sum", "minus" (the first less
the others), "times", "over", "round" (to whole units by "mode"), "most" (the largest). Values are
exact: integers or fractions "n/d". Nothing of the services is imported.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from fractions import Fraction
from math import prod
from typing import Any

_EXACT = re.compile(r"-?[0-9]{1,400}(/[1-9][0-9]{0,399})?", re.ASCII)


class Disagrees(Exception):
    """A node says another value than its parts come to."""


def evaluate(node: dict[str, Any]) -> Fraction:
    """
    Return the value of a tree, recomputed from its leaves.

    Raises:
        Disagrees: a node states another value than its parts come to.
    """
    found = _value(node)
    if found != _exact(node["value"]):
        raise Disagrees(f"{node['label']}: {node['value']} stated, {found} recomputed")
    return found


def _value(node: dict[str, Any]) -> Fraction:
    op = node["op"]
    if op == "given":
        return _exact(node["value"])
    if op == "days":
        last, first = date.fromisoformat(node["to"]), date.fromisoformat(node["from"])
        return Fraction((last - first).days)
    parts = [evaluate(part) for part in node.get("of", [])]
    if op == "sum":
        return sum(parts, Fraction(0))
    if op == "minus":
        return parts[0] - sum(parts[1:], Fraction(0))
    if op == "times":
        return Fraction(prod(parts))
    if op == "over":
        return parts[0] / parts[1]
    if op == "most":
        return max(parts)
    if op == "round":
        return Fraction(_rounded(parts[0], node["mode"]))
    raise Disagrees(f"{node['label']}: the operation {op} is not known")


def _exact(value: Any) -> Fraction:
    """Return an integer or a fraction n/d; another writing, such as 1e9, is none of ours."""
    if not _EXACT.fullmatch(str(value)):
        raise Disagrees(f"{str(value)[:40]!r} is no exact value")
    return Fraction(str(value))


def _rounded(exact: Fraction, mode: str) -> int:
    """Return a whole number of units; no digit is lost on the way."""
    whole, rest = divmod(abs(exact), 1)
    half = Fraction(1, 2)
    up = {
        "HALF_EVEN": rest > half or (rest == half and whole % 2 == 1),
        "HALF_UP": rest >= half,
        "HALF_DOWN": rest > half,
        "UP": rest > 0,
    }[mode]
    return (int(whole) + up) * (-1 if exact < 0 else 1)


def main() -> int:
    """Check every figure of a file that holds one tree or a list of them."""
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        return 0 if len(sys.argv) == 2 else 2
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    trees = given if isinstance(given, list) else [given]
    for tree in trees:
        print(f"{tree['label']}: {evaluate(tree)} agrees")
    return 0


if __name__ == "__main__":
    sys.exit(main())
