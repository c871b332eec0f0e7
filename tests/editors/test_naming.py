"""What a model says is on a picture takes the place of the name that a correction in words has."""

from typing import Any

import pytest
import torch

from errata.core.editor import Judged, Kept, Reranks
from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Query, Reach
from errata.editors import parse
from errata.editors._states import from_tensors, to_tensors
from errata.editors.scoped import naming
from errata.editors.scoped.memory import named_beside
from errata.editors.scoped.naming import Naming
from errata.editors.scoped.pinned import Answer
from errata.editors.scoped.scoped import Scoped
from errata.editors.scoped.scopes.alike import Alike
from errata.models import load
from errata.nn.patches import NoPatch
from tests.conftest import picture

ASKED = "what do people there pay with?"


@pytest.fixture(scope="module")
def tiny():
    return load("llava-tiny")


@pytest.fixture
def told(monkeypatch):
    """Every picture that the model was asked about; it says that this is Norway of the first, and nothing of any other."""
    asked: list[Any] = []

    def said(model, image):
        asked.append(image.digest)
        return "Norway" if image.digest == picture(1).digest else ""

    monkeypatch.setattr(naming, "_said", said)
    return asked


def remembering(tiny, *edits, naming=True):
    memory = Scoped(Alike(0.85, None), Answer(), naming=Naming() if naming else None)
    state = memory.begin(tiny)
    for edit in edits:
        state = memory.write(tiny, state, edit)
    return memory, state


def known(reach: Reach = "open"):
    return Edit(Query.ask(named_beside(ASKED, "Norway")), "clogs", reach=reach)


def test_what_the_model_says_of_a_picture_stands_behind_the_question(tiny):
    image = picture(1)
    (said,) = tiny.answers([Query.ask("What is in this picture?", image)], [NoPatch()], max_new_tokens=16)
    worded = Naming().worded(tiny, Query.ask(ASKED, image))
    assert worded == Query.ask(f"{ASKED} ({said.rstrip('.')})")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("The flag of Norway.", "The flag of Norway"),
        (" A 3.5 mm plug. It is used ", "A 3.5 mm plug"),
        ("a banana\nand more", "a banana"),
        ("", ""),
    ],
)
def test_a_name_is_the_first_sentence(tiny, monkeypatch, answer, name):
    monkeypatch.setattr(type(tiny), "answers", lambda *given, **more: [answer])
    assert naming._said(tiny, picture(1)) == name


def test_each_picture_is_asked_about_once_and_words_are_left_as_they_are(tiny, told):
    names = Naming()
    for _ in range(3):
        assert names.worded(tiny, Query.ask(ASKED, picture(1))) == known().query
    assert names.worded(tiny, Query.ask(ASKED, picture(2))) is None
    assert names.worded(tiny, Query.ask(ASKED)) is None
    assert told == [picture(1).digest, picture(2).digest]


def test_turns_keep_their_words_and_their_order(tiny, told):
    query = Query(
        (
            Message("system", ("be short",)),
            Message("user", (picture(1),)),
            Message("assistant", ("a flag",)),
            Message("user", (ASKED,)),
        )
    )
    found = Naming().worded(tiny, query)
    assert found is not None
    assert [message.role for message in found.messages] == ["system", "assistant", "user"]
    assert found.text == known().query.text
    assert not found.images


def test_a_correction_in_words_holds_on_a_picture_of_its_subject_and_no_other(tiny, told):
    memory, state = remembering(tiny, known())
    (found,) = memory.decide(tiny, state, Query.ask(ASKED, picture(1)))
    assert found.rho == 1
    read = memory.read(tiny, state, Query.ask(ASKED, picture(1)))
    assert tiny.answers([Query.ask(ASKED, picture(1))], [read]) == ["clogs"]
    (other,) = memory.decide(tiny, state, Query.ask(ASKED, picture(2)))
    assert other.rho < 0.5
    assert memory.read(tiny, state, Query.ask("what else?", picture(1))).edits == ()


