"""Groups of bars with whiskers as one SVG file that needs nothing else: no style sheet, no font, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from errata.report.markup import Attributes, Markup, el

_COLOURS = ("#6b7280", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7b3fa0")
_INK, _RULE, _PAPER = "#1f2430", "#d7dae0", "#ffffff"
_BAR, _AIR = 18, 24
"""The width of a bar, and the air between two groups."""

_LEFT, _TOP, _TALL, _LINE = 40, 36, 160, 18
_PANEL = _TALL + 62
_LETTER = 6.4
"""About what a letter takes across."""


@dataclass(frozen=True)
class Bar:
    """One bar; shares in [0, 1]."""

    label: str
    share: float
    error: float | None
    """Half the whisker; None for no whisker."""

    ring: float | None
    """Where a ring marks the share counted another way; None for no ring."""


def bars(
    title: str,
    panels: Mapping[str, Mapping[str, Sequence[Bar]]],
    labels: Sequence[str],
    *,
    key: str = "bar: generated; ring: teacher-forced",
) -> str:
    """The figure as the text of an SVG file.

    Args:
        title: over the whole, and what a screen reader says first.
        panels: panel -> group -> its bars, each with one of the labels. Panels stand one below the other.
        labels: in the order of places in a group, of colours and of the legend.
        key: what a bar is, below the legend.
    """
    groups = max((len(panel) for panel in panels.values()), default=0)
    names = [*labels, *panels]
    across = _group(labels, [name for panel in panels.values() for name in panel])
    width = max(_LEFT + groups * across, int(_LETTER * max(map(len, [title, *names]), default=0)) + 40)
    legend = _TOP + len(panels) * _PANEL
    height = legend + _LINE * (len(labels) + 2)
    drawn = [el("rect", {"width": width, "height": height, "fill": _PAPER}), _text(title, 10, 20, weight="bold")]
    for place, (name, panel) in enumerate(panels.items()):
        drawn += _panel(name, panel, labels, top=_TOP + place * _PANEL, width=width, across=across)
    for place, label in enumerate(labels):
        drawn.append(el("rect", {"x": _LEFT, "y": legend + _LINE * place, "width": 12, "height": 12, "fill": _colour(place)}))
        drawn.append(_text(label, _LEFT + 20, legend + _LINE * place + 10))
    drawn.append(_text(key, _LEFT, legend + _LINE * len(labels) + 12))
    box: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "img",
    }
    return el("svg", box, el("title", {}, title), *drawn).html


def _group(labels: Sequence[str], names: Sequence[str]) -> int:
    """How much a group takes across: its bars, and at least the longest group's name."""
    return max(len(labels) * _BAR, int(_LETTER * max(map(len, names), default=0)), 96) + _AIR


def _panel(
    name: str, groups: Mapping[str, Sequence[Bar]], labels: Sequence[str], *, top: int, width: int, across: int
) -> list[Markup]:
    base = top + 24 + _TALL
    drawn = [_text(name, 10, top + 14, weight="bold")]
    for percent in (0, 25, 50, 75, 100):
        y = _at(base, percent / 100)
        drawn.append(el("line", {"x1": _LEFT, "x2": width - 8, "y1": y, "y2": y, "stroke": _RULE}))
        drawn.append(_text(str(percent), _LEFT - 6, float(y) + 4, anchor="end"))
    for place, (group, held) in enumerate(groups.items()):
        left = _LEFT + place * across + _AIR / 2
        for bar in held:
            slot = labels.index(bar.label)
            drawn += _bar(bar, group, left + slot * _BAR, base, colour=_colour(slot))
        drawn.append(_text(group, left, base + 16))
    return drawn


def _bar(bar: Bar, group: str, x: float, base: float, *, colour: str) -> list[Markup]:
    told = f"{bar.label}, {group}: {100 * bar.share:.1f}%" + ("" if bar.error is None else f" ± {100 * bar.error:.1f}")
    middle = f"{x + _BAR / 2:.1f}"
    box: Attributes = {
        "x": f"{x + 1:.1f}",
        "y": _at(base, bar.share),
        "width": _BAR - 2,
        "height": f"{_TALL * bar.share:.1f}",
        "fill": colour,
    }
    drawn = [el("rect", box, el("title", {}, told))]
    if bar.error is not None:
        low, high = (_at(base, min(1.0, max(0.0, bar.share + step))) for step in (-bar.error, bar.error))
        drawn.append(el("path", {"d": f"M{middle} {low}V{high}", "stroke": _INK, "fill": "none"}))
    if bar.ring is not None:
        ring: Attributes = {"cx": middle, "cy": _at(base, bar.ring), "r": 4, "fill": _PAPER, "stroke": _INK}
        drawn.append(el("circle", ring, el("title", {}, f"{bar.label}, {group}, teacher-forced: {100 * bar.ring:.1f}%")))
    return drawn


def _at(base: float, share: float) -> str:
    return f"{base - _TALL * share:.1f}"


def _text(text: str, x: float, y: float, *, anchor: str = "start", weight: str = "normal") -> Markup:
    look: Attributes = {"font-family": "sans-serif", "font-size": 11, "font-weight": weight, "fill": _INK, "text-anchor": anchor}
    return el("text", {"x": f"{x:.1f}", "y": f"{y:.1f}", **look}, text)


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]
