"""How loans move between buckets from one month end to the next, and where that leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

import msgspec

from shared.kernel.errors import InvalidArgument

STATES = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "CHARGED_OFF", "SETTLED")
ABSORBING = ("CHARGED_OFF", "SETTLED")
DEFAULTED = ("M4", "M5", "M6", "M7", "CHARGED_OFF")
"""More than 90 days past due, or charged off."""


class StateUnknown(InvalidArgument):
    """A state is not one of the known ones: the coding changed, or is wrong."""


class Move(msgspec.Struct, frozen=True):
    """One loan over one month: its states at both ends; its balance at the first, minor units."""

    before: str
    after: str
    balance_minor: int


class RollMatrix(msgspec.Struct, frozen=True, kw_only=True):
    """Moves counted: a row per state before, a column per state after; balances in minor units."""

    states: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    balances_minor: tuple[tuple[int, ...], ...]

    def by_count(self) -> list[list[Fraction]]:
        """Return shares of loans: each row seen sums to exactly one, one never seen is zero."""
        return [_shares(row) for row in self.counts]

    def by_balance(self) -> list[list[Fraction]]:
        """Return shares of balance: each row with a balance sums to exactly one."""
        return [_shares(row) for row in self.balances_minor]

    def seen_once(self) -> list[str]:
        """Return states that only ever appear on one side: often an artefact of coding."""
        before = {s for s, row in zip(self.states, self.counts, strict=True) if sum(row)}
        sums = [sum(column) for column in zip(*self.counts, strict=True)]
        after = {s for s, number in zip(self.states, sums, strict=True) if number}
        return [s for s in self.states if (s in before) != (s in after) and s not in ABSORBING]


def roll_matrix(moves: Iterable[Move], states: Sequence[str] = STATES) -> RollMatrix:
    """
    Count moves.

    Raises:
        StateUnknown: a move from or to another state, or out of an absorbing one.
    """
    counts: Counter[tuple[str, str]] = Counter()
    balances: Counter[tuple[str, str]] = Counter()
    for move in moves:
        if move.before not in states or move.after not in states:
            unknown = move.before if move.before not in states else move.after
            raise StateUnknown(f"{unknown!r} is no state", field="state", expected=str(states))
        if move.before in ABSORBING and move.after != move.before:
            raise StateUnknown(f"{move.before} was left", field="state", expected="absorbing")
        counts[move.before, move.after] += 1
        balances[move.before, move.after] += move.balance_minor
    return RollMatrix(
        states=tuple(states),
        counts=tuple(tuple(counts[a, b] for b in states) for a in states),
        balances_minor=tuple(tuple(balances[a, b] for b in states) for a in states),
    )


def _shares(row: Sequence[int]) -> list[Fraction]:
    total = sum(row)
    return [Fraction(cell, total) if total else Fraction(0) for cell in row]


def flow_rates(matrix: RollMatrix) -> dict[str, Fraction]:
    """Return, per bucket, the share of balance that goes one bucket further or is charged off."""
    found = {}
    for place, (state, row) in enumerate(zip(matrix.states, matrix.by_balance(), strict=True)):
        if state in ABSORBING or not any(row):
            continue
        worse = matrix.states[place + 1 :]
        found[state] = sum(
            (
                share
                for name, share in zip(matrix.states, row, strict=True)
                if name in worse and name != "SETTLED"
            ),
            Fraction(0),
        )
    return found


def cure_rates(matrix: RollMatrix) -> dict[str, Fraction]:
    """Return, per late bucket, the share of loans that is current or settled a month later."""
    found = {}
    for state, row in zip(matrix.states, matrix.by_count(), strict=True):
        if state != "M0" and state not in ABSORBING and any(row):
            shares = dict(zip(matrix.states, row, strict=True))
            found[state] = shares["M0"] + shares["SETTLED"]
    return found


def default_curve(matrix: RollMatrix, state: str, months: int) -> list[float]:
    """
    Return the probability of having defaulted by the end of each month, from a state today.

    The matrix is taken to hold for every month to come, and default to be final: what leads out
    of it is ignored. Nothing is known of a late bucket that was never seen: its loans are taken to
    go one bucket further each month. M0 never seen stays where it is.
    """
    steps = [[1.0 * share for share in row] for row in matrix.by_count()]
    places = {name: k for k, name in enumerate(matrix.states)}
    for name, k in places.items():
        if name in DEFAULTED or not any(steps[k]):
            stays = name in DEFAULTED or name in ABSORBING or name == "M0"
            after = k if stays else k + 1
            steps[k] = [1.0 if j == after else 0.0 for j in range(len(steps))]
    now = [1.0 if name == state else 0.0 for name in matrix.states]
    found = []
    for _ in range(months):
        now = [sum(p * steps[i][j] for i, p in enumerate(now)) for j in range(len(now))]
        found.append(sum(now[places[name]] for name in DEFAULTED))
    return found
