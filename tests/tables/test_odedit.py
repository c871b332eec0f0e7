"""The table `odedit`: what its rows are, what its mean is of, what stands beside a star."""

import csv
from typing import Any

import pytest

from errata.core.errors import BadInput
from errata.editors import parse
from errata.measure.trials import trial_of
from errata.tables.odedit import KINDS, Row, _shares, fill, said, with_and_without, write_table


def test_an_editors_rows_are_one_environment_with_more_and_fewer_terms():
    rows: dict[str, Any] = {name: parse(text) for name, text in with_and_without("finetune:steps=3,lr=0.01").items()}
    first = "finetune:steps=3,lr=0.01"
    terms = {name.removeprefix(first): (e.locality, e.generality, e.invariance) for name, e in rows.items()}
    assert terms == {
        "": (0, 0, 0),
        " + odedit": (20, 1, 0.1),
        " + odedit - locality": (0, 1, 0.1),
        " + odedit - generality": (20, 0, 0.1),
        " + odedit - invariance": (20, 1, 0),
    }
    assert {(editor.views, editor.outside, editor.made) for editor in rows.values()} == {(1, 4, parse(first))}


def test_rows_without_each_term_can_be_left_out():
    assert list(with_and_without("finetune", terms=False)) == ["finetune", "finetune + odedit"]


def test_the_mean_weighs_reliability_generality_and_locality_alike():
    rates = dict(zip(KINDS, (0.9, 0.4, 0.2, 1.0, 0.8, 0.1, 0.1), strict=True))
    found = _shares({"rates": {kind: {"rate": rate, "n": 5} for kind, rate in rates.items()}})
    assert found["mean"] == pytest.approx((0.9 + 0.3 + 0.9) / 3)
    assert "mean" not in _shares({"rates": {"reliability": {"rate": 1.0, "n": 1}, "text_locality": {"rate": None, "n": 0}}})


def _row(name, against, values):
    return Row(name, against, {1: trial_of(name, [{"mean": value} for value in values])})


def test_a_star_stands_where_three_seeds_differ_by_more_than_two_errors(tmp_path):
    rows = [_row("a", "a", (0.5, 0.5, 0.5)), _row("a + odedit", "a", (0.6, 0.62, 0.61)), _row("b", "b", (0.1, 0.9, 0.5))]
    assert [said(row, rows, 1, "mean") for row in rows] == ["50.0 ± 0.0 ", "61.0 ± 0.6*", "50.0 ± 23.1 "]
    assert said(rows[0], rows, 1, "reliability") == "-"
    table, page = write_table(tmp_path, rows, title="a title")
    lines = list(csv.DictReader(table.read_text().splitlines()))
    assert [(line["editor"], line["against"], line["counts"]) for line in lines] == [
        ("a", "a", "False"),
        ("a + odedit", "a", "True"),
        ("b", "b", "False"),
    ]
    assert "| a + odedit | - | - | - | - | - | - | - | 61.0 ± 0.6* |" in page.read_text()


def test_a_table_is_filled_once(random_llava, tmp_path):
    group = {name: parse(text) for name, text in list(with_and_without("finetune:steps=1").items())[:2]}
    asked = []

    def note(what, done, total):
        asked.append(what)

    rows = fill(random_llava, [group], seeds=(1,), edits=2, alone=1, folder=tmp_path, progress=note)
    assert [(row.name, row.against, tuple(row.trials)) for row in rows] == [
        ("finetune:steps=1", "finetune:steps=1", (1, 2)),
        ("finetune:steps=1 + odedit", "finetune:steps=1", (1, 2)),
    ]
    assert set(rows[0].trials[1].figures) >= {"reliability", "mean"}
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    assert len(kept) == 4
    assert fill(random_llava, [group], seeds=(1,), edits=2, alone=1, folder=tmp_path, progress=note) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")} == kept
    with pytest.raises(BadInput, match="at least 2 edits"):
        fill(random_llava, [group], seeds=(1,), edits=1, alone=1, folder=tmp_path, progress=note)
    with pytest.raises(BadInput, match="named twice"):
        fill(random_llava, [group, group], seeds=(1,), edits=2, alone=1, folder=tmp_path, progress=note)
