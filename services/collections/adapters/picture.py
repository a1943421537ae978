"""The figures as one picture: months as bars, shares by arm as points with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lending.collections.v1 import work_service_pb2 as pb

TEMPLATES = Path(__file__).parents[1] / "templates"
SERIES = (
    ("opened", "#c0504d"),
    ("closed", "#4f9d69"),
    ("messages", "#9db7d5"),
    ("contacts", "#1f4e79"),
    ("promises", "#e0a030"),
    ("charged_off", "#444444"),
)
ARMS = ("#222222", "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b")
LEFT, RIGHT, TOP, BARS_HIGH, ROW = 20, 880, 60, 200, 20


def picture(answer: pb.GetFiguresResponse, title: str) -> str:
    """Return figures as SVG text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True
    )
    bars, marks, lines = _months(answer.months)
    points, labels, dots = _shares(answer.shares, TOP + BARS_HIGH + 60)
    rate = answer.contacts_per_cure or "none cured"
    cost = answer.costs[0].per_hundred if answer.costs else ""
    return environment.get_template("report.svg.jinja").render(
        title=f"{title}; contacts per cure: {rate}; cost per 100 collected: {cost or '-'}",
        height=TOP + BARS_HIGH + 80 + ROW * len(answer.shares),
        legend=[(name.replace("_", " "), colour) for name, colour in SERIES],
        bars=bars,
        marks=[*marks, *labels],
        lines=[*lines, *points],
        dots=dots,
    )


def _months(months: Sequence[pb.Month]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return bars, labels and the base line of the months."""
    base, bars, marks = TOP + BARS_HIGH, [], []
    highest = max((getattr(m, name) for m in months for name, _ in SERIES), default=1) or 1
    step = (RIGHT - LEFT) // max(1, len(months))
    wide = max(1, (step - 6) // len(SERIES))
    for place, month in enumerate(months):
        for number, (name, colour) in enumerate(SERIES):
            count = getattr(month, name)
            high = count * BARS_HIGH // highest
            x = LEFT + place * step + number * wide
            said = f"{month.month} {name}: {count}"
            bars.append({"x": x, "y": base - high, "width": wide, "height": high})
            bars[-1] |= {"colour": colour, "said": said}
        middle = LEFT + place * step + step // 2
        marks.append(_mark(middle, base + 14, month.month[2:], "middle", small=True))
    marks.append(_mark(RIGHT, TOP + 8, f"highest bar: {highest}", "end", small=True))
    line = {"x1": LEFT, "y1": base, "x2": RIGHT, "y2": base, "colour": "#888", "width": 1}
    return bars, marks, [line]


def _shares(shares: Sequence[pb.Share], top: int) -> tuple[list[Any], list[Any], list[Any]]:
    """Return intervals, labels and points of the shares, one row each."""
    lines, marks, dots = [], [], []
    arms = sorted({share.arm for share in shares})
    for row, share in enumerate(shares):
        y = top + row * ROW
        named = f"{share.figure.replace('_', ' ')} · {share.arm or 'all'}"
        young = f", {share.young} too young" if share.young else ""
        said = f"{named} ({share.part} of {share.whole}{young})"
        marks.append(_mark(LEFT, y + 4, said, "start"))
        if not share.share:
            continue
        colour = ARMS[arms.index(share.arm) % len(ARMS)]
        low, at, high = (_across(text) for text in (share.low, share.share, share.high))
        line = {"x1": low, "y1": y, "x2": high, "y2": y, "colour": colour, "width": 2}
        lines.append(line)
        said = f"{share.share} ({share.low} to {share.high})"
        dots.append({"x": at, "y": y, "colour": colour, "said": said})
        marks.append(_mark(RIGHT, y + 4, said, "end", small=True))
    return lines, marks, dots


def _across(share: str) -> int:
    """Return where a share lies between the left and right of its field."""
    return 330 + int(Decimal(share) * 400)


def _mark(x: int, y: int, said: str, anchor: str, *, small: bool = False) -> dict[str, Any]:
    return {"x": x, "y": y, "said": said, "anchor": anchor, "small": small}
