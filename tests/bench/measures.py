"""One measured figure: ours and its floor, run by run, as a row of the table and of the file."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass
class Measure:
    """A figure by name; each run adds ours and the floor of the same moment."""

    name: str
    unit: str
    floor_is: str
    store: str = ""
    ours: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)

    def add(self, ours: float, floor: float) -> None:
        """Take one run."""
        self.ours.append(ours)
        self.floors.append(floor)

    @property
    def ratios(self) -> list[float]:
        """Ours over the floor, per run."""
        return [a / b for a, b in zip(self.ours, self.floors, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """Return the object that is written."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": median(self.ours),
            "floor": median(self.floors),
            "floor_is": self.floor_is,
            "ratio": median(self.ratios),
            "min": min(self.ratios),
            "median": median(self.ratios),
            "max": max(self.ratios),
            "runs": len(self.ours),
            "store": self.store or self.name.partition(".")[2],
            "machine": machine(),
        }


def machine() -> str:
    """Say what it was measured on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
