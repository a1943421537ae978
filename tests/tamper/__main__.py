"""Tamper with copies of a sealed book, and print which check found what: `make tamper`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.tamper.matrix import TAMPERINGS, Tampering
from tests.tamper.vault import copied, new_vault


def main() -> int:
    """Print the matrix from a run; 1 if a check missed what it is named for."""
    console, missed = Console(width=150), 0
    with tempfile.TemporaryDirectory(prefix="duebook-tamper-") as place:
        original = new_vault(Path(place) / "original")
        names = list(original.check())
        found: list[set[str]] = []
        seen: dict[Tampering, set[str]] = {}
        for tampering in TAMPERINGS:
            vault = copied(original, Path(place) / tampering.do.__name__)
            tampering.do(vault)
            found.append({name for name, bad in vault.check().items() if bad})
            missed += not found[-1] >= set(tampering.found_by)
            if not found[-1]:
                seen[tampering] = {n for n, bad in vault.check(witness=True).items() if bad}
                missed += seen[tampering] != set(tampering.witnessed)
    table = Table("what is done", *(str(k + 1) for k in range(len(names))), padding=(0, 0))
    for tampering, by in zip(TAMPERINGS, found, strict=True):
        table.add_row(tampering.title, *("x" if name in by else "" for name in names))
    console.print(table)
    for k, name in enumerate(names, start=1):
        console.print(f"{k:3}  {name}: finds {sum(name in by for by in found)}")
    for tampering, by in zip(TAMPERINGS, found, strict=True):
        if not by:
            by_witness = seen[tampering]
            said = f"; a witness's last checkpoint finds it: {by_witness}" if by_witness else ""
            console.print(f"not found: {tampering.title} Needs {tampering.needs}{said}.")
    console.print(
        f"{sum(map(bool, found))} of {len(found)} found, {sum(map(bool, seen.values()))} more with"
        f" a witness; {missed} by another check"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
