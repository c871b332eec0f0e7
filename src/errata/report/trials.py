"""Editors over several seeds as one HTML page: for each row a dot and its spread on three rails, and every figure in a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.measure.figures import write_text
from errata.measure.kinds import CLASS_MEANINGS, Kind, known
from errata.measure.scoring import COMPOSITES
from errata.measure.trials import COST, ENOUGH, Trial, against, difference, said
from errata.report.charts import whisker
from errata.report.markup import NOTHING, Markup, el, hidden, table
from errata.report.page import listed_facts, masthead, note, page, section, takeaway
from errata.report.upkeep import HOW as HOW_KEPT
from errata.report.upkeep import four
from errata.report.words import listed

_PROPER, _SPREADS, _STAYS = "proper", "spreads", "stays"
_RAILS = ((_PROPER, "Proper edits"), (_SPREADS, "Given where it should be"), (_STAYS, "Kept where it should be"))


def write_trials_report(path: Path, trials: Sequence[Trial], *, name: str, facts: Mapping[str, str]) -> Path:
    """Write the trials as one self-contained HTML file. The same trials give the same bytes. Folders are made as needed.

    Args:
        path: where the file goes.
        trials: in the order of the rows, all over the same seeds.
        name: of the table.
        facts: what the page is of: name -> value.

    Raises:
        BadInput: no trial.
        OSError: the file can't be written.
    """
    if not trials:
        raise BadInput("There is nothing to report: no editor was run.")
    kinds = known(figure for one in trials for figure in one.figures if figure not in _CLASSES and figure != COST)
    kinds = tuple(kind for kind in kinds if kind.name not in COMPOSITES)
    rows = [_with_means(one, kinds) for one in trials]
    kept = [(one.name, one.upkeep) for one in trials if one.upkeep is not None]
    parts = [
        masthead(f"{name}: {counted(len(rows), 'editor')}", _lead(rows), listed_facts(dict(facts))),
        el(
            "main",
            {},
            *([section("upkeep", "What it takes to keep", four(kept, "Means over the seeds."), note(HOW_KEPT))] if kept else []),
            section("rails", "Side by side", takeaway(_differences(rows)), _rails(rows), note(_HOW)),
            section("figures", "Kind by kind", _figures(rows, kinds)),
        ),
    ]
    return write_text(path, page(name, *parts))


_CLASSES = (*(name for name, _ in CLASS_MEANINGS), "strict")
_HOW = (
    "A dot is the mean over the seeds and its line two standard errors to either side; the upright mark is the row that it is held "
    f"against. A star: the difference, seed by seed, is larger than two standard errors over at least {ENOUGH} seeds. Given and "
    "kept are means over all kinds that should change (second hops and what else an edit entails included) and that should stay, "
    "each kind counting once."
)


def _with_means(one: Trial, kinds: Sequence[Kind]) -> Trial:
    """The trial with the means of what should change and of what should stay, seed by seed."""
    seeds = range(len(next(iter(one.figures.values()))))
    made = {}
    for name, side in ((_SPREADS, "change"), (_STAYS, "stay")):
        of_side = [kind.name for kind in kinds if kind.side == side and kind.name in one.figures]
        asked = [[one.figures[kind][seed] for kind in of_side if not math.isnan(one.figures[kind][seed])] for seed in seeds]
        made[name] = tuple(fmean(each) if each else math.nan for each in asked)
    return replace(one, figures={**one.figures, **made})


def _lead(rows: Sequence[Trial]) -> str:
    told = [one for one in rows if all(map(one.has, (_PROPER, _SPREADS, _STAYS)))]
    if not told:
        return "No editor was asked both for what should change and for what should stay on every seed."
    best = max(told, key=lambda one: one.mean(_PROPER))
    return (
        f"Most proper edits: {best.name}, {100 * best.mean(_PROPER):.0f} of 100; it gives {100 * best.mean(_SPREADS):.0f}% of what "
        f"should change and keeps {100 * best.mean(_STAYS):.0f}% of what should stay."
    )


def _differences(rows: Sequence[Trial]) -> str:
    """Which rows differ in proper edits from the one that they are held against."""
    seeds = len(rows[0].figures[_SPREADS])
    if seeds < ENOUGH:
        return f"{counted(seeds, 'seed')}: no difference counts."
    held = [(one, against(one, rows)) for one in rows if one.has(_PROPER)]
    apart = {one.name: difference(one, other, _PROPER) for one, other in held if one is not other and other.has(_PROPER)}
    if not apart:
        return "There is no second editor to hold against the first."
    largest = sorted(apart.items(), key=lambda pair: -abs(pair[1].mean))
    counting = [f"{name} by {100 * gap.mean:+.0f}" for name, gap in largest if gap.counts]
    if not counting:
        return "No difference in proper edits counts."
    return f"Differences in proper edits that count, the largest first: {listed(counting)}."


def _rails(rows: Sequence[Trial]) -> Markup:
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Editor", *(word for _, word in _RAILS))))]
    body = []
    for one in rows:
        other = against(one, rows)
        cells = []
        for figure, _ in _RAILS:
            drawn = NOTHING
            if one.has(figure) and other.has(figure):
                drawn = whisker(100 * one.mean(figure), 100 * one.error(figure), mark=100 * other.mean(figure))
            cells.append(el("td", {}, drawn, _number(one, other, figure)))
        body.append(el("tr", {"class": "s0"}, el("th", {"scope": "row"}, one.name), *cells))
    return table("Percent, mean over the seeds with its standard error.", head=head, body=body, css="rails", wide=True)


def _figures(rows: Sequence[Trial], kinds: Sequence[Kind]) -> Markup:
    titles = {_PROPER: "Proper", **{kind.name: kind.title for kind in kinds}, COST: "Passes a write"}
    head = [el("tr", {}, *(el("th", {"scope": "col"}, word) for word in ("Editor", *titles.values())))]
    body = [
        el(
            "tr", {}, el("th", {"scope": "row"}, one.name),
            *(el("td", {}, _number(one, against(one, rows), figure)) for figure in titles),
        )
        for one in rows
    ]  # fmt: skip
    caption = "Percent, mean with its standard error; the last column in full passes."
    return table(caption, head=head, body=body, css="rates", wide=True)


def _number(one: Trial, other: Trial, figure: str) -> Markup | str:
    text, counts = said(one, other, figure, digits=1 if figure == COST else 0)
    return el("b", {}, text, "*", hidden(f" unlike {other.name}")) if counts else text
