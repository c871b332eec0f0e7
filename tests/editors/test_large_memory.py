"""A memory of very many edits: the nearest is found through the index as by a look at every key. `make proof` takes a million."""

from __future__ import annotations

import time

import numpy as np
import pytest
from torch.nn.functional import normalize

from errata.core.records import Edit, Query
from errata.editors import Scoped
from errata.editors.scoped.memory import ROWS
from errata.measure.memory import Mute, Table, aside, best, filled
from tools.proofs import Record

QUERIES = 400
WIDE = 128


@pytest.mark.proof(sample=33, full=1000)
def test_among_thousands_of_edits_the_nearest_is_found_and_one_more_or_less_costs_a_block(
    random_llava, trials: int, record: Record
):
    rng = np.random.default_rng(103)
    table, count = Table(), 1000 * trials
    state, memory = filled(rng, count, WIDE), Scoped(table, Mute())
    asked = [Query.ask(f"query {number}") for number in range(QUERIES)]
    for query in asked:
        place = int(rng.integers(count))
        table.keys[query.text] = normalize(state.blocks[place // ROWS].keys_KD[place % ROWS] + aside(rng, WIDE), dim=0)
    memory.decide(random_llava, state, asked[0])  # makes the index
    took, found = [], []
    for query in asked:
        started = time.perf_counter()
        found.append(memory.decide(random_llava, state, query)[0].edit)
        took.append(1000 * (time.perf_counter() - started))
    exact = best(state, [table.keys[query.text] for query in asked])
    recall = sum(one == other for one, other in zip(found, exact, strict=True)) / QUERIES
    assert state.blocks[0].mark.index is not None
    assert recall >= 0.99

    edit = Edit(asked[0], "a value")
    more = memory.write(random_llava, state, edit)
    assert sum(old is not new for old, new in zip(state.blocks, more.blocks, strict=False)) <= 1
    assert memory.decide(random_llava, more, asked[0])[0].edit == edit.id
    less = memory.forget(more, found[1])
    assert less is not None
    assert sum(old is not new for old, new in zip(more.blocks, less.blocks, strict=True)) == 1
    assert memory.decide(random_llava, less, asked[1])[0].edit != found[1]
    record.update(
        {
            "edits": count,
            "queries": QUERIES,
            "recall at 1": recall,
            "decision, 99th percentile, ms": round(float(np.percentile(took, 99)), 2),
        }
    )
