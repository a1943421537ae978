"""Whether groups that a model may not look at fare alike under it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from services.risk.domain.discrimination import OneOutcomeOnly, quality

FOUR_FIFTHS = 0.8
"""Below this share of the best group's approvals a group is looked at: 29 CFR 1607.4 D."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group; rates are fractions, `auc` is None where only one outcome is seen."""

    name: str
    count: int
    bad_rate: float
    said_rate: float
    approval_rate: float
    impact_ratio: float
    good_approval_rate: float
    auc: float | None

    @property
    def looked_at(self) -> bool:
        """Say whether it is approved less than four fifths as often as the best group."""
        return self.impact_ratio < FOUR_FIFTHS


def groups(
    names: Sequence[str],
    probabilities: Sequence[float],
    bad: Sequence[bool],
    *,
    approved_below: float,
    count_min: int = 30,
) -> list[Group]:
    """
    Compare groups.

    Args:
        names: The group of each application.
        probabilities: Of being bad, held out, one per application.
        bad: Outcomes, as many.
        approved_below: Applications below this probability are approved.
        count_min: Smaller groups say too little and are left out.
    Returns:
        Groups in order of name; the impact ratio is to the group approved most often.
    """
    members: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for name, said, outcome in zip(names, probabilities, bad, strict=True):
        members[name].append((said, outcome))
    kept = {name: rows for name, rows in sorted(members.items()) if len(rows) >= count_min}
    rates = {n: sum(p < approved_below for p, _ in rows) / len(rows) for n, rows in kept.items()}
    best = max(rates.values(), default=0.0)
    return [_group(name, rows, rates[name], best, approved_below) for name, rows in kept.items()]


def _group(
    name: str, rows: Sequence[tuple[float, bool]], rate: float, best: float, cut: float
) -> Group:
    goods = [p for p, bad in rows if not bad]
    try:
        area = quality([p for p, _ in rows], [bad for _, bad in rows]).auc
    except OneOutcomeOnly:
        area = None
    return Group(
        name=name,
        count=len(rows),
        bad_rate=sum(bad for _, bad in rows) / len(rows),
        said_rate=sum(p for p, _ in rows) / len(rows),
        approval_rate=rate,
        impact_ratio=rate / best if best else 1.0,
        good_approval_rate=sum(p < cut for p in goods) / max(1, len(goods)),
        auc=area,
    )
