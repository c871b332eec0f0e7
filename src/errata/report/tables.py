"""The tables: rates at the last horizon, all rates, classes, cost, teacher forcing, and what each name means."""

from __future__ import annotations

from collections.abc import Sequence

from errata.core.counted import digits
from errata.measure.kinds import CLASS_MEANINGS, Kind
from errata.measure.results import Rate
from errata.measure.scoring import COMPOSITES
from errata.report.markup import NOTHING, Markup, el, fold, hidden, table
from errata.report.stats import FEWEST_EDITS, ends, leaders, middle
from errata.report.view import Shown, View

_FITTING = 3
"""Columns of editors that a narrow page has room for."""

_SIDES = (("change", "What should change"), ("stay", "What should stay"), ("mixed", "Both"), ("more", "Asked beside"))


def summary(view: View) -> Markup:
    """Rows are probe kinds, each with what it asks and must do, columns are editors; a meaningful lead is bold."""
    heads = [_editor_head(one) for one in view.shown]
    body: list[Markup] = []
    for side, said in _SIDES:
        kinds = [kind for kind in view.kinds if kind.side == side]
        if kinds:
            body.append(el("tr", {"class": "side"}, el("th", {"scope": "rowgroup", "colspan": 1 + len(heads)}, said)))
        for kind in kinds:
            bold = leaders(view.editors, kind.name)
            cells = [_rate_cell(one, kind, strong=one.label in bold) for one in view.shown]
            means = el("small", {}, f"{kind.asks}: must {kind.must}")
            body.append(el("tr", {}, el("th", {"scope": "row"}, kind.title, means), *cells))
    head = [el("tr", {}, el("th", {"scope": "col"}, "Probe kind"), *heads)]
    caption = f"Probes that met their expectation after {view.after}, in percent."
    return table(caption, head=head, body=body, css="rates kinds", wide=len(heads) > _FITTING)


def exactly(view: View) -> list[Markup]:
    """The rates by the benchmark's own matcher and by exact match, side by side; nothing where exact match is the matcher."""
    if not all(one.last.exact for one in view.shown):
        return []
    matcher = str(view.shown[0].run.protocol["matcher"])
    caption = f"Probes met after {view.after}, in percent. Matcher: {matcher}."
    return [fold("By the matcher and by exact match", _pairs(view, view.kinds, caption, "matched", "exact"))]


def every_rate(view: View) -> Markup:
    """The numbers behind the curves, folded away."""
    horizons = [horizon.edits for horizon in view.shown[0].run.horizons]
    head = [
        el(
            "tr",
            {},
            *(el("th", {"scope": "col"}, word) for word in ("Probe kind", "Editor", *(f"after {edits}" for edits in horizons))),
        )
    ]
    body = [
        el(
            "tr",
            {},
            el("th", {"scope": "row"}, kind.title),
            el("td", {"class": "word"}, one.label),
            *(_plain_rate(horizon.rates.get(kind.name)) for horizon in one.run.horizons),
        )
        for kind in view.kinds
        for one in view.shown
    ]
    return fold(
        "The numbers behind the curves",
        table("Percent met at each horizon; n in small type.", head=head, body=body, wide=len(horizons) > _FITTING),
    )


def classes(view: View) -> Markup:
    """The numbers behind the bars, at every horizon."""
    names = [*(name for name, _ in CLASS_MEANINGS), "strict"]
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Editor", "Edits", *names, "scored", "refused")))]
    body = []
    for one in view.shown:
        for horizon in one.run.horizons:
            rates = [horizon.classes.get(name) for name in names]
            scored = max((rate.n for rate in rates if rate is not None), default=0)
            cells = [_bare(rate) for rate in rates]
            tail = [el("td", {}, str(scored)), el("td", {}, str(horizon.refused))]
            body.append(el("tr", {}, _row_head(one), el("td", {}, str(horizon.edits)), *cells, *tail))
    caption = "Classes at each horizon, in percent of the edits still scored. Strict is a part of proper."
    return fold("The numbers behind the bars", table(caption, head=head, body=body, wide=True))


def cost(view: View) -> Markup:
    """Time and memory, one row an editor."""
    titles = (
        ("Write, median", "ms"), ("first tenth", "ms"), ("last tenth", "ms"), ("One pass", "ms"),
        ("Write / pass", "times"), ("Guard, median", "ms"), ("Read / base", "times"), ("Merged / base", "times"),
        ("State, first", ""), ("State, last", ""), ("Log per edit", ""), ("Snapshots", ""),
    )  # fmt: skip
    head = [
        el(
            "tr",
            {},
            el("th", {"scope": "col"}, "Editor"),
            *(el("th", {"scope": "col"}, title, _unit(unit)) for title, unit in titles),
        )
    ]
    body = []
    for one in view.shown:
        cost = one.run.cost
        write, whole, tenths = middle(cost.write_ms), middle(cost.pass_ms), ends(cost.write_ms)
        first, last = tenths or (None, None)
        over = write / whole if write is not None and whole else None
        times = (write, first, last, whole, over, middle(cost.guard_ms), cost.read_over_base, cost.read_over_base_merged)
        sizes = (*cost.state_bytes, cost.log_bytes_per_edit, cost.snapshot_bytes)
        cells = [*(_number(value) for value in times), *(el("td", {}, size(value)) for value in sizes)]
        body.append(el("tr", {}, _row_head(one), *cells))
    caption = "One pass is a forward and backward of the edit's own input through the whole model, timed between the writes."
    together = max(one.run.cost.at_a_time for one in view.shown)
    if together > 1:
        caption += f" {together} runs shared the machine's cores."
    return table(caption, head=head, body=body, wide=True)


