"""One sentence for each figure, made from its numbers: what a reader would say after looking at it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from errata.measure.kinds import CLASS_MEANINGS
from errata.measure.results import Rate
from errata.report.stats import ends, mean_rate, middle, rate_of
from errata.report.view import Shown, View

_EVEN = 0.02
"""Rates this close, as shares, are spoken of as equal."""

_STEADY = 0.1
"""Times this close, as a share, are spoken of as equal."""


def percent(share: float) -> str:
    """A share as whole percent; never rounded to a flattering 100 or a damning 0."""
    if 0.995 <= share < 1:
        return "over 99%"
    return "under 1%" if 0 < share < 0.005 else f"{100 * share:.0f}%"


def listed(parts: Sequence[str]) -> str:
    """Parts with commas and a last "and"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def of_table(view: View) -> str:
    """What was learned, and at what price."""
    rated = [(one, rate) for one in view.editors if (rate := rate_of(one.last, "reliability")) is not None]
    if not rated:
        return f"After {view.after} none is left that was scored for reliability."
    ranked = sorted(rated, key=lambda pair: -pair[1])
    learned = listed([f"{one.label} answers {percent(rate)} of the edited questions with the target" for one, rate in ranked[:1]])
    if len(ranked) > 1:
        learned += " (" + ", ".join(f"{one.label} {percent(rate)}" for one, rate in ranked[1:]) + ")"
    best = ranked[0][0]
    stayed = mean_rate(best.last, [kind.name for kind in view.kinds if kind.side == "stay"])
    kept = (
        f". Under it, {percent(stayed)} of what should stay as it was has stayed, the kinds averaged" if stayed is not None else ""
    )
    return f"After {view.after}, {learned}{kept}."


def of_curves(view: View) -> str:
    """How reliability moves between the first horizon that has it and the last."""
    moves = []
    for one in view.editors:
        course = [(horizon.edits, rate) for horizon in one.course if (rate := rate_of(horizon, "reliability")) is not None]
        if len(course) > 1:
            moves.append((course[0][0], f"{one.label} from {percent(course[0][1])} to {percent(course[-1][1])}"))
    if not moves:
        return f"Reliability has no more than one horizon here, after {view.after}, so no course can be seen yet."
    return f"Reliability between {moves[0][0]} and {view.after}: {listed([said for _, said in moves])}."


def of_trade(view: View) -> str:
    """Who stands where between spread and damage."""
    change, stay = _sides(view)
    points = []
    for one in view.editors:
        taught, stayed = mean_rate(one.last, change), mean_rate(one.last, stay)
        if taught is not None and stayed is not None:
            points.append((one, taught, stayed))
    if not points:
        return "There aren't both kinds of probes to set against each other."
    ahead = [one for one, taught, stayed in points if all(taught >= t and stayed >= s for _, t, s in points)]
    if len(points) == 1:
        one, taught, stayed = points[0]
        changed = f"{percent(taught)} of what should change changed"
        return f"{one.label} ends with {changed} and {percent(stayed)} of what should stay unmoved."
    if len(ahead) == 1:
        taught, stayed = next((t, s) for one, t, s in points if one is ahead[0])
        both = f"{percent(taught)} of what should change has changed, {percent(stayed)} of what should stay has stayed"
        return f"{ahead[0].label} ends ahead on both sides: {both}."
    if ahead:
        return f"{listed([one.label for one in ahead])} end level, and behind nobody on either side."
    most_taught, most_stayed = max(points, key=lambda p: p[1]), max(points, key=lambda p: p[2])
    return (
        f"No editor is ahead on both sides: {most_taught[0].label} changes most of what should change ({percent(most_taught[1])}), "
        f"{most_stayed[0].label} leaves most of the rest alone ({percent(most_stayed[2])})."
    )


