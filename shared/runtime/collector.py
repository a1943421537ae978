"""Python's cycle collector, in processes that keep much in memory and make few cycles."""

from __future__ import annotations

import gc

YOUNG_MAX, YOUNG_ROUNDS, OLD_ROUNDS = 50_000, 20, 20


def collect_seldom() -> None:
    """
    Leave what was loaded so far alone, and look for cycles a hundred times less often.

    Reference counts free nearly everything at once. The default looks at everything that is kept
    again and again: it took a third of the time of a batch of repayments.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, YOUNG_ROUNDS, OLD_ROUNDS)
