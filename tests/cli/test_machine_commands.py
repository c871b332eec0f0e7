"""What editors, a memory of many edits and the log take here, and what a model sees as alike: real work of the smallest size."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

import pytest

from errata.benchmarks.scopeworld.stream import OUT_OF_SCOPE, ScopeWorldStream
from errata.core.records import Edit, Query, Spec
from errata.log import EditLog, open_store
from errata.measure.cost import costs
from errata.measure.keys import INSIDE, KINDS
from errata.models import load
from errata.nn.patches import NoPatch
from tests.cli.runs import SRC, errata
from tests.log.servers import database
from tests.zoo import families

LOADED = re.compile(r"^import time:.*\|\s+torch$", re.MULTILINE)
"""What Python says when it is asked what it loads."""


def built(folder: Path, context: int) -> Path:
    from errata.models.small.build import LlavaSizes, build_llava
    from errata.school.school import texts

    sizes = LlavaSizes(width=32, layers=2, ffn=32, vision_width=32, vision_layers=1, vision_ffn=32, context=context)
    build_llava(folder, texts=texts(count=400), sizes=sizes, seed=0)
    return folder


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA of two layers that can be put every question of ScopeWorld, and knows nothing."""
    return built(tmp_path_factory.mktemp("models") / "untrained", 256)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that no picture with a question fits into."""
    return built(tmp_path_factory.mktemp("models") / "short", 20)


def lines(printed: str) -> list[dict]:
    return [json.loads(line) for line in printed.splitlines()]


def test_the_cost_of_an_editor_is_told_in_passes_and_answers(inside, untrained):
    words = ("bench", "cost", "--model", untrained, "--editor", "finetune:steps=1", "--edits", 2, "--pool", 2)
    done = inside(*words, "--json")
    assert done.code == 0, done.err
    (told,) = lines(done.out)
    assert (told["editor"], told["edits"], told["seed"], told["model"]) == ("finetune:steps=1", 2, 7, str(untrained))
    assert told["parameters"] == load(untrained).parameters
    assert (len(told["pass_ms"]), len(told["write_over_pass"]), len(told["state_bytes"])) == (2, 2, 2)
    first, last = told["write_over_pass"]
    assert told["write_over_pass_median"] == pytest.approx((first + last) / 2)
    assert told["late_over_early"] == pytest.approx(last / first)
    assert told["read_over_base"] > 0
    assert (told["read_over_base_merged"] > 0, told["merged_agree"]) == (True, [2, 2])

    drawn = inside(*words)
    assert (drawn.code, f"{untrained}, 0 million parameters, finetune:steps=1, 2 edits, seed 7" in drawn.out) == (0, True)
    assert re.search(r"a write, in passes \(median\) +\d+\.\d\d", drawn.out)
    assert re.search(r"answers that merging leaves alike +2 of 2", drawn.out)


def test_a_model_without_eyes_is_measured_on_corrections_in_words(inside, tmp_path):
    families()["smollm2"].build(tmp_path / "words")
    asked = ("bench", "cost", "--model", "words", "--editor", "finetune:steps=1", "--edits", 2, "--pool", 2, "--json")
    told = json.loads(inside(*asked, "--benchmark", "atlas-words").out)
    assert told["write_over_pass_median"] > 0
    assert told["state_bytes"][0] == told["state_bytes"][1] > 0
    pictures = inside(*asked)
    assert (pictures.code, "sees none" in pictures.err) == (2, True)


def test_an_editor_that_can_not_be_merged_says_nothing_of_it_and_a_random_model_is_made_on_the_spot(inside, tmp_path):
    done = inside("bench", "cost", "--model", "random-5m", "--editor", "none", "--edits", 1)
    assert done.code == 0, done.err
    assert "random-5m, 5 million parameters, none, 1 edit, seed 7" in done.out
    assert "merg" not in done.out
    assert list(tmp_path.iterdir()) == []


class Counting:
    """An editor that takes 50 ms to remember what it was given, and by which model."""

    def __init__(self) -> None:
        self.given: list[tuple[object, Edit]] = []

    def spec(self, model) -> Spec:
        return Spec("counting", {})

    def begin(self, model) -> tuple[Edit, ...]:
        return ()

    def write(self, model, state: tuple[Edit, ...], edit: Edit) -> tuple[Edit, ...]:
        self.given.append((model, edit))
        time.sleep(0.05)
        return (*state, edit)

    def read(self, model, state, query: Query) -> NoPatch:
        return NoPatch()


def test_the_last_tenth_is_the_first_again_on_a_model_that_has_seen_none_of_it(untrained):
    editor, stream = Counting(), ScopeWorldStream(seed=7, edits=20)
    found = costs(lambda: load(untrained), editor, stream, pool=0, progress=lambda what, done, total: None)
    models, edits = zip(*editor.given, strict=True)
    assert [edit.query for edit in edits[18:]] == [stream[index].edit.query for index in (0, 1)]
    assert len({edit.id for edit in edits}) == 20
    assert [models.index(model) for model in models] == [0] * 18 + [18] * 2
    took_ms = [ratio * whole for ratio, whole in zip(found.write_over_pass, found.pass_ms, strict=True)]
    assert 50 <= median(took_ms) < 150


def test_keys_are_told_of_every_module_in_every_metric(inside, untrained):
    words = ("bench", "keys", "--model", untrained, "--edits", 2, "--layers", 1, "--kept", 1)
    done = inside(*words, "--json")
    assert done.code == 0, done.err
    told = lines(done.out)
    modules = [f"model.language_model.layers.1.mlp.{name}" for name in ("up_proj", "down_proj")]
    assert [(row["module"], row["metric"]) for row in told] == [(m, n) for m in modules for n in ("raw", "chatter", "pool")]
    for row in told:
        assert set(row["kinds"]) == set(KINDS)
        assert all(-1.001 <= kind["cosine"] <= 1.001 for kind in row["kinds"].values())
        assert {row["kinds"][kind]["right"] for kind in OUT_OF_SCOPE} == {1.0}, "a reach that keeps them all silent"
        found = {row["kinds"][kind]["right"] for kind in INSIDE}
        assert min(found) <= row["inside"] <= max(found)
    raw, _, pool = told[:3]
    assert raw["kinds"]["text_generality"]["cosine"] > pool["kinds"]["text_generality"]["cosine"] + 0.05
    assert raw["kinds"]["text_generality"]["cosine"] > raw["kinds"]["text_locality"]["cosine"]

    drawn = inside(*words)
    assert drawn.code == 0, drawn.err
    (row,) = (line for line in drawn.out.splitlines() if line.split()[:2] == ["layers.1.mlp.up_proj", "raw"])
    assert f"{raw['reach']:.2f}" in row
    assert all(kind in drawn.out for kind in KINDS)


def test_a_model_that_the_questions_can_not_be_put_to_gets_a_sentence(inside, untrained, short):
    for words, said in (
        (("keys", "--model", untrained, "--edits", 1, "--layers", 3), "has 2 layers, not 3. Give at most 2 to --layers."),
        (("keys", "--model", untrained, "--edits", 1, "--kept", "nan"), "--kept is a share from 0 to 1"),
        (("keys", "--model", untrained, "--edits", 1, "--weight", "-1"), "--weight a number of 0 or more"),
        (("keys", "--model", short, "--edits", 1, "--layers", 1), "can't be put every question of this stream"),
        (("cost", "--model", short, "--edits", 1, "--editor", "none"), "reads at most 20 together"),
    ):
        done = inside("bench", *words)
        assert (done.code, done.out, said in done.err) == (2, "", True), done.err or done.out


def test_a_memory_finds_the_nearest_and_says_what_it_takes(inside):
    words = ("bench", "memory", "--edits", 3000, "--width", 16, "--queries", 30, "--seed", 5)
    done = inside(*words, "--json")
    assert done.code == 0, done.err
    (told,) = lines(done.out)
    assert {name: told[name] for name in ("edits", "width", "queries", "seed")} == {
        "edits": 3000,
        "width": 16,
        "queries": 30,
        "seed": 5,
    }
    assert (told["recall"], told["indexed"]) == (1.0, False), "so few are looked at one by one"
    for what in ("decision", "more", "less"):
        assert 0 < told[what]["median"] <= told[what]["p99"] <= told[what]["most"]

    drawn = inside(*words)
    assert (drawn.code, "3,000 edits, 16 wide, asked by every key; made ready" in drawn.out) == (0, True)
    assert "recall@1 1.0000 over 30 questions" in drawn.out
    for what in ("a decision", "an edit more", "an edit less"):
        assert re.search(rf"{what}( +\d+\.\d\d){{3}}", drawn.out), what


def test_a_store_is_measured_by_processes_that_load_no_torch_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "errata", "bench", "store", "--appends", "7", "--processes", "2", "--long", "30", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("errata.log.speed") == 3, "this process and two writers say what they load"
    assert LOADED.search(done.stderr) is None
    written, read = lines(done.stdout)
    assert (written["measured"], written["store"], written["processes"], written["appends"]) == ("appends", "sqlite", 2, 6)
    assert written["appends_per_s"] == pytest.approx(6 / written["seconds"], rel=0.05)
    assert (read["measured"], read["entries"], read["show_last_page_s"] > 0) == ("opening", 30, True)
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_measured_too_and_keeps_the_branch(inside, tmp_path):
    place = database()
    done = inside("bench", "store", "--store", place, "--appends", 6, "--processes", 2, "--long", 5, "--folder", tmp_path)
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[:4] for row in rows if row[:1] == ["appends,"]] == [["appends,", "2", "at", "once"]] * 2
    assert [row[4].split(":")[0] for row in rows if row[:1] == ["appends,"]] == ["sqlite", "postgresql"]
    assert [row[:6] for row in rows if row[:1] == ["a"]] == [["a", "long", "log,", "folded", "sqlite", "5"]]
    with closing(open_store(place)) as store:
        (branch,) = store.branches()
        assert (branch.startswith("bench-"), len(EditLog(store, branch).ids_in_force())) == (True, 6)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, here and in what is started from here."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_writer_that_fails_is_a_sentence_and_nobody_waits_for_it(tmp_path):
    with small_disk(400_000):
        done = errata("bench", "store", "--appends", 4000, "--processes", 2, "--folder", tmp_path, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "writing.db" in done.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cost", "--editor", "nope"), "There is no editor named 'nope'"),
        (("cost", "--model", "nope"), "There is no model named 'nope'"),
        (("cost", "--edits", "0"), "--edits"),
        (("cost", "--seed", "-1"), "--seed"),
        (("cost", "--pool", "-1"), "--pool"),
        (("cost", "--device", "abacus"), "abacus"),
        (("keys", "--model", "nope"), "There is no model named 'nope'"),
        (("keys", "--layers", "0"), "--layers"),
        (("keys", "--edits", "many"), "--edits"),
        (("memory", "--edits", "0"), "--edits"),
        (("memory", "--width", "0"), "--width"),
        (("memory", "--queries", "0"), "--queries"),
        (("store", "--appends", "3"), "3 appends can't be shared by 4 processes. Give at least 4"),
        (("store", "--processes", "0"), "--processes"),
        (("store", "--long", "0"), "--long"),
        (("store", "--folder", "none"), "No such file"),
        (("store", "--store", "errata.db"), "takes a postgresql:// URL, not 'errata.db'"),
        (("store", "--store", "mysql://host/x"), "begins with mysql://"),
        (("store", "--appends", "1", "--processes", "1", "--store", "postgresql://ada:s3cret@localhost:1/x"), "localhost:1/x"),
    ],
)
def test_what_can_not_be_measured_gets_a_sentence_and_writes_nothing(inside, tmp_path, words, said):
    done = inside("bench", *words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert "s3cret" not in done.err
    assert list(tmp_path.iterdir()) == []
