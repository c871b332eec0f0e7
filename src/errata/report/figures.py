"""The figures: which numbers of the runs go on which chart."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

from errata.core.counted import counted, digits
from errata.measure.kinds import CLASS_MEANINGS, Kind
from errata.measure.scoring import COMPOSITES
from errata.report.charts import (
    ALONE,
    CARET,
    PANEL,
    WHOLE,
    Scale,
    Series,
    axis_for,
    dots_panel,
    key,
    percent_panel,
    rail,
    share_bar,
    trade_chart,
    wide,
)
from errata.report.markup import NOTHING, Markup, el
from errata.report.stats import mean_rate, middle, rate_of
from errata.report.tables import forced_kinds
from errata.report.view import Shown, View

_STRETCHES = 20
"""Points of the median line over the stream."""

_MOST_DOTS = 2000
"""Dots in one panel; longer streams show every k-th write."""


def legend(shown: Sequence[Shown]) -> Markup:
    """Which colour and marker is whose."""
    return el("p", {"class": "legend"}, *(key(one.label, one.css, one.slot) for one in shown))


def trade(view: View) -> Markup:
    """The stream as a path between spread and damage."""
    change = [kind.name for kind in view.kinds if kind.side == "change"]
    stay = [kind.name for kind in view.kinds if kind.side == "stay"]
    series = []
    for one in view.shown:
        points = tuple(
            (100 * stayed, 100 * taught)
            for horizon in one.course
            if (stayed := mean_rate(horizon, stay)) is not None and (taught := mean_rate(horizon, change)) is not None
        )
        series.append(Series(one.label, one.css, one.slot, points))
    placed = [point for one in series for point in one.points]
    across, up = axis_for(stayed for stayed, _ in placed), axis_for(taught for _, taught in placed)
    cut = [f"{way}, {axis.said}" for way, axis in (("across", across), ("up", up)) if axis.said]
    told = [el("figcaption", {"class": "note"}, f"Only the part that the paths take is drawn: {'; '.join(cut)}.")] if cut else []
    return el("figure", {"class": "trade"}, legend(view.shown), trade_chart(series, across=across, up=up), *told)


def curves(view: View) -> list[Markup]:
    """A panel for each kind, what should change above what should stay; a composite is left to its parts."""
    blocks = [legend(view.shown)]
    for side, said in (
        ("change", "What should change"),
        ("stay", "What should stay"),
        ("mixed", "Other kinds"),
        ("more", "Asked beside"),
    ):
        kinds = [kind for kind in view.kinds if kind.side == side and kind.name not in COMPOSITES]
        if kinds:
            panels = [_curve(view, kind) for kind in kinds]
            blocks.append(el("figure", {}, el("h3", {}, said), el("div", {"class": "panels"}, *panels)))
    return blocks


def shares(view: View) -> Markup:
    """A bar for each editor, shared out among the five classes."""
    keys = [
        el(
            "span",
            {"class": "entry"},
            el("span", {"class": f"chip {name}", "aria-hidden": "true"}),
            el("b", {}, name),
            f" {meaning}",
        )
        for name, meaning in CLASS_MEANINGS
    ]
    caret = el("svg", {"class": "key", "viewBox": "-6 -2 12 12", "width": 12, "height": 12, "aria-hidden": "true"}, CARET)
    keys.append(el("span", {"class": "entry"}, caret, el("b", {}, " strict"), " proper, and every consequence given as well"))
    rows = []
    for one in view.shown:
        rates = {name: rate.rate for name, rate in one.last.classes.items() if rate.rate is not None}
        parts = [(name, rates[name]) for name, _ in CLASS_MEANINGS if name in rates]
        strict = rates.get("strict")
        said = ", ".join(f"{name} {100 * share:.0f}%" for name, share in parts) + (
            f"; strict {100 * strict:.0f}%" if strict is not None else ""
        )
        bar = (
            share_bar(parts, mark=strict, name=f"{one.label}: {said}.")
            if parts
            else el("p", {"class": "quiet"}, "no edit was scored")
        )
        scored = max((rate.n for rate in one.last.classes.values()), default=0)
        note = f"{scored} scored, {one.last.refused} refused" + (f", strict {100 * strict:.0f}%" if strict is not None else "")
        label = el("span", {"class": f"who {one.css}"}, el("span", {"class": "swatch", "aria-hidden": "true"}), one.label)
        rows.append(el("div", {"class": "sharerow"}, el("p", {}, label, " ", el("span", {"class": "quiet"}, note)), bar))
    return el("figure", {}, el("div", {"class": "legend tall"}, *keys), *rows)


def retention(view: View) -> Markup:
    """Reliability by age."""
    series = []
    for one in view.shown:
        ages = one.last.retention
        points = tuple((int(age) + 1, 100 * rate) for age in sorted(ages, key=int) if (rate := ages[age].rate) is not None)
        series.append(Series(one.label, one.css, one.slot, points))
    if not any(one.points for one in series):
        return NOTHING
    chart = percent_panel(
        series,
        axis=WHOLE,
        frame=ALONE,
        ticks=range(1, 11),
        x_title="tenth of the stream, oldest first",
        name="Reliability by age of the edit",
        log=False,
    )
    return el("figure", {"class": "one"}, legend(view.shown), chart)


def cost_figure(view: View) -> Markup:
    """Write time against place in the stream, a panel for each editor that writes."""
    costs = {one.label: _relative(one) for one in view.editors}
    values = [value for relative in costs.values() for value in relative if value > 0]
    if not values:
        return NOTHING
    low, high = min(values), max(values)
    log = wide(low, high)
    levels = _levels(low if log else 0.0, high, log=log)
    scale = Scale(levels[0], levels[-1], PANEL.base, PANEL.top, log)
    panels = []
    for one in view.editors:
        relative = costs[one.label]
        step = max(1, -(-len(relative) // _MOST_DOTS))
        thinned = relative[::step]
        said = "" if step == 1 else f", every {step}th write"
        trend = Series(one.label, one.css, one.slot, _trend(thinned, log=log))
        along, half = counted(len(relative), "write"), digits(middle(relative) or 0)
        name = f"{one.label}: write time over one pass, along {along}; median {half}."
        chart = dots_panel(thinned, trend, y=scale, levels=levels, name=name, x_title=f"write, in order{said}")
        panels.append(panel(one.label, f"write time / pass time{', logarithmic scale' if log else ''}", chart))
    return el("figure", {}, el("div", {"class": "panels"}, *panels))


def forcing_figure(view: View) -> Markup:
    """For each kind, both measures of every editor on one rail."""
    panels = []
    for kind in forced_kinds(view):
        rows, said = [], []
        for one in view.shown:
            generated = rate_of(one.last, kind.name)
            forced = one.last.teacher_forced[kind.name].rate if kind.name in one.last.teacher_forced else None
            rows.append((one.label, one.css, _hundred(generated), _hundred(forced)))
            said.append(f"{one.label} {_say(generated)} generated, {_say(forced)} teacher-forced")
        panels.append(panel(kind.title, "percent", rail(rows, name=f"{kind.title}: {'; '.join(said)}.")))
    return el("figure", {}, legend(view.shown), el("div", {"class": "panels"}, *panels))


def panel(title: str, note: str, chart: Markup) -> Markup:
    """One of several charts side by side, with its title."""
    return el("div", {"class": "panel"}, el("h4", {}, title, " ", el("span", {"class": "quiet"}, note)), chart)


def _curve(view: View, kind: Kind) -> Markup:
    horizons = _horizons(view)
    series = []
    for one in view.shown:
        points = tuple((horizon.edits, 100 * rate) for horizon in one.course if (rate := rate_of(horizon, kind.name)) is not None)
        series.append(Series(one.label, one.css, one.slot, points))
    axis = axis_for(rate for one in series for _, rate in one.points)
    log = wide(horizons[0], horizons[-1])
    chart = percent_panel(series, axis=axis, frame=PANEL, ticks=horizons, x_title="edits so far", name=kind.title, log=log)
    return panel(kind.title, f"must {kind.must}{'; ' if axis.said else ''}{axis.said}", chart)


def _horizons(view: View) -> list[int]:
    return [horizon.edits for horizon in view.shown[0].course]


def _relative(one: Shown) -> list[float]:
    whole = middle(one.run.cost.pass_ms)
    return [write / whole for write in one.run.cost.write_ms] if whole else []


def _trend(values: Sequence[float], *, log: bool) -> tuple[tuple[float, float], ...]:
    stretch = max(1, -(-len(values) // _STRETCHES))
    points = []
    for start in range(0, len(values), stretch):
        part = values[start : start + stretch]
        centre = middle(part)
        if centre is not None and (centre > 0 or not log):
            points.append((start + (len(part) + 1) / 2, centre))
    return tuple(points)


def _levels(low: float, high: float, *, log: bool) -> list[float]:
    """Round values that enclose the range: powers of ten and their doubles and fives, or equal steps from zero."""
    if log:
        grid = [digit * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for digit in (1, 2, 5)]
        first = max(place for place, value in enumerate(grid) if value <= low)
        final = min(place for place, value in enumerate(grid) if value >= high)
        chosen = grid[first : final + 1]
        return chosen if len(chosen) <= 7 else [chosen[0], *(v for v in chosen[1:-1] if f"{v:e}".startswith("1")), chosen[-1]]
    step = next(d * 10.0**p for p in range(-12, 13) for d in (1, 2, 5) if high / (d * 10.0**p) <= 5)
    return [step * place for place in range(ceil(high / step - 1e-9) + 1)]


def _hundred(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _say(share: float | None) -> str:
    return "not asked" if share is None else f"{100 * share:.0f}%"