def of_classes(view: View) -> str:
    """Who has the most proper edits, and what the others' edits mostly became."""
    names = [name for name, _ in CLASS_MEANINGS]
    proper = [(one, rate) for one in view.editors if (rate := _class(one, "proper").rate) is not None]
    if not proper:
        return "No edit was scored, so there are no classes to show."
    best, share = max(proper, key=lambda pair: pair[1])
    sentences = [
        f"{best.label} makes {percent(share)} of its edits proper: given in their own question, its other wordings and its other "
        "pictures, with nothing else moved."
    ]
    faults = []
    for one, _ in proper:
        worst = max((name for name in names if name != "proper"), key=lambda name: _class(one, name).hits)
        fault = _class(one, worst)
        if fault.rate:
            faults.append(f"{one.label}, {worst} ({percent(fault.rate)})")
    if faults:
        sentences.append(f"The commonest fault of each: {'; '.join(faults)}.")
    return " ".join(sentences)


def of_retention(view: View) -> str:
    """Whether old edits fade, as far as two standard errors can tell."""
    verdicts: dict[str, list[str]] = {}
    for one in view.editors:
        ages = one.last.retention
        old, new = (ages.get(age, Rate(0, 0)) for age in ("0", "9"))
        if old.rate is not None and new.rate is not None:
            verdict = "no clear difference between the two"
            if abs(old.rate - new.rate) > 2 * _error(old, new):
                verdict = "the oldest have faded" if old.rate < new.rate else "the oldest are held better"
            verdicts.setdefault(verdict, []).append(f"{one.label} ({percent(old.rate)} and {percent(new.rate)})")
    said = [f"{verdict} under {listed(names)}" for verdict, names in verdicts.items()]
    if not said:
        return "There are too few edits to tell old from new."
    return f"The oldest tenth of the edits and the newest: {'; '.join(said)}."


def of_cost(view: View) -> str:
    """What a write costs, and whether it grows."""
    costs, courses = [], []
    for one in view.editors:
        cost = one.run.cost
        write, whole, tenths = middle(cost.write_ms), middle(cost.pass_ms), ends(cost.write_ms)
        if write is not None and whole and tenths is not None:
            costs.append(f"{write / whole:.2g} for {one.label}")
            growth = tenths[1] / tenths[0] if tenths[0] else 1.0
            if abs(growth - 1) > _STEADY:
                courses.append(f"{one.label}'s last tenth of writes takes {growth:.2g} times as long as its first")
    if not costs:
        return "No write was timed."
    steady = f"It stays the same along the stream: the last tenth is within {100 * _STEADY:.0f}% of the first."
    return f"A write costs as much as this many forward-and-backward passes: {listed(costs)}. " + (
        f"It changes along the stream: {listed(courses)}." if courses else steady
    )


def of_forcing(view: View) -> str:
    """By how much teacher forcing flatters."""
    gaps = [
        (forced - said, one, kind.title.lower(), forced, said)
        for one in view.editors
        for kind in view.kinds
        if kind.name in one.last.teacher_forced
        and (forced := one.last.teacher_forced[kind.name].rate) is not None
        and (said := rate_of(one.last, kind.name)) is not None
    ]
    if not gaps:
        return "Teacher-forced accuracy wasn't measured."
    gap, one, title, forced, said = max(gaps, key=lambda row: (row[0], row[1].label, row[2]))
    if gap <= _EVEN:
        return "Teacher-forced accuracy is nowhere more than two points above what the models say when they answer by themselves."
    flattered = f"teacher forcing puts {one.label} at {percent(forced)} on {title}"
    return f"The widest gap: {flattered}, where its own answers reach {percent(said)}."


def _sides(view: View) -> tuple[list[str], list[str]]:
    change = [kind.name for kind in view.kinds if kind.side == "change"]
    return change, [kind.name for kind in view.kinds if kind.side == "stay"]


def _error(one: Rate, other: Rate) -> float:
    """The standard error of the difference of two independent shares, two trials added to each (Agresti and Caffo 2000)."""
    parts = [(rate.hits + 1) / (rate.n + 2) * (1 - (rate.hits + 1) / (rate.n + 2)) / (rate.n + 2) for rate in (one, other)]
    return math.sqrt(sum(parts))


def _class(one: Shown, name: str) -> Rate:
    return one.last.classes[name] if name in one.last.classes else Rate(0, 0)
