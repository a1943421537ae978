"""A slice of `make stream`: nothing that a man in the middle does goes unnoticed."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.middle import MENDED, NOTICED, clean, meddle


async def test_clean_events_raise_no_alarm(tmp_path: Path) -> None:
    """Thousands of events, the loans in disorder among each other: all told, none is a fault."""
    told, alarms = await clean(tmp_path, 5_000, seed=1)

    assert told >= 5_000
    assert alarms == 0


async def test_every_meddling_is_noticed_or_mended(tmp_path: Path) -> None:
    """Dropped, changed and forged events show; doubled and reordered ones count once."""
    kinds, missed = await meddle(tmp_path, 600, seed=1)

    assert set(kinds) == {*NOTICED, *MENDED}
    assert missed == []
