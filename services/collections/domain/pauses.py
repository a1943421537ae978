"""Nights in which days past due stand still: those that disasters want, those that were ordered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from services.collections.domain.disaster import Disaster


class Nights(NamedTuple):
    """The nights from one day to another; two that share a day follow one another."""

    from_on: date
    until_on: date


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """One pause that was ordered from the ledger, as it is to end now."""

    number: int
    disaster_id: str
    from_on: date
    until_on: date
    refused: bool = False


class LoanPauses(msgspec.Struct, frozen=True, kw_only=True):
    """The pauses of one loan, oldest first; `waits` counts ends that the ledger has to take yet."""

    loan_id: str
    pauses: tuple[Pause, ...] = ()
    orders: int = 0
    waits: int = 0

    @property
    def disasters(self) -> set[str]:
        """The disasters for which it was paused, wherever its debtor lives by now."""
        return {one.disaster_id for one in self.pauses}


def wanted(disasters: Iterable[Disaster]) -> list[Nights]:
    """Return the nights of these disasters, oldest first; what overlaps or follows is one."""
    merged: list[Nights] = []
    for one in sorted((d.from_on, d.last_on) for d in disasters if d.from_on < d.last_on):
        if merged and one[0] <= merged[-1].until_on:
            merged[-1] = Nights(merged[-1].from_on, max(merged[-1].until_on, one[1]))
        else:
            merged.append(Nights(*one))
    return merged


def ends_on(pause: Pause, spans: Sequence[Nights]) -> date:
    """Return the last day of a pause: it stays while some disaster wants its nights."""
    if pause.refused:
        return pause.until_on
    for span in spans:
        if span.from_on <= pause.from_on < span.until_on:
            return min(pause.until_on, span.until_on)
    return min(pause.until_on, pause.from_on)


def missing(pauses: Sequence[Pause], spans: Sequence[Nights], after: date) -> list[Nights]:
    """Return the nights that are wanted and not paused, of stretches that end behind a day."""
    found = []
    for span in spans:
        begins = span.from_on
        for pause in sorted(pauses, key=lambda one: one.from_on):
            if pause.refused or pause.until_on <= begins or pause.from_on >= span.until_on:
                continue
            if begins < pause.from_on:
                found.append(Nights(begins, pause.from_on))
            begins = max(begins, pause.until_on)
        if begins < span.until_on:
            found.append(Nights(begins, span.until_on))
    return [one for one in found if one.until_on > after]
