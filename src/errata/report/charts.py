"""Small charts as inline SVG: lines over a scale, dots with a median line, shares on a bar, pairs of dots on a rail.

Sizes are in the units of each chart's own box. Colours come from the style sheet through classes, so that one file serves light,
dark and paper; markers differ by shape as well, so that no reading rests on colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from errata.core.counted import digits
from errata.report.markup import Attributes, Markup, el

CARET = el("path", {"class": "caret", "d": "M0 0L5 8H-5Z"})
"""Points at a share from below."""

_GAP = 11.5
"""The least distance between two labels, so that they stay legible."""


@dataclass(frozen=True)
class Series:
    """One line: its look, and its points from left to right."""

    label: str
    css: str
    slot: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Frame:
    """A chart's box and the margins around its plotted area; the right one holds each line's last value."""

    width: int
    height: int
    left: int = 30
    right: int = 34
    top: int = 10
    bottom: int = 36

    @property
    def across(self) -> tuple[float, float]:
        """Where the plotted area starts and ends, with air for the outermost markers."""
        return self.left + 6.0, self.width - self.right - 4.0

    @property
    def base(self) -> int:
        """Where the horizontal axis lies."""
        return self.height - self.bottom


PANEL = Frame(254, 168)
"""One of several side by side."""

ALONE = Frame(460, 250)
"""One by itself."""

SQUARE = Frame(460, 334, left=46, right=14, bottom=38)
"""Two percentages against each other."""


@dataclass(frozen=True)
class Scale:
    """From a value to a place on the paper, straight or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(self.low), math.log(self.high), math.log(value)) if self.log else (self.low, self.high, value)
        share = 0.5 if high == low else (at - low) / (high - low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Axis:
    """The part of 0 to 100 percent that a chart shows, and where its rules lie."""

    low: int
    high: int
    step: int

    @property
    def levels(self) -> list[float]:
        return [float(level) for level in range(self.low, self.high + 1, self.step)]

    @property
    def said(self) -> str:
        """That it isn't the whole; empty where it is."""
        return "" if (self.low, self.high) == (0, 100) else f"axis {self.low} to {self.high}"


WHOLE = Axis(0, 100, 25)


def axis_for(values: Iterable[float]) -> Axis:
    """The part that has room for these percentages: a fifth, a half, or the whole. Never less, or noise would look like a fall."""
    known = list(values)
    for step, width in ((5, 20), (10, 50)):
        low = min(int(min(known, default=0) // step) * step, 100 - width)
        if known and max(known) <= low + width:
            return Axis(low, low + width, step)
    return WHOLE


def wide(low: float, high: float) -> bool:
    """Whether a range is so wide that a straight scale would squeeze its small end."""
    return low > 0 and high / low >= 20


def percent_panel(
    series: Sequence[Series], *, axis: Axis, frame: Frame, ticks: Sequence[float], x_title: str, name: str, log: bool
) -> Markup:
    """Lines of percentages over `ticks`; `name` is what a screen reader says before the values. A logarithmic scale says so."""
    x, y = Scale(ticks[0], ticks[-1], *frame.across, log), Scale(axis.low, axis.high, frame.base, frame.top)
    x_title = f"{x_title} (logarithmic)" if log else x_title
    said = "; ".join(f"{one.label}: " + ", ".join(f"{b:.0f} at {_plain(a)}" for a, b in one.points) for one in series)
    lines = [_line(one, x, y) for one in series]
    finals = [(one, y(one.points[-1][1]), f"{one.points[-1][1]:.0f}") for one in series if one.points]
    return _svg(
        f"{name}. {x_title}, in percent. {said}.",
        *_grid(frame, y, axis.levels),
        *_x_axis(frame, x, ticks=ticks, title=x_title),
        *lines,
        *_end_labels(frame, finals),
        frame=frame,
    )


def dots_panel(dots: Sequence[float], trend: Series, *, y: Scale, levels: Sequence[float], name: str, x_title: str) -> Markup:
    """A dot for each value in its order, counted from 1, and the trend over them."""
    x = Scale(1, max(2, len(dots)), *PANEL.across)
    placed = "".join(f"M{x(place):.1f} {y(value):.1f}h0" for place, value in enumerate(dots, 1) if y.low <= value <= y.high)
    last = [(trend, y(trend.points[-1][1]), digits(trend.points[-1][1]))] if trend.points else []
    cloud = el("path", {"class": f"dots {trend.css}", "d": placed})
    ticks = sorted({1, (len(dots) + 1) // 2, len(dots)}) if dots else []
    return _svg(
        name,
        *_grid(PANEL, y, levels),
        *_x_axis(PANEL, x, ticks=ticks, title=x_title),
        cloud,
        _line(trend, x, y, marks=False),
        *_end_labels(PANEL, last),
    )


def trade_chart(series: Sequence[Series], *, across: Axis, up: Axis) -> Markup:
    """A path for each editor over its horizons: across, what stayed (percent); up, what changed as it should (percent)."""
    frame = SQUARE
    x = Scale(across.low, across.high, frame.left + 4, frame.width - frame.right - 6)
    y = Scale(up.low, up.high, frame.base - 4, frame.top)
    ends = [(one.label, one.points[0], one.points[-1]) for one in series if one.points]
    said = "; ".join(f"{label} from {a[1]:.0f} changed and {a[0]:.0f} stayed to {b[1]:.0f} and {b[0]:.0f}" for label, a, b in ends)
    upright = [
        el("line", {"class": "grid", "x1": f"{x(v):.1f}", "x2": f"{x(v):.1f}", "y1": frame.top, "y2": frame.base})
        for v in across.levels
    ]
    turned = f"translate(12 {(frame.top + frame.base) / 2:.0f}) rotate(-90)"
    return _svg(
        f"What changed against what stayed, in percent, along the stream: {said}.",
        *upright,
        *_grid(frame, y, up.levels),
        *_x_axis(frame, x, ticks=across.levels, title="what should stay, stayed (%)"),
        el("text", {"class": "axis mid", "transform": turned}, "what should change, changed (%)"),
        *(_line(one, x, y, grow=True) for one in series),
        frame=frame,
    )


def share_bar(parts: Sequence[tuple[str, float]], *, mark: float | None, name: str) -> Markup:
    """Shares of one whole, side by side; `mark` sets a caret at a share. It stretches with the page, its words don't."""
    at, drawn = 0.0, list[Markup]()
    for label, share in parts:
        box: Attributes = {"class": f"share {label}", "x": f"{100 * at:.3f}%", "y": 0, "width": f"{100 * share:.3f}%", "height": 28}
        drawn.append(el("rect", box, el("title", {}, f"{label}: {100 * share:.1f}%")))
        if share >= 0.07:
            middle = f"{100 * (at + share / 2):.3f}%"
            drawn.append(
                el("text", {"class": f"inside {label}", "x": middle, "y": 18, "text-anchor": "middle"}, f"{100 * share:.0f}%")
            )
        at += share
    if mark is not None:
        # A caret below the bar, so that it hides no figure; the inner box carries its place in percent.
        drawn.append(el("svg", {"class": "place", "x": f"{100 * mark:.3f}%", "y": 30, "aria-hidden": "true"}, CARET))
    return el("svg", {"class": "bar", "width": "100%", "height": 40, "role": "img", "aria-label": name}, *drawn)


def rail(rows: Sequence[tuple[str, str, float | None, float | None]], *, name: str) -> Markup:
    """For each row (label, css, generated, teacher-forced), both percentages on one line: filled and hollow."""
    height = 22 * len(rows) + 30
    x = Scale(0, 100, 10, PANEL.width - 12)
    drawn = _quarters(x, 100, height)
    for place, (label, css, generated, forced) in enumerate(rows):
        y = 17 + 22 * place
        if generated is not None and forced is not None:
            drawn.append(
                el("line", {"class": f"link {css}", "x1": f"{x(generated):.1f}", "x2": f"{x(forced):.1f}", "y1": y, "y2": y})
            )
        for value, look, word in ((forced, "hollow", "teacher-forced"), (generated, "full", "generated")):
            if value is not None:
                title = el("title", {}, f"{label}, {word}: {value:.1f}%")
                radius = "4.4" if look == "full" else "5.2"
                drawn.append(el("circle", {"class": f"{look} {css}", "cx": f"{x(value):.1f}", "cy": y, "r": radius}, title))
    return _svg(name, *drawn, frame=Frame(PANEL.width, height))


def strips(rows: Sequence[tuple[str, str, Sequence[float]]], *, name: str) -> Markup:
    """For each row (label, css, values in [0, 1]) a line with a dot for each value and a bar at their median."""
    height, left = 26 * len(rows) + 26, 74
    x = Scale(0, 1, left, PANEL.width - 8)
    drawn = _quarters(x, 1, height)
    for place, (label, css, values) in enumerate(rows):
        y = 19 + 26 * place
        drawn.append(_text(label, left - 8, y + 3.5, "tick end"))
        drawn.append(el("path", {"class": f"dots {css}", "d": "".join(f"M{x(value):.1f} {y}h0" for value in values)}))
        if values:
            at = x(median(values))
            drawn.append(el("line", {"class": f"line {css}", "x1": f"{at:.1f}", "x2": f"{at:.1f}", "y1": y - 8, "y2": y + 8}))
    return _svg(name, *drawn, frame=Frame(PANEL.width, height))


def whisker(mean: float, error: float, *, mark: float) -> Markup:
    """A percentage as a dot with two standard errors to either side, another row's as an upright mark; its number stands beside."""
    x = Scale(0, 100, 4, 116)
    low, high = max(0.0, mean - 2 * error), min(100.0, mean + 2 * error)
    return el(
        "svg",
        {"class": "whisker", "viewBox": "0 0 120 16", "width": 120, "height": 16, "aria-hidden": "true"},
        el("line", {"class": "grid", "x1": f"{x(0):.1f}", "x2": f"{x(100):.1f}", "y1": 8, "y2": 8}),
        el("line", {"class": "notch", "x1": f"{x(mark):.1f}", "x2": f"{x(mark):.1f}", "y1": 1, "y2": 15}),
        el("line", {"class": "line", "x1": f"{x(low):.1f}", "x2": f"{x(high):.1f}", "y1": 8, "y2": 8}),
        el("circle", {"class": "full", "cx": f"{x(mean):.1f}", "cy": 8, "r": "3.4"}),
    )


def key(label: str, css: str, slot: int) -> Markup:
    """An editor's entry in a legend: a piece of its line with its marker, and its name."""
    sample = el(
        "svg",
        {"class": "key", "viewBox": "0 0 26 12", "width": 26, "height": 12, "aria-hidden": "true"},
        el("path", {"class": f"line {css}", "d": "M1 6H25"}),
        _marker(slot, css, 13, 6),
    )
    return el("span", {"class": "entry"}, sample, label)


def _svg(name: str, *children: Markup, frame: Frame = PANEL) -> Markup:
    return el(
        "svg", {"class": "chart", "viewBox": f"0 0 {frame.width} {frame.height}", "role": "img", "aria-label": name}, *children
    )


def _quarters(x: Scale, whole: float, height: int) -> list[Markup]:
    """Upright rules at the quarters of a whole, each with its number below."""
    rules: list[Markup] = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = x(share * whole)
        rules.append(el("line", {"class": "grid", "x1": f"{at:.1f}", "x2": f"{at:.1f}", "y1": 6, "y2": height - 20}))
        rules.append(_text(_plain(share * whole), at, height - 6, "tick mid"))
    return rules


def _text(text: str, x: float, y: float, css: str) -> Markup:
    return el("text", {"class": css, "x": f"{x:.1f}", "y": f"{y:.1f}"}, text)


def _grid(frame: Frame, y: Scale, levels: Sequence[float]) -> list[Markup]:
    rules: list[Markup] = []
    for level in levels:
        at = y(level)
        rules.append(
            el("line", {"class": "grid", "x1": frame.left, "x2": frame.width - frame.right, "y1": f"{at:.1f}", "y2": f"{at:.1f}"})
        )
        rules.append(_text(_plain(level), frame.left - 5, at + 3.5, "tick end"))
    return rules


def _x_axis(frame: Frame, x: Scale, *, ticks: Sequence[float], title: str) -> list[Markup]:
    base, drawn, free = frame.base, list[Markup](), math.inf
    # From the right, so that the last horizon always has its label.
    for tick in reversed(ticks):
        at = x(tick)
        drawn.append(el("line", {"class": "notch", "x1": f"{at:.1f}", "x2": f"{at:.1f}", "y1": base, "y2": base + 3}))
        if at <= free:
            drawn.append(_text(_plain(tick), at, base + 14, "tick mid"))
            free = at - 8 - 6.2 * len(_plain(tick))
    return [*drawn, _text(title, (frame.left + frame.width - frame.right) / 2, frame.height - 5, "axis mid")]


def _line(one: Series, x: Scale, y: Callable[[float], float], *, marks: bool = True, grow: bool = False) -> Markup:
    """`grow` draws the markers larger towards the end, to show which way a path runs."""
    if not one.points:
        return el("g", {})
    path = "M" + "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in one.points)
    count = len(one.points)
    spots = [
        el(
            "g",
            {},
            el("title", {}, f"{one.label}: {_plain(round(a, 1))}, {b:.1f}"),
            _marker(one.slot, one.css, x(a), y(b), size=0.75 + 0.6 * place / max(1, count - 1) if grow and count > 1 else 1.0),
        )
        for place, (a, b) in enumerate(one.points)
        if marks
    ]
    return el("g", {}, el("path", {"class": f"line {one.css}", "d": path}), *spots)


def _end_labels(frame: Frame, finals: Sequence[tuple[Series, float, str]]) -> list[Markup]:
    spots = _apart([at for _, at, _ in finals], _GAP, (frame.top + 1.0, frame.base))
    return [
        _text(words, frame.width - frame.right + 5, spot + 3.5, f"last {one.css}")
        for (one, _, words), spot in zip(finals, spots, strict=True)
    ]


def _apart(places: Sequence[float], gap: float, bounds: tuple[float, float]) -> list[float]:
    """The nearest places in the same order that are at least `gap` apart, inside the bounds where they fit."""
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    moved = [0.0] * len(places)
    floor = bounds[0]
    for index in order:
        moved[index] = max(places[index], floor)
        floor = moved[index] + gap
    ceiling = bounds[1]
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def _marker(slot: int, css: str, x: float, y: float, *, size: float = 1.0) -> Markup:
    place = f"translate({x:.1f} {y:.1f}) scale({size:.2f})"
    return el(
        "path",
        {"class": f"mark {css}", "d": "M-3 -3L3 3M-3 3L3 -3" if slot < 0 else _SHAPES[slot % len(_SHAPES)], "transform": place},
    )


_SHAPES = (
    "M-3.4 0A3.4 3.4 0 1 0 3.4 0A3.4 3.4 0 1 0 -3.4 0Z",
    "M-3 -3H3V3H-3Z",
    "M0 -3.9L3.7 2.7H-3.7Z",
    "M0 -4.2L4.2 0L0 4.2L-4.2 0Z",
    "M0 3.9L3.7 -2.7H-3.7Z",
    "M-1.3 -3.8H1.3V-1.3H3.8V1.3H1.3V3.8H-1.3V1.3H-3.8V-1.3H-1.3Z",
)


def _plain(value: float) -> str:
    return f"{value:g}" if abs(value) < 10000 else f"{value / 1000:g}k"
