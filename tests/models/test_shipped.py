"""The model inside the package: small, in half precision, and it knows its world. `errata model check` is the whole exam."""

from collections import defaultdict
from pathlib import Path

import pytest

import errata
from errata.benchmarks.scopeworld.exam import exam
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.engine.registry import benchmark
from errata.engine.session import Session
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.nn.patches import NoPatch

FOLDER = Path(errata.__file__).parent / "assets" / "llava-tiny"


@pytest.fixture(scope="module")
def shipped():
    return load("llava-tiny")


def test_it_takes_at_most_sixteen_megabytes_and_three_to_eight_million_parameters(shipped):
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 16 * 1024 * 1024
    assert 3_000_000 <= shipped.parameters <= 8_000_000


def test_a_sample_of_the_exam_is_answered(shipped):
    """Eight questions of each topic. The bound guards against a broken model; docs/scopeworld.md has the whole exam."""
    items = [item for item in exam(each=8, seed=77) if item.column in ("scenes", "wordings", "handwriting")]
    said = shipped.answers([item.query for item in items], [NoPatch()] * len(items), max_new_tokens=32)
    right = defaultdict(list)
    for item, answer in zip(items, said, strict=True):
        right[item.column].append(answer == item.answer)
    shares = {column: sum(hits) / len(hits) for column, hits in right.items()}
    assert all(share >= 0.8 for share in shares.values()), shares


def test_a_correction_is_learned_spreads_to_its_wordings_and_can_be_taken_back(shipped):
    stream = benchmark("scopeworld-stream", seed=2, edits=12)
    session = Session.open(shipped, parse("scopeedit"), EditLog(MemoryStore()), pool=stream.pool())
    probes = [probe for probe in stream[0].probes if probe.kind in ("reliability", "text_generality", "text_locality")]
    before = [answer.text for answer in session.ask([probe.query for probe in probes])]
    receipt = session.edit(stream[0].edit)
    after = [answer.text for answer in session.ask([probe.query for probe in probes])]
    assert receipt.status == "applied"
    assert after[0] == stream[0].edit.target
    changed = [probe.kind for probe, was, now in zip(probes, before, after, strict=True) if was != now]
    assert "text_locality" not in changed
    session.revert(receipt.edit)
    assert [answer.text for answer in session.ask([probe.query for probe in probes])] == before


def test_a_word_that_its_tokenizer_cannot_express_is_refused(shipped):
    with pytest.raises(ValueError, match="can't be expressed"):
        shipped.check(Query.ask("where is it?"), "日本")
    assert Edit(Query.ask("where is it?"), "the harbor").id
