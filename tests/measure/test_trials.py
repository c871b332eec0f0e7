"""Comparisons over seeds: what counts as a difference, and that a run is made once."""

from __future__ import annotations

import json
import math

import pytest

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.errors import BadInput
from errata.editors import parse
from errata.measure.figures import folder_of
from errata.measure.trials import Trial, difference, run_trials, standard_error


def trial(name, **figures):
    return Trial(name, figures)


def test_the_standard_error_of_a_mean():
    assert standard_error((1.0, 2.0, 3.0)) == pytest.approx(1 / math.sqrt(3))
    assert standard_error((5.0,)) == 0.0


def test_a_difference_counts_over_three_seeds_and_two_standard_errors_of_the_difference_itself():
    noisy, shifted = trial("a", x=(0.1, 0.5, 0.9)), trial("b", x=(0.2, 0.61, 0.99))
    assert difference(shifted, noisy, "x").mean == pytest.approx(0.1)
    assert difference(shifted, noisy, "x").counts  # far apart on every seed, however much the seeds differ
    assert not difference(trial("c", x=(0.2, 0.3, 1.1)), noisy, "x").counts
    assert not difference(trial("d", x=(0.3, 0.7)), trial("e", x=(0.1, 0.5)), "x").counts  # two seeds


def test_a_run_is_made_once_and_again_where_anything_differs(random_llava, tmp_path):
    def trials(edits=2):
        told = []
        found = run_trials(
            random_llava,
            {"nothing": parse("none"), "paper + one": parse("finetune:steps=1")},
            lambda seed, _: ScopeWorldStream(seed=seed, edits=edits),
            seeds=[3, 4],
            edits=edits,
            folder=tmp_path,
            progress=lambda what, done, total: told.append((what, done, total)),
        )
        assert told[-1][1:] == (4, 4)
        return found

    first = trials()
    path = tmp_path / folder_of("paper + one") / "4" / "result.json"
    stamp = path.stat().st_mtime_ns
    assert [t.name for t in first] == ["nothing", "paper + one"]
    assert len(first[0].figures["reliability"]) == 2
    again = trials()
    assert path.stat().st_mtime_ns == stamp
    assert [t.figures for t in again] == [t.figures for t in first]
    whole = json.loads(path.read_text())
    assert whole["horizons"][-1]["teacher_forced"] == {}  # which no table shows
    for place, name in (("model", "digest"), ("editor", "spec"), ("editor", "fields"), ("protocol", "matcher")):
        path.write_text(json.dumps({**whole, place: {**whole[place], name: "another"}}))
        trials()
        assert json.loads(path.read_text())[place] == whole[place], (place, name)
    path.write_text("{")
    trials()
    assert json.loads(path.read_text())["benchmark"]["seed"] == 4
    trials(edits=1)
    assert json.loads(path.read_text())["benchmark"]["edits"] == 1


def test_seeds_are_given_each_once(random_llava, tmp_path):
    def stream_of(seed, baseline):
        return ScopeWorldStream(seed=seed, edits=1)

    for seeds in ([], [3, 3]):
        with pytest.raises(BadInput, match="each once"):
            run_trials(random_llava, {}, stream_of, seeds=seeds, edits=1, folder=tmp_path, progress=lambda *told: None)


def test_folders_of_an_addition_and_a_removal_differ():
    assert folder_of("paper + steps") != folder_of("paper - steps")
    assert folder_of("scopeedit:preset=paper") == "scopeedit-preset-paper"
