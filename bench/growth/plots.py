"""Line plots as SVG, drawn here: no library, no resource from elsewhere. Pure.

Text comes in both languages, one of which the page hides. Colours are classes of the
page's style sheet, so that they follow its light and dark theme.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from bench.growth.words import Words

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 150, 34, 46
_LABEL_APART = 14


class Line(NamedTuple):
    """One line of a plot."""

    name: Words
    points: tuple[tuple[float, float], ...]
    colour: int
    """1 to 6: which class of the style sheet."""

    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot of lines over numbers of secondary nodes."""

    title: Words
    unit: Words
    lines: tuple[Line, ...]
    band: tuple[float, float] | None = None
    """Shown behind the lines: where they should stay."""

    bound: float | None = None
    """A level that is a goal."""

    from_zero: bool = True
    logarithmic: bool = False
    x_title: Words = field(default=Words("二级节点数", "secondary nodes"))


class _Scale(NamedTuple):
    """From values to places, and the values that get a tick."""

    low: float
    high: float
    first: float
    last: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return self.first + share * (self.last - self.first)


def draw(plot: Plot) -> str:
    """Draw a plot as an SVG element."""
    across, up = _scales(plot)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" class="plot">',
        f"<title>{escape(plot.title.zh)} / {escape(plot.title.en)}</title>",
        _band(plot, up),
        *_grid(plot, across, up),
        *_bound(plot, up),
        *(_line(line, across, up) for line in plot.lines),
        *_labels(plot.lines, up),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def nice_ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Give round values from `low` or below to `high` or above."""
    if high <= low:
        high = low + 1
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(number * step for number in range(first, last + 1))


def decades(low: float, high: float) -> tuple[float, ...]:
    """Give the powers of ten from `low` or below to `high` or above."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return tuple(10.0**power for power in range(first, max(last, first + 1) + 1))


def shown(value: float) -> str:
    """Write a tick's value shortly."""
    if value and abs(value) < 10 and value != int(value):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:,.0f}"


def _scales(plot: Plot) -> tuple[_Scale, _Scale]:
    xs = sorted({x for line in plot.lines for x, _ in line.points})
    ys = [y for line in plot.lines for _, y in line.points]
    ys += [*(plot.band or ()), *([plot.bound] if plot.bound is not None else [])]
    if plot.logarithmic:
        ticks = decades(min(y for y in ys if y > 0), max(ys))
    else:
        ticks = nice_ticks(0 if plot.from_zero else min(ys), max(ys))
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    across = _Scale(xs[0], xs[-1], _LEFT + 8, right - 8, tuple(xs))
    log = plot.logarithmic
    return across, _Scale(ticks[0], ticks[-1], bottom, _TOP, ticks, log)


def _band(plot: Plot, up: _Scale) -> str:
    if plot.band is None:
        return ""
    low, high = (up.place(value) for value in plot.band)
    return (
        f'<rect class="band" x="{_LEFT}" width="{WIDTH - _RIGHT - _LEFT}" '
        f'y="{high:.1f}" height="{low - high:.1f}"/>'
    )


def _grid(plot: Plot, across: _Scale, up: _Scale) -> list[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    found = []
    for value in up.ticks:
        y = up.place(value)
        found.append(
            f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" '
            f'text-anchor="end">{shown(value)}</text>'
        )
    for value in across.ticks:
        x = across.place(value)
        found.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" '
            f'text-anchor="middle">{shown(value)}</text>'
        )
    middle = (_LEFT + right) / 2
    found.append(_text(plot.x_title, middle, HEIGHT - 8, "axis", "middle"))
    found.append(_text(plot.unit, 4, _TOP - 18, "axis", "start"))
    return found


def _bound(plot: Plot, up: _Scale) -> list[str]:
    if plot.bound is None:
        return []
    y = f"{up.place(plot.bound):.1f}"
    right = WIDTH - _RIGHT
    return [f'<line class="bound" x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}"/>']


def _line(line: Line, across: _Scale, up: _Scale) -> str:
    places = [(across.place(x), up.place(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashed = ' stroke-dasharray="6 4"' if line.dashed else ""
    dots = "".join(
        f'<circle class="dot c{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
        for x, y in places
    )
    return f'<polyline class="line c{line.colour}" points="{path}"{dashed}/>{dots}'


def _labels(lines: Sequence[Line], up: _Scale) -> list[str]:
    """Name each line at its end, apart from one another."""
    ends = [(up.place(line.points[-1][1]), line) for line in lines]
    wanted = sorted(ends, key=operator.itemgetter(0))
    places = spread_out([y for y, _ in wanted], _LABEL_APART, _TOP, HEIGHT - _BOTTOM)
    return [
        _text(line.name, WIDTH - _RIGHT + 6, y + 4, f"label c{line.colour}", "start")
        for y, (_, line) in zip(places, wanted, strict=True)
    ]


def spread_out(
    places: Sequence[float], apart: float, low: float, high: float
) -> list[float]:
    """Move ascending places so that each is `apart` from the next."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + apart if moved else low))
    over = moved[-1] - high if moved else 0.0
    if over > 0:
        moved[-1] -= over
        for at in range(len(moved) - 2, -1, -1):
            moved[at] = min(moved[at], moved[at + 1] - apart)
    return moved


def _text(words: Words, x: float, y: float, kind: str, anchor: str) -> str:
    return "".join(
        f'<text class="{kind} {language}" x="{x:.1f}" y="{y:.1f}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
        for language, text in (("zh", words.zh), ("en", words.en))
    )
