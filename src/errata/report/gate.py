"""Whether the gate knew: how far each edit's gate stood open when it was written, against what became of the edit."""

from __future__ import annotations

from collections.abc import Mapping

from errata.core.counted import counted
from errata.measure.kinds import CLASS_MEANINGS
from errata.measure.results import Judged
from errata.report.charts import strips
from errata.report.figures import panel
from errata.report.markup import NOTHING, Markup, el
from errata.report.stats import middle
from errata.report.view import Shown, View

_KEPT_IN_SCOPE = ("proper", "under")
"""Classes of edits that were learned and moved nothing that had to stay."""

_LEAKED = ("over", "entangled")


def gate_of(judged: Judged) -> float | None:
    """The mean gate, in [0, 1], over the modules that the edit wrote; None where no module had evidence of both sides."""
    sites = judged.telemetry.get("sites")
    if not isinstance(sites, Mapping):
        return None
    gates = [row["gamma"] for row in sites.values() if isinstance(row, Mapping) and row.get("support")]
    known = [float(gate) for gate in gates if isinstance(gate, int | float)]
    return sum(known) / len(known) if known else None


def gates(one: Shown) -> Mapping[str, tuple[float, ...]]:
    """Class -> the gates of its edits."""
    found: dict[str, list[float]] = {name: [] for name, _ in CLASS_MEANINGS}
    for judged in one.run.judged:
        gate = gate_of(judged)
        if judged.label in found and gate is not None:
            found[judged.label].append(gate)
    return {name: tuple(values) for name, values in found.items()}


def gate_figure(view: View) -> Markup:
    """A panel for each editor that has a gate: a line for each class, a dot for each edit."""
    panels = []
    for one in view.editors:
        rows = gates(one)
        if any(rows.values()):
            said = "; ".join(
                f"{name} {counted(len(values), 'edit')}, median {middle(values) or 0:.2f}"
                for name, values in rows.items()
                if values
            )
            chart = strips([(name, one.css, values) for name, values in rows.items()], name=f"{one.label}: gate by class: {said}.")
            panels.append(panel(one.label, "mean gate of an edit, 0 shut to 1 open", chart))
    return el("figure", {}, el("div", {"class": "panels"}, *panels)) if panels else NOTHING


def of_gate(view: View) -> str:
    """Whether edits that leaked had a wider gate than those that did not."""
    said = []
    for one in view.editors:
        rows = gates(one)
        kept = [gate for name in _KEPT_IN_SCOPE for gate in rows[name]]
        leaked = [gate for name in _LEAKED for gate in rows[name]]
        if kept and leaked:
            said.append(f"{middle(kept) or 0:.2f} and {middle(leaked) or 0:.2f} under {one.label}")
    if not said:
        return "No editor here has a gate with edits on both sides."
    return f"The median gate of edits that moved nothing else, and of edits that did: {', '.join(said)}."
