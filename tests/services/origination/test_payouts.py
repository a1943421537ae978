"""The folder that pays out: whoever asks, and however many at once, one order is paid once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from services.origination.adapters.payouts import FolderPayouts
from services.origination.application.ports import PayoutOrder


async def test_one_order_asked_by_many_at_once_is_paid_once(tmp_path: Path) -> None:
    """A request and the work that resumes it meet: both get the same answer."""
    order = PayoutOrder(**{name: _VALUES.get(name, "x") for name in PayoutOrder._fields})
    payouts = FolderPayouts(tmp_path)

    answers = await asyncio.gather(*(payouts.pay(order) for _ in range(40)))

    assert len(set(answers)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["P-1.json"]


_VALUES = {"payout_id": "P-1", "amount_minor": 100}
