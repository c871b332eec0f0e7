"""Capacity: the room that each editor has left along the stream, and how many edits it carried before answers gave way."""

from __future__ import annotations

from errata.report.charts import ALONE, WHOLE, Series, percent_panel
from errata.report.figures import legend
from errata.report.markup import NOTHING, Markup, el
from errata.report.stats import mean_rate, rate_of
from errata.report.view import Shown, View
from errata.report.words import listed, percent

_HELD = 0.9
"""The share of edits given, and of what should stay kept, up to which an editor carries its stream."""

_POINTS = 20
"""Places along the stream at which the room is drawn."""


def left(one: Shown) -> tuple[tuple[int, float], ...]:
    """How much room was left after each edit that was kept: its place, from 1, and a share; nothing where an editor doesn't say, or
    where it began anew every few edits (`measure.fine`)."""
    if "memory" in one.run.protocol:
        return ()
    told = ((judged.position + 1, judged.telemetry.get("free")) for judged in one.run.judged if judged.committed)
    return tuple((place, float(free)) for place, free in told if isinstance(free, int | float))


def room(view: View) -> Markup:
    """A line for each editor that says how much room is left."""
    telling = [(one, rooms) for one in view.editors if (rooms := left(one))]
    if not telling:
        return NOTHING
    series = []
    for one, rooms in telling:
        step = max(1, -(-len(rooms) // _POINTS))
        drawn = [rooms[0], *rooms[step - 1 : -1 : step], rooms[-1]]
        series.append(Series(one.label, one.css, one.slot, tuple((place, 100 * free) for place, free in dict(drawn).items())))
    chart = percent_panel(
        series,
        axis=WHOLE,
        frame=ALONE,
        ticks=sorted({1, (view.edits + 1) // 2, view.edits}),
        x_title="edit, in order",
        name="Room left",
        log=False,
    )
    return el("figure", {"class": "one"}, legend([one for one, _ in telling]), chart)


def of_capacity(view: View) -> str:
    """What is left at the end, and how far each editor carried the stream."""
    rooms = [(one.label, told[-1][1]) for one in view.editors if (told := left(one))]
    said = [f"{label} has {percent(free)} of its room left" for label, free in rooms]
    carried = [f"{_carried(view, one)} under {one.label}" for one in view.editors]
    whole = f"The last horizon with nine in ten edits given, and nine in ten of what should stay kept: {listed(carried)}."
    return f"After {view.after} {listed(said)}. {whole}" if said else whole


def _carried(view: View, one: Shown) -> str:
    stay = [kind.name for kind in view.kinds if kind.side == "stay"]

    held = []
    for horizon in one.course:
        rates = [rate for rate in (rate_of(horizon, "reliability"), mean_rate(horizon, stay)) if rate is not None]
        if rates and min(rates) >= _HELD:
            held.append(horizon.edits)
    return f"{held[-1]}" if held else "none"
