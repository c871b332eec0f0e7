"""The fine-grained protocol: one edit or many in memory, what is asked of them, and the figures of FGVEdit, by naive versions."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from errata.benchmarks.fgvedit import FGVEdit
from errata.benchmarks.scopeworld.fgv import ScopeWorldFGV
from errata.core.benchmark import UNCHANGED, Case, Probe, standing
from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.measure.evaluate import ANSWER_TOKENS, Baseline
from errata.measure.fine import run_fine
from errata.measure.results import Rate
from errata.nn.patches import NoPatch
from errata.report.run import write_report
from tests.benchmarks.fgv_files import write_fgvedit
from tests.by_words import ByWords, Memory
from tests.editors.samples import EDITS

STRANGER = Query.ask("how many things are there?")


@dataclass(frozen=True)
class Six:
    """The sample corrections, each with probes of several kinds on the words of the others."""

    edits: tuple[Edit, ...] = EDITS
    name: str = "six"
    digest: str = "0" * 64

    def __len__(self) -> int:
        return len(self.edits)

    def __getitem__(self, index: int) -> Case:
        edit, after = self.edits[index], self.edits[(index + 1) % len(self.edits)]
        return Case(
            edit,
            (
                Probe("reliability", edit.query, edit.target),
                Probe("specificity_in", edit.query, "never said"),
                Probe("specificity_out", after.query, UNCHANGED),
                Probe("specificity_out", STRANGER, UNCHANGED),
                Probe("text_locality", STRANGER, UNCHANGED),
                Probe("words_locality", Query.ask("where is it?"), UNCHANGED),
            ),
        )

    def truth(self, horizon: int) -> list[Case]:
        return [self[index] for index in range(horizon)]

    def pool(self) -> list[Query]:
        return []


def run(model, editor, *, memory, stream=None, edits=3, **named):
    def quiet(what, done, total):
        return None

    return run_fine(model, editor, stream or Six(), edits=edits, memory=memory, seed=0, progress=quiet, **named)


@dataclass
class Watched:
    """By words, with the edits that were in memory whenever it was read."""

    inner: ByWords = field(default_factory=ByWords)
    seen: list[tuple[str, ...]] = field(default_factory=list)

    def spec(self, model):
        return self.inner.spec(model)

    def begin(self, model):
        return self.inner.begin(model)

    def write(self, model, state: Memory, edit: Edit):
        return self.inner.write(model, state, edit)

    def read(self, model, state: Memory, query: Query):
        self.seen.append(tuple(edit.target for edit, _ in state.edits))
        return self.inner.read(model, state, query)


def test_one_edit_is_asked_alone_and_taken_back_before_the_next(random_llava):
    editor = Watched()
    found = run(random_llava, editor, memory=1)
    assert set(editor.seen) == {(edit.target,) for edit in EDITS[:3]}
    assert [horizon.edits for horizon in found.horizons] == [1]
    assert found.horizons[0].rates["reliability"].n == 3


def test_many_edits_are_all_written_before_any_is_asked(random_llava):
    editor = Watched()
    found = run(random_llava, editor, memory=2)
    pairs = {tuple(edit.target for edit in EDITS[:2]), (EDITS[2].target,)}  # the last memory holds what is left over
    assert set(editor.seen) == pairs
    assert found.horizons[0].edits == 2
    assert found.horizons[0].rates["reliability"].n == 3


@pytest.mark.parametrize("memory", [1, 3])
def test_the_rates_are_those_of_asking_one_by_one(random_llava, memory):
    """A naive version: write, ask each probe alone, compare with the unedited model."""
    stream, editor = Six(), ByWords()
    hits: dict[str, list[bool]] = {}
    forced: dict[str, list[float]] = {}
    for start in range(0, 3, memory):
        state = editor.begin(random_llava)
        for index in range(start, start + memory):
            state = editor.write(random_llava, state, stream[index].edit)
        inside = {stream[index].edit.query.digest: stream[index].edit for index in range(start, start + memory)}
        for index in range(start, start + memory):
            for probe in stream[index].probes:
                other = inside.get(probe.query.digest, stream[index].edit)
                kind, expect = probe.kind, probe.expect
                if other is not stream[index].edit:
                    kind, expect = "cross_edit", other.target
                patch = editor.read(random_llava, state, probe.query)
                (before,) = random_llava.answers([probe.query], [NoPatch()], max_new_tokens=ANSWER_TOKENS)
                (after,) = random_llava.answers([probe.query], [patch], max_new_tokens=ANSWER_TOKENS)
                wanted = before if expect is UNCHANGED else expect
                hits.setdefault(kind, []).append(after == wanted)
                if wanted.strip():
                    (score,) = random_llava.predict_many([probe.query], [wanted], [patch])
                    forced.setdefault(kind, []).append(score.accuracy)
    last = run(random_llava, editor, memory=memory).horizons[0]
    for kind, met in hits.items():
        assert last.rates[kind] == Rate(sum(met), len(met)), kind
        assert last.teacher_forced[kind].rate == pytest.approx(sum(forced[kind]) / len(forced[kind])), kind
    halves = [sum(hits[kind]) / len(hits[kind]) for kind in ("specificity_in", "specificity_out")]
    assert last.rates["specificity"].rate == pytest.approx(sum(halves) / 2)
    pooled = [met for kind in ("words_locality", "image_locality", "text_locality") for met in hits.get(kind, [])]
    assert last.rates["locality"] == Rate(sum(pooled), len(pooled))
    assert last.rates["reliability"].rate == 1.0
    assert last.rates["specificity"].rate == pytest.approx(0.5)  # what is entailed is never said, what is not stays
    assert ("cross_edit" in hits) == (memory == 3)


def test_without_an_editor_nothing_is_learned_and_nothing_moves(random_llava):
    last = run(random_llava, parse("none"), memory=1, stream=ScopeWorldFGV(seed=3, edits=4), edits=4).horizons[0]
    assert last.rates["reliability"] == Rate(0, 4)
    assert last.rates["locality"] == Rate(24, 24)
    assert last.rates["near_locality"] == Rate(8, 8)
    assert last.rates["specificity"].rate == 0.5


def test_a_later_edit_of_one_query_overrules_the_earlier():
    again = Edit(EDITS[0].query, "somewhere else")
    cases = [Six((EDITS[0], EDITS[1], again))[index] for index in range(3)]
    settled = standing(cases)
    assert settled[0].probes == ()
    assert [probe.expect for probe in settled[2].probes if probe.kind == "reliability"] == ["somewhere else"]
    crossed = [probe for probe in settled[1].probes if probe.kind == "cross_edit"]
    assert [(probe.query, probe.expect) for probe in crossed] == [(again.query, "somewhere else")]


def test_the_same_run_twice_gives_equal_rates_and_a_shared_baseline_changes_none(random_llava):
    first = run(random_llava, parse("finetune:steps=2"), memory=2)
    again = run(random_llava, parse("finetune:steps=2"), memory=2, baseline=Baseline(random_llava))
    assert [h.to_json() for h in first.horizons] == [h.to_json() for h in again.horizons]
    told = first.to_json()
    assert set(told) == {"benchmark", "model", "editor", "protocol", "horizons", "judged", "cost"}
    assert told["protocol"]["memory"] == 2
    assert told["cost"]["write_ms"]["median"] > 0
    assert told["cost"]["state_bytes"]["first"] > 0


def test_the_authors_layout_is_scored_and_the_report_says_how(random_llava, tmp_path):
    fgv = FGVEdit(write_fgvedit(tmp_path))
    runs = [run(random_llava, parse(text), memory=1, stream=fgv, asked=text) for text in ("none", "finetune:steps=1")]
    assert set(runs[0].horizons[0].rates) == {
        "reliability", "text_generality", "specificity_in", "specificity_out", "specificity", "text_locality", "locality",
    }  # fmt: skip
    assert {kind: rate.n for kind, rate in runs[0].horizons[0].rates.items()}["locality"] == 3
    page = write_report(tmp_path / "report.html", runs, seed=1).read_text()
    assert "everything is taken back before the next ones" in page
    assert "refused whole" not in page


def test_an_editor_is_shown_the_edit_alone(random_llava):
    """No probe reaches a write."""
    stream, seen = ScopeWorldFGV(seed=5, edits=3), []

    class Spy(Watched):
        def write(self, model, state, edit):
            seen.append(edit)
            return state

        def read(self, model, state, query):
            return NoPatch()

    run(random_llava, Spy(), memory=3, stream=stream)
    assert seen == [stream[index].edit for index in range(3)]
    assert all(edit.also == edit.keep == () for edit in seen)


@pytest.mark.parametrize(("edits", "memory"), [(3, 0), (3, 4), (9, 1), (0, 0)])
def test_numbers_that_cannot_be_are_refused(random_llava, edits, memory):
    with pytest.raises(BadInput, match="memory"):
        run(random_llava, parse("none"), memory=memory, edits=edits)
