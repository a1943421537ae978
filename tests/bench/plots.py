"""A curve as a small SVG: both axes logarithmic where the values span more than a decade."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from math import log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 300, 70, 20, 40, 50
SPAN, APART = 10, 36


@dataclass
class Curve:
    """Points of one curve: where across, and the median, least and most there."""

    name: str
    across: str
    up: str
    rows: list[tuple[int, float, float, float]] = field(default_factory=list)

    def add(self, x: int, middle: float, least: float, most: float) -> None:
        """Take one point."""
        self.rows.append((x, middle, least, most))


class _Axis:
    """Maps values of one axis to pixels."""

    def __init__(self, values: list[float], first: int, last: int) -> None:
        positive = min(values) > 0
        self.log = positive and max(values) / min(values) > SPAN
        low, high = min(values), max(values)
        if not self.log:
            low, high = min(0.0, low), high * 1.1 or 1.0
        self.low, self.high = self._scaled(low), self._scaled(high)
        self.first, self.last = first, last
        self.ticks = [low, (low + high) / 2, high] if not self.log else sorted({low, high})

    def _scaled(self, value: float) -> float:
        return log10(value) if self.log else value

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        part = (self._scaled(value) - self.low) / ((self.high - self.low) or 1.0)
        return self.first + part * (self.last - self.first)


def draw(curve: Curve, made_on: str) -> str:
    """Return the curve as SVG: the median as a line, least to most as bars."""
    across = _Axis([float(row[0]) for row in curve.rows], LEFT, WIDTH - RIGHT)
    up = _Axis([value for row in curve.rows for value in row[1:]], HEIGHT - BOTTOM, TOP)
    points = " ".join(f"{across.at(row[0]):.1f},{up.at(row[1]):.1f}" for row in curve.rows)
    bars = "".join(
        f'<line x1="{across.at(x):.1f}" x2="{across.at(x):.1f}" y1="{up.at(least):.1f}"'
        f' y2="{up.at(most):.1f}" stroke="#888"/>'
        for x, _, least, most in curve.rows
    )
    marks = "".join(
        f'<text x="{across.at(x):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:,}</text>'
        for x in _apart([row[0] for row in curve.rows], across)
    ) + "".join(
        f'<text x="{LEFT - 6}" y="{up.at(y) + 4:.1f}" text-anchor="end">{_short(y)}</text>'
        for y in up.ticks
    )
    frame = (
        f'<path d="M{LEFT},{TOP} V{HEIGHT - BOTTOM} H{WIDTH - RIGHT}" fill="none" stroke="#000"/>'
        f'<text x="{LEFT}" y="20" font-size="13">{escape(curve.up)}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 14}" text-anchor="end">'
        f"{escape(curve.across)}</text>"
        f'<text x="{LEFT}" y="{HEIGHT - 14}" fill="#888">{escape(made_on)}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
        f' font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'{frame}{bars}<polyline points="{points}" fill="none" stroke="#06c" stroke-width="2"/>'
        f"{marks}</svg>\n"
    )


def _apart(values: list[int], axis: _Axis) -> list[int]:
    """Return the values whose labels do not cover one another."""
    kept: list[int] = []
    for value in values:
        if not kept or axis.at(value) - axis.at(kept[-1]) >= APART:
            kept.append(value)
    return kept


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
