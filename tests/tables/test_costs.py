"""What base, scope and counterfactual cost: no part is helped by what another one saw, and bytes are those of the weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from errata.core.images import Image
from errata.core.records import Query
from errata.editors.scoped.in_context import Counterfactual
from errata.editors.scoped.nearest import Nearest
from errata.editors.scoped.scoped import Scoped
from errata.tables.costs import PARTS, Costs, Part, copied, measure, rows
from tests.editors.samples import PICTURED, SECOND


@dataclass
class Watched:
    """A memory that keeps what was read."""

    memory: Scoped
    read_of: list[Query] = field(default_factory=list)

    def spec(self, model):
        return self.memory.spec(model)

    def begin(self, model):
        return self.memory.begin(model)

    def write(self, model, state, edit):
        return self.memory.write(model, state, edit)

    def read(self, model, state, query):
        self.read_of.append(query)
        return self.memory.read(model, state, query)

    def decider(self):
        return self.memory.scope


def pictures(query) -> list[Image]:
    return list(query.images)


def test_a_copy_shows_the_same_in_other_bytes_each_time():
    one, other = copied(PICTURED.query, "one"), copied(PICTURED.query, "other")
    assert one.text == other.text == PICTURED.query.text
    seen = [pictures(query)[0] for query in (PICTURED.query, one, other)]
    assert len({image.digest for image in seen}) == 3
    assert all(np.array_equal(np.asarray(image.pixels()), np.asarray(seen[0].pixels())) for image in seen)
    words = Query.ask("what is 1 plus 1?")
    assert copied(words, "one") == words


def test_no_part_is_asked_about_a_picture_that_another_one_saw(random_llava):
    editor = Watched(Scoped(Nearest(0.01, 0.5), Counterfactual()))
    asked = [(edit, Query.ask("what is seen?", *edit.query.images)) for edit in (PICTURED, SECOND)]
    found = measure("llava", random_llava, "watched", editor, asked, lambda what, done, total: None)
    assert [part.name for part in found.parts] == list(PARTS)
    assert found.edits == len(editor.read_of) == 2  # once for each question
    written = {image.digest for edit, _ in asked for image in pictures(edit.query)}
    read = [image.digest for query in editor.read_of for image in pictures(query)]
    assert len(set(read)) == len(read)
    assert not set(read) & written
    base, scope, told = found.parts
    assert (base.parameters, base.size) == (random_llava.parameters, 4 * random_llava.parameters)
    assert (scope.size, told.size) == (0, 0)
    assert min(part.milliseconds for part in found.parts) > 0


def test_shares_are_of_all_three():
    costs = Costs("one", "told", (Part("base", 10, 60, 30.0), Part("scope", 5, 20, 10.0), Part("counterfactual", 5, 20, 60.0)), 4)
    assert [costs.share(part, "size") for part in costs.parts] == pytest.approx([0.6, 0.2, 0.2])
    assert [costs.share(part, "milliseconds") for part in costs.parts] == pytest.approx([0.3, 0.1, 0.6])
    assert rows([costs])[0] == ("one", "told", "base", "10", "0.0", "60.0", "30.0", "30.0")
