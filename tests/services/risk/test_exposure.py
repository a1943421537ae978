"""Concentration as a table of amounts."""

from __future__ import annotations

import pytest

from services.risk.domain.exposure import hhi, shares

TABLE = [
    # amounts by product | shares                                   | index
    ([], [], 0),
    ([7], ["1.0000"], 10_000),
    ([50, 50], ["0.5000", "0.5000"], 5_000),
    ([30, 30, 20, 20], ["0.3000", "0.3000", "0.2000", "0.2000"], 2_600),
    ([1, 2], ["0.3333", "0.6667"], 5_556),
    ([0, 0], ["0.0000", "0.0000"], 0),
]


@pytest.mark.parametrize(("amounts", "parts", "index"), TABLE)
def test_concentration(amounts: list[int], parts: list[str], index: int) -> None:
    """The index is the sum of squared shares in percent; one product alone is 10000."""
    assert ([str(share) for share in shares(amounts)], hhi(amounts)) == (parts, index)
