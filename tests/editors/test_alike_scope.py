"""The same question, and a near one: a scope that asks nothing of the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from errata.core.encoder import Seen
from errata.core.errors import BadInput
from errata.core.images import NEWEST
from errata.core.records import Edit, Message, Query
from errata.editors import parse
from errata.editors.scoped.scopes.alike import Alike
from errata.models.clip import load_encoder
from errata.session.ready import Loader, equipped
from tests.conftest import picture


class _Nobody:
    """A model of which nothing may be asked but how pictures are decoded."""

    decoder = NEWEST

    def check(self, query, target=None):
        """Anything goes."""


class _Made:
    """An encoder whose vectors a test writes down; it reads words to the tenth."""

    name = digest = "made"
    width = 2

    def __init__(self, **at):
        self._at = at

    def text(self, text):
        words = text.split()[:10]
        x, y = self._at.get(words[0], (1.0, 0.0))
        return Seen(torch.tensor([x, y]), torch.zeros(len(words), 2))

    def image(self, image):
        x = {picture(1).digest: 1.0, picture(2).digest: 0.8}.get(image.digest, 0.0)
        return Seen(torch.tensor([x, (1 - x * x) ** 0.5]), torch.zeros(1, 2))


NOBODY: Any = _Nobody()


def made(**at: tuple[float, float]) -> Any:
    return _Made(**at)


def rho(scope, asked, *edits):
    keys = torch.stack([scope.key(NOBODY, query, "x") for query in edits]).half().float()  # as a memory keeps them
    return scope.rho(scope.key(NOBODY, asked), keys).tolist()


def conversation(*said):
    return Query(tuple(Message(role, tuple(parts)) for role, *parts in said))


def test_the_same_question_is_sure_however_it_is_typed_and_whatever_the_system_says():
    scope = Alike(0.9)
    same = [
        Query.ask("Where  is it"),
        conversation(("system", "Be brief."), ("user", "where is it?")),
    ]
    others = [
        Query.ask("where is it now?"),
        Query.ask("where is it?", picture(1)),
        conversation(("user", "a"), ("assistant", "b"), ("user", "where is it?")),
    ]
    asked = Query.ask("where is it?")
    assert rho(scope, asked, *same, *others) == [1, 1, 0, 0, 0]
    assert rho(scope, same[1], asked) == [1]
    assert rho(Alike(0.9, made()), asked, *same) == [1, 1]


def test_words_and_picture_must_both_be_as_alike_as_the_threshold():
    scope = Alike(0.75, made(near=(0.8, 0.6), far=(0.6, 0.8)))
    base = Query.ask("base a", picture(1))
    scores = rho(
        scope,
        base,
        Query.ask("near a", picture(1)),
        Query.ask("far a", picture(1)),
        Query.ask("base b", picture(2)),
        Query.ask("base b", picture(3)),
        Query.ask("base b"),
        Query.ask("base b", picture(1), picture(1)),
    )
    assert scores == pytest.approx([0.6, 0.4, 0.6, 0, 0, 0], abs=1e-3)
    assert rho(scope, Query.ask("base"), Query.ask("near")) == pytest.approx([0.6], abs=1e-3)


def test_a_conversation_and_words_that_werent_read_to_their_end_are_near_to_none():
    scope = Alike(0.5, made())
    long = " ".join(["base", *"abcdefghij"])
    talk = conversation(("user", "a"), ("assistant", "b"), ("user", "base"))
    assert rho(scope, Query.ask("base x"), Query.ask(long), talk, Query.ask("base y")) == [0, 0, 1]
    assert rho(scope, Query.ask(f"{long} k"), Query.ask(long)) == [0]
    assert rho(scope, Query.ask(long), Query.ask(long)) == [1]


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0])
def test_a_threshold_that_tells_nothing_apart_is_refused(threshold):
    with pytest.raises(BadInput, match="threshold must be above 0 and below 1"):
        Alike(threshold)
    with pytest.raises(BadInput, match="threshold must be above 0 and below 1"):
        parse(f"pinned:threshold={threshold}")


def test_the_encoder_is_part_of_who_the_editor_is_and_where_it_lies_isnt():
    def spec(text):
        return equipped(parse(text), Loader()).spec(NOBODY).to_json()

    assert spec("pinned")["fields"]["made"]["fields"]["scope"] == {"kind": "alike"}
    near = spec("pinned:encoders=clip-tiny")
    assert near["fields"]["encoders"] is None
    assert near["fields"]["made"]["fields"]["scope"]["encoder"] == load_encoder("clip-tiny").digest
    assert near != spec("pinned:encoders=clip-mini")
    with pytest.raises(BadInput, match='scope "alike" learns nothing'):
        parse("pinned:checkpoint=x")


def test_a_memory_over_it_answers_the_near_and_leaves_the_rest():
    editor: Any = equipped(parse("pinned:encoders=clip-tiny,threshold=0.9"), Loader())
    edit = Edit(Query.ask("where does mibo live?"), "the cave")
    state = editor.write(NOBODY, editor.begin(NOBODY), edit)
    near = editor.read(NOBODY, state, Query.ask("tell me where mibo lives"))
    assert (near.text, near.edits) == ("the cave", (edit.id,))
    far = editor.read(NOBODY, state, Query.ask("where does tovo live?"))
    assert far.edits == ()
    assert not far.decision.inside
    assert editor.forget(state, edit.id).count == 0
