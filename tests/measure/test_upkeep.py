"""The four figures of an operator, worked out from what runs measured; a memory of thousands is as large as was reckoned."""

from __future__ import annotations

import pytest

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.measure import evaluate
from errata.measure.evaluate import run_stream
from errata.measure.trials import silent
from errata.measure.upkeep import MANY, TITLES, Upkeep, mean, said, upkeep
from errata.models import load
from errata.session.folding import frozen
from errata.session.session import Session


@pytest.fixture(scope="module")
def tiny():
    return load("llava-tiny")


def result(**other):
    rates = {
        "near_locality": {"rate": 0.5, "n": 10}, "same_wording": {"rate": 1.0, "n": 30}, "text_locality": {"rate": 0.0, "n": 99},
        "other_relation": {"rate": None, "n": 0}, "reliability": {"rate": 0.1, "n": 4},
    }  # fmt: skip
    cost = {
        "write_ms": {"median": 30.0}, "guard_ms": {"median": 470.0}, "snapshot_bytes": 1300, "snapshot_first_bytes": 1000,
        "state_bytes": {"first": 900, "last": 1200, "fills": False},
    }  # fmt: skip
    last = {"rates": rates, "edits": 6, "refused": 2}
    return {"horizons": [last], "cost": cost, "restart": {"asked": 4, "same": 3}} | other


def test_each_figure_is_of_what_was_measured():
    found = upkeep(result())
    assert found.moved == pytest.approx(1 - 35 / 40)
    assert found.seconds == 0.5
    assert found.memory_bytes == 1300 + 100 * (MANY - 4)  # four were kept, and took 100 each
    assert found.forgotten == 0.25
    assert said(found) == ("12.5", "0.5", "1.0", "75")
    assert len(said(found)) == len(TITLES)


def test_what_a_run_does_not_say_is_not_made_up():
    older = {
        "write_ms": {"median": 1.0},
        "guard_ms": {"median": 0.0},
        "snapshot_bytes": 1300,
        "state_bytes": {"first": 1, "last": 1},
    }
    older = result(cost=older, restart=None)
    assert upkeep(older).memory_bytes is None
    assert upkeep(older).forgotten is None
    none = result(horizons=[{"rates": {}, "edits": 6, "refused": 6}])
    assert upkeep(none) == Upkeep(None, None, None, 0.25)
    assert said(Upkeep(None, None, None, None)) == ("-", "-", "-", "-")
    assert mean([upkeep(result()), upkeep(none)]) == Upkeep(None, None, None, 0.25)
    assert mean([upkeep(result()), upkeep(result())]) == upkeep(result())


def test_what_fills_tensors_of_a_fixed_size_grows_no_further_unless_it_needs_larger_ones():
    def at(first, last, tensors, *, fills):
        found = result()
        sizes = {
            "snapshot_first_bytes": first,
            "snapshot_bytes": last,
            "state_bytes": {"first": tensors, "last": tensors, "fills": fills},
        }
        return upkeep({**found, "cost": {**found["cost"], **sizes}}).memory_bytes

    assert at(1000, 1300, 5000, fills=False) == 5000  # zeros at the tensors' ends were filled
    assert at(4000, 5030, 5000, fills=False) == 5030 + 10 * (MANY - 4)  # names of edits, beside them
    assert at(1000, 1300, 5000, fills=True) == 1300 + 100 * (MANY - 4)  # a book that needs more slots


@pytest.mark.parametrize("name", ["pin", "codebook:slots=4096"])
def test_a_memory_of_many_edits_is_as_large_as_was_reckoned_of_few(name, tiny, monkeypatch):
    """Of thirty real edits from four, to one in ten: answers differ in length."""
    monkeypatch.setattr("errata.measure.upkeep.MANY", 30)
    stream = ScopeWorldStream(edits=30, seed=7)
    few = upkeep(run_stream(tiny, parse(name), stream, horizons=[4], seed=7, edits=4, progress=silent).to_json())
    session = Session.open(tiny, parse(name), EditLog(MemoryStore()), pool=stream.pool())
    kept = sum(session.edit(stream[index].edit).status == "applied" for index in range(30))
    assert kept == 30
    assert few.memory_bytes == pytest.approx(len(frozen(session.state)), rel=0.1)
    assert few.forgotten == 0


def test_an_answer_that_a_restart_loses_is_counted(tiny, monkeypatch):
    monkeypatch.setattr(evaluate, "kept", lambda log, entry, state: None)
    asked = Session.open

    def without_edits(model, editor, log, **how):
        return asked(model, editor, EditLog(MemoryStore()), **how)

    calls = iter([asked, without_edits])
    monkeypatch.setattr(Session, "open", staticmethod(lambda *given, **how: next(calls)(*given, **how)))
    found = run_stream(tiny, parse("pin"), ScopeWorldStream(edits=3, seed=7), horizons=[3], seed=7, edits=3, progress=silent)
    assert upkeep(found.to_json()).forgotten == 1
