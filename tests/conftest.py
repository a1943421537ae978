"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("duebook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("duebook")
"""How long an example takes is the machine's affair: a busy one fails no law."""

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(autouse=True)
def nothing_stays_in_the_checkout() -> Iterator[None]:
    """`make run` keeps its book in `data`, and refuses one that somebody else began."""
    there = DATA.exists()
    yield
    assert there or not DATA.exists(), "a test wrote into data, where `make run` keeps its book"
