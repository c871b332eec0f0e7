"""Systems by base models: means and standard errors by naive versions, the three files, and runs that are made once."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
import xml.etree.ElementTree as ElementTree
from collections import Counter

import pytest

from errata.benchmarks.fgvedit import FGVEdit
from errata.benchmarks.scopeworld.fgv import ScopeWorldFGV
from errata.core.errors import BadInput
from errata.editors import parse
from errata.tables.fine import FIGURES, Row, Table, as_csv, as_figure, as_markdown, fill, write_table
from tests.benchmarks.fgv_files import write_fgvedit

SEEDS = (3, 4, 5)
SVG = "{http://www.w3.org/2000/svg}"


def result(seed, model, spec, generated, forced):
    """A `result.json` as a run leaves it, of these shares."""

    def held(shares):
        return {kind: {"rate": share, "n": 10 if share is not None else 0} for kind, share in shares.items()}

    return {
        "benchmark": {"name": "made-up", "seed": seed, "edits": 10, "digest": f"{seed}" * 64},
        "model": {"name": model, "digest": model[0] * 64, "parameters": 1234},
        "editor": {"spec": spec, "fields": {"steps": 3, "pool": f"pool {seed}"}},
        "horizons": [{"rates": held(generated), "teacher_forced": held(forced)}],
    }


def row(model, system, spec, *, generated, forced, seeds=SEEDS):
    """A row whose figures are given as a share for each seed."""
    made = []
    for place, seed in enumerate(seeds):
        shares = [{kind: values[place] for kind, values in figures.items()} for figures in (generated, forced)]
        made.append(result(seed, model, spec, *shares))
    return Row(model, system, tuple(made))


NONE = {"reliability": (0.0, 0.0, 0.0), "locality": (1.0, 1.0, 1.0), "text_generality": (0.0, 0.1, 0.2)}
OTHER = {"reliability": (1.0, 0.9, 0.8), "locality": (0.5, None, 0.5), "specificity": (0.2, 0.4, 0.6), "specificity_in": (0, 0, 1)}
FORCED = {"reliability": (0.5, 0.5, 0.8)}
MADE = Table(
    "fgvedit-1",
    edits=10,
    memory=2,
    seeds=SEEDS,
    rows=tuple(
        made
        for model in ("one", "two")
        for made in (
            row(model, "none", "none", generated=NONE, forced=FORCED),
            row(model, "a|b <c>", "other", generated=OTHER, forced=OTHER),
        )
    ),
)


def cell(table, row, protocol, figure):
    found = table.cell(row, protocol, figure)
    assert found is not None
    return found


def test_the_csv_has_a_line_for_each_model_system_protocol_and_figure():
    lines = list(csv.DictReader(io.StringIO(as_csv(MADE))))
    assert len(lines) == 2 * 2 * 2 * len(FIGURES)
    found = {(line["model"], line["system"], line["protocol"], line["figure"]): line for line in lines}
    for figure in ("reliability", "specificity", "specificity_in"):
        values = [share for share in OTHER[FIGURES[figure]] if share is not None]
        line = found["two", "a|b <c>", "generated", figure]
        assert float(line["mean"]) == pytest.approx(statistics.fmean(values))
        assert float(line["standard_error"]) == pytest.approx(statistics.stdev(values) / math.sqrt(3))
        assert line["n"] == "30"
    assert float(found["one", "none", "generated", "generality"]["mean"]) == pytest.approx(0.1)
    assert float(found["one", "none", "teacher_forced", "reliability"]["mean"]) == pytest.approx(0.6)
    for missing in (("one", "a|b <c>", "generated", "locality"), ("one", "none", "teacher_forced", "specificity")):
        assert [found[missing][name] for name in ("mean", "standard_error", "n")] == ["", "", "0"]
    ran = {
        name: found["two", "none", "generated", "locality"][name]
        for name in ("benchmark", "memory", "edits", "seeds", "model_digest")
    }
    assert ran == {"benchmark": "made-up", "memory": "2", "edits": "10", "seeds": "3 4 5", "model_digest": "t" * 64}


def test_the_markdown_holds_both_protocols_and_names_what_it_ran_on():
    text = as_markdown(MADE)
    generated, forced = text.split("## generated")[1].split("## teacher_forced")
    assert "| one | none | 0.0 ± 0.0 | 100.0 ± 0.0 | 10.0 ± 5.8 | - | - | - |" in generated
    assert r"| two | a\|b <c> | 90.0 ± 5.8* | - | - | 40.0 ± 11.5 | 33.3 ± 33.3 | - |" in generated
    assert "| one | none | 60.0 ± 10.0 | - | - | - | - | - |" in forced
    assert "made-up, 10 edits of each seed, 2 edits in memory at a time, seeds 3, 4, 5" in text
    lines = text.splitlines()
    for seed in SEEDS:
        assert f"- benchmark made-up, seed {seed}: `{str(seed) * 64}`" in lines
    assert f"- model two, 1,234 parameters: `{'t' * 64}`" in lines
    spec = next(line for line in lines if line.startswith("  - a|b <c>: ")).split("`")[1]
    pools = {str(seed): f"pool {seed}" for seed in SEEDS}  # what differs from seed to seed is told for each
    assert json.loads(spec) == {"spec": "other", "fields": {"steps": 3, "pool": pools}}
    assert "locality 20 to 30" in text


def test_a_star_marks_what_differs_from_the_models_own_first_row():
    near = {"reliability": (0.1, -0.1, 0.0)}
    rows = (
        row("one", "none", "none", generated=NONE, forced=NONE),
        row("two", "none", "none", generated=OTHER, forced=OTHER),
        row("two", "near", "near", generated={"reliability": (0.9, 0.8, 0.7)}, forced=OTHER),
        row("one", "far", "far", generated=near, forced={"reliability": (0.5, 0.6, 0.7)}),
    )
    table = Table("t", 10, 1, SEEDS, rows)
    assert cell(table, rows[2], "generated", "reliability").counts
    assert not cell(table, rows[2], "teacher_forced", "reliability").counts
    assert not cell(table, rows[3], "generated", "reliability").counts
    assert cell(table, rows[3], "teacher_forced", "reliability").counts
    assert not cell(table, rows[1], "generated", "reliability").counts  # a first row is held against nothing


def test_the_figure_is_whole_and_draws_every_figure_to_scale():
    text = as_figure(MADE)
    root = ElementTree.fromstring(text)
    tall = {title.text: float(rect.get("height", "0")) for rect in root.iter(f"{SVG}rect") for title in rect}
    assert len(tall) == 3 + 3  # both models' bars of a system say the same
    assert tall["none, locality: 100.0% ± 0.0"] == pytest.approx(2.5 * tall["a|b <c>, specificity: 40.0% ± 11.5"], rel=0.01)
    assert len(list(root.iter(f"{SVG}path"))) == 2 * 6
    rings = [title.text for ring in root.iter(f"{SVG}circle") for title in ring]
    assert rings.count("none, reliability, teacher-forced: 60.0%") == 2
    bars = [rect for rect in root.iter(f"{SVG}rect") if len(rect)]
    assert all(float(bar.get("y", "0")) + float(bar.get("height", "0")) < float(root.get("height", "0")) for bar in bars)
    assert set(Counter(bar.get("x") for bar in bars).values()) == {2}  # each has a place of its own, the same in both panels


def test_one_seed_has_no_standard_error():
    alone = Table("t", 1, 1, (3,), (row("m", "none", "none", generated={"reliability": (0.5,)}, forced={}, seeds=(3,)),))
    assert "| m | none | 50.0 | - | - | - | - | - |" in as_markdown(alone)
    assert {line["standard_error"] for line in csv.DictReader(io.StringIO(as_csv(alone)))} == {""}
    assert "<path" not in as_figure(alone)


def filled(model, folder, *, memory=1, told=None, names=("tiny", "again")):
    return fill(
        "fgvedit-1",
        {name: lambda: model for name in names},
        {"none": parse("none"), "finetune:steps=1": parse("finetune:steps=1")},
        lambda seed: ScopeWorldFGV(seed=seed, edits=2),
        seeds=(3, 4),
        edits=2,
        memory=memory,
        folder=folder,
        progress=lambda *seen: None if told is None else told.append(seen),
    )


def test_a_table_is_filled_from_runs_that_are_made_once(random_llava, tmp_path):
    told: list[tuple[str, int, int]] = []
    table = filled(random_llava, tmp_path, told=told)
    assert [(made.model, made.system) for made in table.rows] == [
        (model, system) for model in ("tiny", "again") for system in ("none", "finetune:steps=1")
    ]
    assert (told[0], told[-1]) == (("tiny: none, seed 3", 0, 8), ("again: done", 8, 8))
    none, tuned = table.rows[:2]
    mean, error, n, _ = cell(table, none, "generated", "locality")
    assert (mean, error, n) == (1.0, 0.0, 2 * 2 * 6)
    assert cell(table, none, "generated", "specificity").mean == 0.5
    assert cell(table, tuned, "generated", "generality").n == 8
    for made in table.rows:
        for place, held in enumerate(made.results):
            for way, where in (("generated", "rates"), ("teacher_forced", "teacher_forced")):
                shares = {figure: held["horizons"][0][where][kind]["rate"] for figure, kind in FIGURES.items()}
                assert {figure: values[place] for figure, values in made.trial(way).figures.items()} == shares
    paths = sorted(tmp_path.rglob("result.json"))
    assert len(paths) == 2 * 2 * 2
    stamps = [path.stat().st_mtime_ns for path in paths]
    assert filled(random_llava, tmp_path) == table
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    written = write_table(tmp_path, table)
    assert [path.name for path in written] == ["fgvedit-1.csv", "fgvedit-1.md", "fgvedit-1.svg"]
    many = filled(random_llava, tmp_path, memory=2, names=("tiny",))
    assert [path.name for path in write_table(tmp_path, many)] == [f"fgvedit-1-memory-2.{end}" for end in ("csv", "md", "svg")]
    assert [path.stat().st_mtime_ns for path in paths] == stamps  # those of one edit in memory are still there
    assert written[1].read_text() == as_markdown(table)


def test_seeds_that_draw_the_same_edits_are_no_spread(random_llava, tmp_path):
    folder = write_fgvedit(tmp_path / "data")
    for seeds, editors in (((1, 2), {"none": parse("none")}), ((1,), {})):
        with pytest.raises(BadInput, match="same 3 edits|at least one"):
            fill(
                "t",
                {"tiny": lambda: random_llava},
                editors,
                lambda seed: FGVEdit(folder, edits=3, seed=seed),
                seeds=seeds,
                edits=3,
                memory=1,
                folder=tmp_path / "out",
                progress=lambda *seen: None,
            )
    assert not (tmp_path / "out").exists()


def stars(table):
    cells = [table.cell(each, "generated", "reliability") for each in table.rows]
    return [cell is not None and cell.counts for cell in cells]


def test_a_row_is_held_against_the_one_that_is_named_and_else_against_itself():
    steady = {"reliability": (0.1, 0.1, 0.1)}
    better = {"reliability": (0.9, 0.9, 0.9)}
    made = tuple(
        row("one", system, "made-up", generated=figures, forced=FORCED)
        for system, figures in (("first", better), ("old", steady), ("new", better))
    )
    plain = Table("fgvedit-3", 10, 1, SEEDS, made)
    named = Table("fgvedit-3", 10, 1, SEEDS, made, {"new": "old"})
    assert stars(plain) == [False, True, False]
    assert stars(named) == [False, False, True]
    assert [named.held_against(each).system for each in made] == ["first", "old", "old"]
