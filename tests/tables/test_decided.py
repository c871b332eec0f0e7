"""Decisions by kind of question: what counts as right, what the rows are, and what is written."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from errata.benchmarks.scopeworld.fgv import IN_SCOPE, ScopeWorldFGV
from errata.core.errors import BadInput
from errata.editors import parse
from errata.tables.decided import ALL_HARD, Decides, as_csv, as_figure, as_markdown, fill, said, write_table

NOBODY: Any = None
"""The model, which these scopes don't look at."""

EDITS = 4
SEEDS = (5, 6, 7)


@dataclass(frozen=True)
class Fixed:
    """A scope that always says the same."""

    rho_of_all: float = 1.0

    def decider(self):
        return self

    def spec(self):
        return {"kind": "fixed"}

    def key(self, model, query, target=None):
        return torch.ones(1)

    def rho(self, asked, keys):
        return torch.full((len(keys),), self.rho_of_all)


class Words(Fixed):
    """A scope that says yes to the edit's own words, answers left aside."""

    def key(self, model, query, target=None):
        return torch.tensor([float(sum(query.text.encode()))])

    def rho(self, asked, keys):
        return (keys[:, 0] == asked).float()


def of(seed):
    return ScopeWorldFGV(seed=seed, edits=EDITS)


def quiet(what, done, total):
    pass


@pytest.fixture(scope="module")
def found():
    editors = {"always": Fixed(), "never": Fixed(0.49), "at the bound": Fixed(0.5), "words": Words()}
    return fill(NOBODY, editors, of, seeds=SEEDS, edits=EDITS, progress=quiet)


def test_a_decision_is_right_where_it_says_what_the_label_says(found):
    always, never, bound, words = found.trials
    for kind in found.n:
        plain = kind.removesuffix(", hard")
        if plain in IN_SCOPE:
            assert (set(always.figures[kind]), set(never.figures[kind])) == ({1.0}, {0.0})
        elif kind not in ALL_HARD:
            assert (set(always.figures[kind]), set(never.figures[kind])) == ({0.0}, {1.0})
    assert always.figures["hard, in scope"] == (1.0,) * 3
    assert always.figures["hard, out of scope"] == (0.0,) * 3
    assert bound.figures == always.figures
    assert words.figures["reliability"] == (1.0,) * 3
    assert words.figures["near_locality, hard"] == (0.0,) * 3  # the edit's own words on another picture


def test_every_pair_is_counted_once_and_the_hard_ones_again_together(found):
    pairs = [pair for seed in SEEDS for index in range(EDITS) for pair in of(seed).pairs(index)]
    assert sum(n for kind, n in found.n.items() if kind not in ALL_HARD) == len(pairs)
    assert found.n["hard"] == sum(pair.hard for pair in pairs)
    assert found.n["hard, in scope"] + found.n["hard, out of scope"] == found.n["hard"]
    assert tuple(found.n)[:3] == ALL_HARD


def test_a_star_marks_what_differs_from_the_first_scope(found):
    assert said(found, found.trials[0], "hard") == f"{100 * found.trials[0].mean('hard'):.1f} ± 0.0"
    assert said(found, found.trials[1], "reliability") == "0.0 ± 0.0*"
    assert said(found, found.trials[3], "reliability") == "100.0 ± 0.0"


def test_what_is_written_holds_every_figure(found, tmp_path):
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(lines) == len(found.trials) * len(found.n)
    one = next(line for line in lines if (line["scope"], line["kind"]) == ("words", "hard"))
    assert float(one["mean"]) == found.trials[3].mean("hard")
    assert int(one["n"]) == found.n["hard"]
    assert f"| hard | {found.n['hard']} | " in as_markdown(found)
    assert "words" in as_figure(found)
    drawn = {
        kind: float(x)
        for x, kind in re.findall(r'x="([\d.]+)"[^>]*>([a-z_]+(?:, [a-z ]+)?)</text>', as_figure(found))
        if kind in found.n
    }
    assert set(drawn) == set(found.n)
    starts = sorted(drawn, key=lambda kind: drawn[kind])
    assert all(drawn[b] - drawn[a] > 6 * len(a) for a, b in zip(starts, starts[1:], strict=False))  # no name runs into the next
    names = [path.name for path in write_table(tmp_path, found)]
    assert names == ["fgvedit-figure-4.csv", "fgvedit-figure-4.md", "fgvedit-figure-4.svg"]


def test_what_can_not_decide_is_refused_with_a_sentence():
    with pytest.raises(BadInput, match=r"^finetune has no scope that decides\. Name an editor with one, such as told"):
        fill(NOBODY, {"finetune": parse("finetune")}, of, seeds=[1], edits=1, progress=quiet)
    with pytest.raises(BadInput, match="each once"):
        fill(NOBODY, {"always": Fixed()}, of, seeds=[1, 1], edits=1, progress=quiet)
    told = parse("told")
    assert isinstance(told, Decides)
    assert told.decider().spec()["kind"] == "nearest"
