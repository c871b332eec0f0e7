"""The report: several editors' runs over one benchmark as one HTML file that needs nothing else.

No script, no font, no picture is fetched: the page's own policy forbids it. Every sentence about the figures is made from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errata.core.counted import counted
from errata.measure.figures import write_text
from errata.measure.results import Run
from errata.measure.upkeep import upkeep
from errata.report import tables, words
from errata.report.capacity import of_capacity, room
from errata.report.figures import cost_figure, curves, forcing_figure, retention, shares, trade
from errata.report.gallery import draw, gallery
from errata.report.gate import gate_figure, of_gate
from errata.report.markup import Markup, el, fold, join, table
from errata.report.page import beside, grouped, listed_facts, masthead, note, page, section, takeaway
from errata.report.upkeep import HOW, four
from errata.report.view import Shown, View, view

CARDS = 6
"""Edits in the gallery for each editor; eight where only one was run."""

_PARTS = (
    ("result", "Result"),
    ("trade", "Trade-off"),
    ("course", "Over the stream"),
    ("classes", "Classes"),
    ("retention", "Retention"),
    ("capacity", "Capacity"),
    ("cost", "Cost"),
    ("gate", "Gate"),
    ("forcing", "Teacher forcing"),
    ("gallery", "Gallery"),
    ("protocol", "Protocol"),
    ("editors", "Editors"),
)


def write_report(path: Path, runs: Sequence[Run], *, seed: int) -> Path:
    """Write the runs, one for each editor over the same benchmark and model, as one self-contained HTML file.

    The same runs and seed give the same bytes. Folders are made as needed.

    Args:
        path: where the file goes.
        runs: in the order in which editors are shown; the editor named "none" is the grey baseline.
        seed: of the gallery's draw.

    Raises:
        BadInput: no run, a run without a horizon, or runs of different benchmarks, models or horizons.
        OSError: the file can't be written.
    """
    return write_text(path, _page(view(runs, seed)))


def _page(seen: View) -> str:
    title = f"{_said(seen, 'name')} after {seen.after}"
    sections = [section(name, said, *_SECTIONS[name](seen)) for name, said in _PARTS]
    nav = el("nav", {"aria-label": "contents"}, *(el("a", {"href": f"#{name}"}, said) for name, said in _PARTS))
    return page(title, _header(seen, title), nav, el("main", {}, *sections))


def _header(seen: View, title: str) -> Markup:
    run = seen.shown[0].run
    facts = {
        "Benchmark": _said(seen, "name"),
        "Seed": _said(seen, "seed"),
        "Benchmark digest": _said(seen, "digest"),
        "Model": str(run.model["name"]),
        "Parameters": grouped(run.model["parameters"]),
        "Model digest": str(run.model["digest"]),
    }
    return masthead(title, words.of_table(seen), listed_facts(facts))


def _result(seen: View) -> list[Markup]:
    led = four([(one.label, upkeep(one.run.to_json())) for one in seen.shown], f"What it takes to keep, after {seen.after}.")
    return [led, note(HOW), tables.summary(seen), note(tables.legend_of_bold(seen.editors)), *tables.exactly(seen)]


def _trade(seen: View) -> list[Markup]:
    said = (
        "Each path is one editor, a marker for each horizon, growing towards the end. Up: the mean over the kinds that should "
        "change; across: the mean over the kinds that should stay. The best corner is the top right; an unedited model sits at the "
        "bottom right."
    )
    return [takeaway(words.of_trade(seen)), beside(trade(seen), note(said))]


def _course(seen: View) -> list[Markup]:
    return [takeaway(words.of_curves(seen)), *curves(seen), tables.every_rate(seen)]


def _classes(seen: View) -> list[Markup]:
    scored = max((rate.n for rate in seen.shown[0].last.classes.values()), default=0)
    later = seen.edits - scored
    counted = f" {later} of the {seen.after} were corrected by a later one and are no longer scored." if later > 0 else ""
    said = (
        "Every scored edit is in exactly one class; strict, marked by the caret, is a part of proper in which the text-only form, "
        f"the second hop and whatever else the edit entails are given too.{counted}"
    )
    return [takeaway(words.of_classes(seen)), shares(seen), note(said), tables.classes(seen)]


def _retention(seen: View) -> list[Markup]:
    said = f"Reliability after {seen.after} by age: the scored edits in ten equal parts, from the oldest to the newest."
    return [takeaway(words.of_retention(seen)), beside(retention(seen), note(said))]


def _capacity(seen: View) -> list[Markup]:
    said = (
        "How much of the room that an editor can write in is left after each edit, as it says itself: of ScopeEdit the trace of "
        "its preconditioner over the rank, the mean over modules, of which the pool takes its part before the first edit; of a "
        "codebook the slots that are free. A refused edit took none. What a stream does to answers once the room is short is in "
        "the figures above."
    )
    figure = room(seen)
    return [takeaway(of_capacity(seen)), *([beside(figure, note(said))] if figure.html else [])]


def _cost(seen: View) -> list[Markup]:
    said = (
        "Each dot is one write, protection included and the guard left out, over the median time of one forward and backward pass. "
        "The line is the median of equal stretches of the stream. All panels share one scale."
    )
    return [takeaway(words.of_cost(seen)), cost_figure(seen), note(said), tables.cost(seen)]


def _gate(seen: View) -> list[Markup]:
    said = (
        "Each dot is one edit: the mean over the modules that it wrote of the gate that their evidence gave, in the row of what "
        "became of the edit. A bar marks the median. A gate that knows its scope would stand wider for edits that stayed in it."
    )
    figure = gate_figure(seen)
    return [takeaway(of_gate(seen)), figure, note(said)] if figure.html else [takeaway(of_gate(seen))]


def _forcing(seen: View) -> list[Markup]:
    if not tables.forced_kinds(seen):
        return [takeaway(words.of_forcing(seen))]
    said = (
        "Filled: share of probes whose generated answer met the expectation. Hollow: token accuracy under teacher forcing, as "
        "EasyEdit measures it, in which the model is shown the right answer up to each token. The second says how near "
        "the answer was, not that the model gives it; it is here for comparison with published tables and enters nothing else."
    )
    return [takeaway(words.of_forcing(seen)), forcing_figure(seen), note(said), tables.forcing(seen)]


def _gallery(seen: View) -> list[Markup]:
    count = CARDS if len(seen.editors) > 1 else CARDS + 2
    said = (
        f"Drawn at random with seed {seen.seed}, not chosen: half failures where there are that many. A failure is any edit that "
        "isn't proper. Answers are as after the last edit of the stream. Probes without a small picture use the edit's own."
    )
    drawn = [(one, draw(one.run.judged, count=count, seed=seen.seed, salt=one.label)) for one in seen.editors]
    cards = [gallery(one, edits) for one, edits in drawn if edits]
    return [note(said), *(cards or [note("No edit was scored, so there is none to show.")])]


_STREAMED = (
    "Edits arrive one at a time, and an editor sees only what a user would send: never a probe. Each is read back before it is "
    "kept; one that wasn't learned, or that moved an answer it was asked to keep, is refused whole, changes nothing, and still "
    "counts as unreliable.",
    "At each horizon every edit so far is asked again with all of its probes, under everything written since. Answers are "
    "generated and compared as text. What should stay is compared with the answer of the unedited model, and a probe that "
    "another edit of the stream settles is held to that edit's answer, as cross-edit. An edit that a later one corrects is no "
    "longer scored.",
)
"""How the online protocol goes (`measure.evaluate`)."""

_FINE = (
    "An editor sees only what a user would send: never a probe. The edits in memory are written one after another, then all of "
    "their probes are asked, and everything is taken back before the next ones. Nothing is read back or refused, so every edit "
    "counts as it was written.",
    "Answers are generated and compared as text. What should stay is compared with the answer of the unedited model, and a probe "
    "that asks exactly what another edit in memory answers is held to that edit's answer, as cross-edit.",
)
"""How the fine-grained protocol goes (`measure.fine`)."""


def _protocol(seen: View) -> list[Markup]:
    told = _FINE if "memory" in seen.shown[0].run.protocol else _STREAMED
    stated = {name.replace("_", " ").capitalize(): str(value) for name, value in seen.shown[0].run.protocol.items()}
    return [*(el("p", {}, text) for text in told), listed_facts(stated), tables.meanings(seen)]


def _editors(seen: View) -> list[Markup]:
    return [
        note("Every field as it resulted for this model, which is all that is needed to run it again."),
        *(_spec(one) for one in seen.shown),
    ]


def _spec(one: Shown) -> Markup:
    head = [el("tr", {}, el("th", {"scope": "col"}, "Field"), el("th", {"scope": "col"}, "Value"))]
    fields = one.run.editor.fields
    body = [
        el("tr", {}, el("th", {"scope": "row"}, name), el("td", {"class": "value"}, str(fields[name]))) for name in sorted(fields)
    ]
    swatch = el("span", {"class": f"swatch {one.css}", "aria-hidden": "true"})
    count = counted(len(body), "field")
    summary = join([swatch, el("span", {"class": "who"}, one.label), " ", el("span", {"class": "quiet"}, count)])
    return fold(summary, table(f"The resolved spec of {one.run.editor.name}.", head=head, body=body, css="spec words"))


_SECTIONS = {
    "result": _result,
    "trade": _trade,
    "course": _course,
    "classes": _classes,
    "retention": _retention,
    "capacity": _capacity,
    "cost": _cost,
    "gate": _gate,
    "forcing": _forcing,
    "gallery": _gallery,
    "protocol": _protocol,
    "editors": _editors,
}


def _said(seen: View, name: str) -> str:
    return str(seen.shown[0].run.benchmark[name])
