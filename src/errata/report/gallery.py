"""The gallery: edits drawn by seed, half of them failures, each with its picture, its answers and all of its probes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from errata.core.benchmark import Outcome, Unchanged
from errata.core.counted import counted
from errata.core.images import Image
from errata.measure.kinds import known
from errata.measure.results import Judged
from errata.report.markup import NOTHING, Markup, el, fold, hidden, join, table
from errata.report.pictures import embedded
from errata.report.view import Shown

_SHOWN, _THUMB = 448, 72
"""The longest side of an embedded larger picture, and of one beside a probe."""

_TELEMETRY = 2000
"""The longest telemetry shown, in characters."""


def draw(judged: Sequence[Judged], *, count: int, seed: int, salt: str) -> tuple[Judged, ...]:
    """`count` scored edits in the order of the stream: half failures where there are that many, else as many as there are.

    A failure is any edit that isn't proper. Fewer come back only where fewer were scored. `salt` keeps two editors' draws apart.
    """
    draws = Random(f"{seed}:{salt}")
    scored = [one for one in judged if one.label is not None]
    failed = [one for one in scored if one.label != "proper"]
    proper = [one for one in scored if one.label == "proper"]
    failures = max(min(count // 2, len(failed)), min(len(failed), count - len(proper)))
    drawn = draws.sample(failed, failures) + draws.sample(proper, min(count - failures, len(proper)))
    return tuple(sorted(drawn, key=lambda one: one.position))


def gallery(one: Shown, drawn: Sequence[Judged]) -> Markup:
    """The cards of one editor, under its name."""
    scored = [judged for judged in one.run.judged if judged.label is not None]
    failed = sum(judged.label != "proper" for judged in scored)
    shown = sum(judged.label != "proper" for judged in drawn)
    said = f"{len(drawn)} of {counted(len(scored), 'scored edit')}, {shown} of the {counted(failed, 'failure')} among them"
    swatch = el("span", {"class": f"swatch {one.css}", "aria-hidden": "true"})
    summary = join([swatch, el("span", {"class": "who"}, one.label), " ", el("span", {"class": "quiet"}, said)])
    return fold(summary, *(_card(judged) for judged in drawn))


def _card(judged: Judged) -> Markup:
    edit, label = judged.edit, judged.label or "corrected later"
    own = next((outcome for outcome in judged.outcomes if outcome.probe.kind == "reliability"), None)
    answers = [
        el("dt", {}, "before"),
        el("dd", {}, own.before if own else "–"),
        el("dt", {}, "target"),
        el("dd", {"class": "target"}, edit.target),
        el("dt", {}, "after"),
        el("dd", {"class": "after"}, own.after if own else "–"),
    ]
    pictures = [_picture(image, f"the picture of the question: {edit.query.text}") for image in edit.query.images]
    if not pictures:
        pictures = [el("p", {"class": "quiet"}, "no picture")]
    badges = [el("span", {"class": f"badge {label}"}, label)]
    if not judged.committed:
        badges.append(el("span", {"class": "badge refused"}, "refused by the read-back"))
    left = el(
        "div",
        {"class": "ask"},
        el("div", {"class": "pictures"}, *pictures),
        el("p", {"class": "where"}, f"edit {judged.position + 1}", *badges),
        el("p", {"class": "question"}, edit.query.text),
        el("dl", {"class": "answers"}, *answers),
        _telemetry(judged),
    )
    return el("article", {"class": "card", "aria-label": f"edit {judged.position + 1}: {label}"}, left, _probes(judged))


def _probes(judged: Judged) -> Markup:
    order = {kind.name: place for place, kind in enumerate(known(outcome.probe.kind for outcome in judged.outcomes))}
    titles = {kind.name: kind.title for kind in known(order)}
    pairs = sorted(zip(judged.outcomes, judged.met, strict=True), key=lambda pair: order[pair[0].probe.kind])
    own = {image.digest for image in judged.edit.query.images}
    rows, last = [], ""
    for outcome, met in pairs:
        kind = outcome.probe.kind
        rows.append(_probe(outcome, met=met, own=own, title=titles[kind], repeated=kind == last))
        last = kind
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Met", "Probe", "Asked", "Expected", "Before", "After")))]
    return table(f"{sum(judged.met)} of {counted(len(judged.met), 'probe')} met", head=head, body=rows, css="probes", wide=True)


def _probe(outcome: Outcome, *, met: bool, own: set[str], title: str, repeated: bool) -> Markup:
    probe = outcome.probe
    thumbs = [_picture(image, "another picture", thumb=True) for image in probe.query.images if image.digest not in own]
    note = NOTHING if probe.query.images else el("span", {"class": "quiet"}, " (no picture)")
    expected = el("em", {}, "as before") if isinstance(probe.expect, Unchanged) else probe.expect
    mark = (
        el("td", {"class": "mark met"}, "✓", hidden(" met")) if met else el("td", {"class": "mark missed"}, "✗", hidden(" not met"))
    )
    name = hidden(title) if repeated else title
    return el(
        "tr",
        {"class": "again" if repeated else ""},
        mark,
        el("th", {"scope": "row"}, name),
        el("td", {"class": "asked"}, el("div", {"class": "withthumb"}, *thumbs, el("span", {}, probe.query.text, note))),
        el("td", {}, expected),
        el("td", {}, outcome.before),
        el("td", {"class": "" if met else "wrong"}, outcome.after),
    )


def _telemetry(judged: Judged) -> Markup:
    if not judged.telemetry:
        return NOTHING
    written = json.dumps(dict(judged.telemetry), indent=1, ensure_ascii=False, sort_keys=True)
    cut = written if len(written) <= _TELEMETRY else written[:_TELEMETRY] + "\n… (the rest is left out)"
    return fold("what the write did", el("pre", {}, cut))


def _picture(image: Image, alt: str, *, thumb: bool = False) -> Markup:
    made = embedded(image, _THUMB if thumb else _SHOWN)
    css = " ".join(word for word, holds in (("thumb", thumb), ("hard", made.hard)) if holds)
    return el("img", {"src": made.source, "alt": alt, "class": css, "width": made.width, "height": made.height})
