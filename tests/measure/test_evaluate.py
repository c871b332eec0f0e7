"""The online protocol, on a model that knows nothing and on editors whose results can be foreseen."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.errors import BadInput, Unknown
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.measure.evaluate import Baseline, run_stream
from errata.measure.results import Rate
from errata.session.registry import benchmark, editor
from tests.editors.samples import EDITS


@dataclass(frozen=True)
class TinyStream:
    """Four corrections in words; each probes itself, a stranger, and the one after it, which the next edit changes."""

    name: str = "tiny"
    digest: str = "0" * 64

    def __len__(self) -> int:
        return len(EDITS)

    def __getitem__(self, index: int) -> Case:
        return self._case(index, len(EDITS))

    def _case(self, index: int, horizon: int) -> Case:
        edit = EDITS[index]
        stranger = Query.ask("how many things are there?")
        after = EDITS[(index + 1) % len(EDITS)]
        entailed = (index + 1) % len(EDITS) < horizon
        crossed = Probe("cross_edit", after.query, after.target) if entailed else Probe("near_locality", after.query, UNCHANGED)
        return Case(edit, (Probe("reliability", edit.query, edit.target), Probe("text_locality", stranger, UNCHANGED), crossed))

    def truth(self, horizon: int) -> list[Case]:
        return [self._case(index, horizon) for index in range(horizon)]

    def pool(self) -> list[Query]:
        return []


def quiet(what, done, total):
    return None


def run(model, text, **named):
    return run_stream(model, parse(text), TinyStream(), horizons=(1, 3), seed=0, edits=3, progress=quiet, **named)


@dataclass(frozen=True)
class Lenient(TinyStream):
    """Reads every answer to some edits' own questions as given."""

    matcher: str = "anything goes, of some"
    reads: frozenset[str] = frozenset()

    def gives(self, outcome):
        return outcome.probe.expect is not UNCHANGED and outcome.probe.query.digest in self.reads


def test_a_write_is_judged_by_the_matcher_that_judges_the_answers(random_llava):
    stream = Lenient(reads=frozenset({EDITS[0].query.digest, EDITS[2].query.digest}))
    found = run_stream(random_llava, parse("none"), stream, horizons=(3,), seed=0, edits=3, progress=quiet)
    assert found.horizons[-1].refused == 1
    assert found.horizons[-1].rates["reliability"] == Rate(2, 3)
    assert found.protocol["read_back"] == "a write is read by the matcher, too"
    assert "read_back" not in run(random_llava, "none").protocol


@pytest.fixture(scope="module")
def tuned(random_llava):
    return run(random_llava, "finetune:steps=40,lr=0.003")


def test_without_an_editor_nothing_is_learned_and_nothing_is_broken(random_llava):
    found = run(random_llava, "none")
    last = found.horizons[-1]
    assert last.rates["reliability"] == Rate(0, 3)
    assert last.rates["text_locality"].rate == 1.0
    assert last.classes["unreliable"] == Rate(3, 3)
    assert last.refused == 3


def test_the_last_edit_is_reliable_and_a_horizon_counts_every_edit_so_far(tuned):
    assert [horizon.edits for horizon in tuned.horizons] == [1, 3]
    assert tuned.horizons[0].rates["reliability"] == Rate(1, 1)
    assert tuned.horizons[1].rates["reliability"].n == 3
    assert tuned.judged[-1].committed


def test_the_same_run_twice_gives_equal_rates(random_llava, tuned):
    again = run(random_llava, "finetune:steps=40,lr=0.003")
    assert [h.to_json() for h in again.horizons] == [h.to_json() for h in tuned.horizons]


def test_a_shared_baseline_changes_no_figure(random_llava, tuned):
    base = Baseline(random_llava)
    again = run(random_llava, "finetune:steps=40,lr=0.003", baseline=base)
    assert [h.to_json() for h in again.horizons] == [h.to_json() for h in tuned.horizons]
    assert base.known


