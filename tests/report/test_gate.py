"""The gate of every edit beside what became of it."""

from dataclasses import replace
from pathlib import Path

from errata.measure.results import Judged, Run
from errata.report.gate import gate_of, gates, of_gate
from errata.report.run import write_report
from errata.report.view import view
from tests.report.test_run import four_runs


def opened(judged: Judged, gate: float) -> Judged:
    """The edit as if two modules had been gated around `gate`, and one had seen no picture."""
    sites = {
        "up": {"support": 0.5, "gamma": gate + 0.05},
        "down": {"support": 0.5, "gamma": gate - 0.05},
        "blind": {"support": 0.0, "gamma": 0.0},
    }
    return replace(judged, telemetry={"sites": sites})


def gated() -> list[Run]:
    """The last of four editors has a gate, which stood wide for edits that moved something else and narrow for the others."""
    runs = four_runs()
    wide = ("over", "entangled")
    judged = tuple(opened(each, 0.8 if each.label in wide else 0.2) for each in runs[-1].judged)
    return [*runs[:-1], replace(runs[-1], judged=judged)]


def test_the_gate_of_an_edit_is_the_mean_over_modules_that_saw_both_sides() -> None:
    judged = four_runs()[-1].judged[0]
    assert gate_of(judged) is None
    assert gate_of(opened(judged, 0.3)) == 0.3


def test_every_scored_edit_is_in_the_row_of_its_class_and_the_words_follow() -> None:
    seen = view(gated(), seed=7)
    rows = gates(seen.shown[-1])
    labels = [each.label for each in seen.shown[-1].run.judged if each.label is not None]
    assert {name: len(values) for name, values in rows.items() if values} == {name: labels.count(name) for name in set(labels)}
    assert "0.20 and 0.80 under scopeedit" in of_gate(seen)
    assert of_gate(view(four_runs(), seed=7)) == "No editor here has a gate with edits on both sides."


def test_the_page_draws_a_panel_for_an_editor_that_has_a_gate_and_none_without(tmp_path: Path) -> None:
    with_gate = write_report(tmp_path / "gated.html", gated(), seed=7).read_text(encoding="utf-8")
    without = write_report(tmp_path / "plain.html", four_runs(), seed=7).read_text(encoding="utf-8")
    assert with_gate.count("gate by class:") == 1
    assert "gate by class:" not in without
