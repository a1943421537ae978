"""Figures as one HTML page that needs nothing else: tables, and lines drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[1] / "templates"
COLOURS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#7f7f7f"),
    *("#bcbd22", "#1b4f72", "#922b21", "#196f3d"),
)
LEFT, TOP, WIDE, HIGH, LEGEND, BELOW, ROW = 60, 12, 640, 200, 200, 24, 15
STEPS, MARKS_MAX = 4, 9


@dataclass(frozen=True, slots=True)
class Line:
    """One figure over the labels of its chart; None where it is not known."""

    name: str
    points: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the same labels; `bounds` are drawn across, such as a limit of 0.25."""

    title: str
    labels: Sequence[str]
    lines: Sequence[Line]
    bounds: Sequence[float] = ()
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as texts; one that is RED, AMBER or GREEN is coloured so."""

    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)


def page(title: str, notes: Sequence[str], parts: Sequence[Chart | Table]) -> str:
    """Return the page; a chart without any point is left out."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [one for one in map(_part, parts) if one is not None]
    return environment.get_template("report.html.jinja").render(
        title=title, notes=notes, parts=shown
    )


def _part(part: Chart | Table) -> dict[str, Any] | None:
    if isinstance(part, Table):
        return {"title": part.title, "head": part.head, "rows": part.rows} if part.rows else None
    known = [p for line in part.lines for p in line.points if p is not None]
    if not known:
        return None
    low, high = min(0.0, *known), max(*known, *part.bounds, 1e-9)
    scale = _Scale(low, high, len(part.labels))
    height = max(TOP + HIGH + BELOW, TOP + ROW * (len(part.lines) + 1))
    svg = {
        "width": LEFT + WIDE + LEGEND,
        "height": height,
        "rules": [*_axis(part, scale), *(_rule(scale, b, part, "#c0392b") for b in part.bounds)],
        "marks": list(_marks(part.labels, scale)),
        "lines": [_line(part, place, scale) for place in range(len(part.lines))],
    }
    return {"title": part.title, "svg": svg}


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    count: int

    def x(self, place: int) -> float:
        return round(LEFT + WIDE * (place + 0.5) / max(1, self.count), 1)

    def y(self, figure: float) -> float:
        return round(TOP + HIGH * (self.high - figure) / (self.high - self.low), 1)


def _axis(part: Chart, scale: _Scale) -> Iterator[dict[str, Any]]:
    for step in range(STEPS + 1):
        figure = scale.low + (scale.high - scale.low) * step / STEPS
        yield _rule(scale, figure, part, "#ddd")


def _rule(scale: _Scale, figure: float, part: Chart, colour: str) -> dict[str, Any]:
    dash = "4 3" if figure in part.bounds else "none"
    edge = {"x1": LEFT, "x2": LEFT + WIDE, "y": scale.y(figure), "colour": colour, "dash": dash}
    return {**edge, "said": _said(figure, part)}


def _said(figure: float, part: Chart) -> str:
    return f"{figure:.1%}" if part.percent else f"{figure:.3g}"


def _marks(labels: Sequence[str], scale: _Scale) -> Iterator[dict[str, Any]]:
    every = -(-len(labels) // MARKS_MAX)
    for place in range(0, len(labels), every):
        yield {"x": scale.x(place), "y": TOP + HIGH + BELOW - 8, "said": labels[place]}


def _line(part: Chart, place: int, scale: _Scale) -> dict[str, Any]:
    line = part.lines[place]
    dots = [
        {"x": scale.x(k), "y": scale.y(p), "said": f"{line.name} {label}: {_said(p, part)}"}
        for k, (p, label) in enumerate(zip(line.points, part.labels, strict=True))
        if p is not None
    ]
    return {
        "name": line.name,
        "colour": COLOURS[place % len(COLOURS)],
        "points": " ".join(f"{dot['x']},{dot['y']}" for dot in dots),
        "dots": dots,
        "label_y": TOP + ROW * (place + 1),
    }