def test_every_field_of_the_figures_file_is_there(tuned):
    found = tuned.to_json()
    assert set(found) == {"benchmark", "model", "editor", "protocol", "horizons", "cost", "judged", "restart"}
    assert set(found["benchmark"]) == {"name", "seed", "edits", "digest"}
    assert set(found["model"]) == {"name", "digest", "parameters"}
    assert set(found["editor"]) == {"spec", "fields"}
    assert set(found["protocol"]) == {"answers", "matcher", "baseline"}
    horizon = found["horizons"][-1]
    assert {"edits", "rates", "teacher_forced", "classes", "refused"} <= set(horizon)
    assert set(horizon["classes"]) == {"unreliable", "proper", "under", "over", "entangled", "strict"}
    cost = found["cost"]
    assert set(cost["write_ms"]) == {"median", "first_tenth", "last_tenth"}
    assert cost["write_over_pass"] == pytest.approx(cost["write_ms"]["median"] / cost["pass_ms"]["median"])
    assert cost["state_bytes"]["first"] == cost["state_bytes"]["last"] > 0
    assert cost["log_bytes_per_edit"] > 0
    assert cost["snapshot_bytes"] > cost["state_bytes"]["last"]
    assert 0 < cost["snapshot_first_bytes"] <= cost["snapshot_bytes"]
    assert found["restart"]["same"] == found["restart"]["asked"] > 0


def test_the_figures_file_lists_every_edit_so_that_its_rates_come_again(tuned):
    found = tuned.to_json()
    last, edits = found["horizons"][-1], found["judged"]
    assert [edit["position"] for edit in edits] == list(range(last["edits"]))
    for kind, rate in last["rates"].items():
        marks = "".join(edit["met"].get(kind, "") for edit in edits)
        assert kind == "specificity" or (marks.count("1"), len(marks)) == (round(rate["rate"] * rate["n"]), rate["n"])
    scored = [edit["label"] for edit in edits if edit["label"] is not None]
    assert {name: scored.count(name) for name in set(scored)} == {
        name: round(rate["rate"] * rate["n"]) for name, rate in last["classes"].items() if rate["rate"] and name != "strict"
    }


def test_an_edit_shows_an_editor_only_what_its_user_sent(random_llava):
    """No probe reaches a write, the guard or the pool: whatever is put to the editor or the model while an edit is made is
    the edit's."""
    from errata.session.session import Session

    stream = ScopeWorldStream(seed=5, edits=6)
    seen: list[Query] = []
    spy = Spy(seen)
    session = Session.open(random_llava, spy, EditLog(MemoryStore()), pool=stream.pool())
    for index in range(len(stream)):
        seen.clear()
        case = stream[index]
        session.edit(case.edit)
        sent = {query.digest for query in (case.edit.query, *case.edit.also, *case.edit.keep)}
        assert {query.digest for query in seen} <= sent
        probes = {probe.query.digest for probe in case.probes if probe.kind != "reliability"}
        assert not probes & {query.digest for query in [*seen, *spy.pool]}
        pictures = {image.digest for query in [*seen, *spy.pool] for image in query.images} - {i.digest for i in case.edit.images}
        assert not pictures & {image.digest for probe in case.probes for image in probe.query.images}


class Spy:
    """An editor that notes every query it meets."""

    def __init__(self, seen: list[Query]) -> None:
        self.seen = seen
        self.pool: list[Query] = []

    def protecting(self, pool):
        self.pool += pool
        return self

    def spec(self, model):
        return parse("none").spec(model)

    def begin(self, model):
        return parse("none").begin(model)

    def write(self, model, state, edit: Edit):
        self.seen += [edit.query, *edit.also, *edit.keep]
        return parse("none").write(model, state, edit)

    def read(self, model, state, query: Query):
        self.seen.append(query)
        return parse("none").read(model, state, query)


def test_the_rate_of_nothing_is_none():
    assert Rate(0, 0).rate is None


def test_unknown_names_and_bad_horizons_are_told(random_llava):
    with pytest.raises(Unknown, match="scopeworld-stream"):
        benchmark("scopeworld-steam", seed=1, edits=2)
    with pytest.raises(Unknown, match="scopeedit"):
        editor("scopeedti")
    with pytest.raises(BadInput, match="between 1"):
        run_stream(random_llava, parse("none"), TinyStream(), horizons=(9,), seed=0, edits=3, progress=quiet)