def forcing(view: View) -> Markup:
    """Generated and teacher-forced side by side, rows are kinds."""
    caption = f"Probes met by generated answers, and answer tokens predicted under teacher forcing, after {view.after}, in percent."
    return fold("The numbers behind the rails", _pairs(view, forced_kinds(view), caption, "generated", "teacher-forced"))


def _pairs(view: View, kinds: Sequence[Kind], caption: str, one: str, other: str) -> Markup:
    """Two figures of each editor side by side: the rates, and those by exact match or by teacher forcing."""
    top = [el("td", {}), *(el("th", {"scope": "colgroup", "colspan": 2, "class": "first"}, each.label) for each in view.shown)]
    pair = [el("th", {"scope": "col", "class": css}, word) for _ in view.shown for word, css in ((one, "first"), (other, ""))]
    body = []
    for kind in kinds:
        both = [
            rates.get(kind.name)
            for each in view.shown
            for rates in (each.last.rates, each.last.exact if other == "exact" else each.last.teacher_forced)
        ]
        body.append(el("tr", {}, el("th", {"scope": "row"}, kind.title), *map(_plain_rate, both)))
    head = [el("tr", {}, *top), el("tr", {}, el("th", {"scope": "col"}, "Probe kind"), *pair)]
    return table(caption, head=head, body=body, wide=True)


def forced_kinds(view: View) -> list[Kind]:
    """The kinds that have a teacher-forced figure at the last horizon."""
    return [kind for kind in view.kinds if any(kind.name in one.last.teacher_forced for one in view.shown)]


def meanings(view: View) -> Markup:
    """What every probe kind asks, and what it must do."""
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Probe kind", "What is asked", "It must")))]
    body = [
        el(
            "tr",
            {},
            el("th", {"scope": "row"}, kind.title),
            el("td", {"class": "word"}, kind.asks),
            el("td", {"class": "word"}, kind.must),
        )
        for kind in view.kinds
    ]
    return table("The probe kinds.", head=head, body=body, css="words")


def size(count: float) -> str:
    """Bytes for a reader, in powers of 1,000."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def _row_head(one: Shown, note: str = "") -> Markup:
    small = el("small", {}, note) if note else NOTHING
    return el("th", {"scope": "row", "class": one.css}, el("span", {"class": "swatch", "aria-hidden": "true"}), one.label, small)


def _editor_head(one: Shown) -> Markup:
    swatch, refused = el("span", {"class": "swatch", "aria-hidden": "true"}), el("small", {}, f"{one.last.refused} refused")
    return el("th", {"scope": "col", "class": f"{one.css} baseline" if one.baseline else one.css}, swatch, one.label, refused)


def _rate_cell(one: Shown, kind: Kind, *, strong: bool) -> Markup:
    """A rate with its bar. What the unedited model gets of a mean of both sides it gets by doing nothing, so it has no bar."""
    css = f"{one.css} baseline" if one.baseline else one.css
    rate = one.last.rates.get(kind.name)
    if rate is None or rate.rate is None:
        return el("td", {"class": f"{css} void"}, "–", hidden(" not asked"))
    number = f"{100 * rate.rate:.1f}"
    if one.baseline and len(COMPOSITES.get(kind.name, ())) > 1:
        return el("td", {"class": css}, number, el("small", {}, "by doing nothing"))
    shown = el("strong", {}, number, hidden(" clear lead")) if strong else number
    return el("td", {"class": css, "style": f"--r:{100 * rate.rate:.1f}%"}, shown, el("small", {}, f"n {rate.n}"))


def _plain_rate(rate: Rate | None) -> Markup:
    if rate is None or rate.rate is None:
        return el("td", {"class": "void"}, "–", hidden(" not asked"))
    return el("td", {}, f"{100 * rate.rate:.1f}", el("small", {}, f"n {rate.n}"))


def _bare(rate: Rate | None) -> Markup:
    return el("td", {"class": "void"}, "–") if rate is None or rate.rate is None else el("td", {}, f"{100 * rate.rate:.1f}")


def _number(value: float | None) -> Markup:
    if value is None:
        return el("td", {"class": "void"}, "–")
    return el("td", {}, "< 0.01" if 0 < value < 0.01 else digits(value))


def _unit(unit: str) -> Markup:
    return el("small", {}, unit) if unit else NOTHING


def legend_of_bold(editors: Sequence[Shown]) -> str:
    """How to read the bold figures."""
    if len(editors) < 2:
        return "Only one editor was run, so no figure can lead."
    return (
        "Bold: this editor leads every other editor by more than two standard errors of the difference. The errors are paired and "
        "taken over edits, since the editors answer the same probes and the probes of one edit stand or fall together; with fewer "
        f"than {FEWEST_EDITS} edits behind a figure nothing is bold, and the unedited baseline isn't compared, because what never "
        "changes always stays."
    )