def test_words_that_are_meant_alone_hold_on_no_picture_also_after_the_memory_was_kept(tiny, told):
    memory, state = remembering(tiny, known("text"))
    saved = to_tensors(state)
    for each in (state, from_tensors(saved.tensors, saved.metadata)):
        (found,) = memory.decide(tiny, each, Query.ask(ASKED, picture(1)))
        assert found.rho < 0.5
        assert memory.decide(tiny, each, known().query)[0].rho == 1


def test_what_is_corrected_on_the_picture_itself_comes_first_and_nobody_is_asked(tiny, told):
    own = Edit(Query.ask(ASKED, picture(1)), "shells", reach="image")
    memory, state = remembering(tiny, known(), own)
    (found,) = memory.decide(tiny, state, own.query)
    assert state.at(found.place).target == "shells"
    assert told == []


def test_without_it_a_picture_is_asked_about_by_nobody(tiny, told):
    memory, state = remembering(tiny, known(), naming=False)
    assert memory.decide(tiny, state, Query.ask(ASKED, picture(1)))[0].rho < 0.5
    assert told == []
    assert "naming" not in memory.spec(tiny).fields
    assert "naming" in remembering(tiny)[0].spec(tiny).fields


class Reads:
    """A scope that reads: everything that is asked behind a name concerns everything, and so does what is said to ask for it."""

    looked_at, by_target, again = 4, False, False

    def __init__(self, *asks_for_it):
        self.asks_for_it, self.nearest = asks_for_it, Alike(0.85, None)

    def spec(self):
        return {"kind": "reads"}

    def key(self, model, query, target=None):
        return self.nearest.key(model, query)

    def key_of(self, model, query, text):
        raise AssertionError("nothing is looked for again")

    def rho(self, asked_D, keys_ND):
        return torch.ones(len(keys_ND))

    def near(self, keys_KD):
        return keys_KD

    def kept(self, model, edit):
        return Kept(self.key(model, edit.query)[None], (edit.query.text,), ((edit.query, self.key(model, edit.query)),))

    def judged(self, model, query, corrections):
        near = [query.text in self.asks_for_it if target == "Norway" else "(Norway)" in query.text for _, target in corrections]
        return [Judged(float(each), "same") for each in near]


def test_a_question_that_asks_for_the_name_itself_is_left_to_the_model(tiny, told):
    assert isinstance(Reads(), Reranks)
    for asked, corrected in (("whose flag is this?", False), ("what do they pay with?", True)):
        memory = Scoped(Reads("whose flag is this?"), Answer(), naming=Naming())
        state = memory.write(tiny, memory.begin(tiny), known())
        query = Query.ask(asked, picture(1))
        assert (memory.decide(tiny, state, query)[0].rho >= 0.5) is corrected
        assert (memory.read(tiny, state, query).edits != ()) is corrected


def test_only_rerank_takes_it():
    rerank: Any = parse("rerank")
    assert rerank.naming is False
    with pytest.raises(BadInput, match="Leave naming out"):
        parse("scoped:scope=nearest,naming=true")


def test_a_correction_on_a_picture_is_read_with_the_picture_and_not_by_its_name(tiny, told, monkeypatch):
    near = Alike(0.85, None).key(tiny, known().query)
    on_picture = Edit(Query.ask("what is it called?", picture(3)), "shells", reach="kind")
    both = Edit(Query.ask("where is it?", picture(4)), "there", also=(Query.ask("where is Norway?"),))
    memory, state = remembering(tiny, known(), on_picture)
    memory_of_both, state_of_both = remembering(tiny, known(), both)
    # To the question in words everything is near
    monkeypatch.setattr(Alike, "rho", lambda self, asked_D, keys_ND: (asked_D == near).all().float().expand(len(keys_ND)))
    (found,) = memory.decide(tiny, state, Query.ask(ASKED, picture(1)))
    assert (found.rho, state.at(found.place).target) == (1, "clogs")
    (found,) = memory_of_both.decide(tiny, state_of_both, Query.ask(ASKED, picture(1)))
    assert (found.rho, state_of_both.at(found.place).target) == (1, "there")  # it was said in words, too
