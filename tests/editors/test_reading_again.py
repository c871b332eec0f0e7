"""What a memory does with a scope that reads the nearest edits again: which are read, in which order, and who speaks."""

import pytest
import torch

from errata.core.editor import Judged, Kept
from errata.core.records import Edit, EditId, Query
from errata.editors import Scoped
from errata.editors.scoped.memory import Held, Memory
from errata.editors.scoped.routed import Routed
from errata.nn.patches import NoPatch, Verbatim


class Counting:
    """A scope that notes what it reads, and judges by a table."""

    def __init__(self, table=None, looked_at=2):
        self.table, self.looked_at, self.read = table or {}, looked_at, []
        self.by_target = self.again = False

    def spec(self):
        return {"kind": "counting"}

    def key(self, model, query, target=None):
        return torch.tensor([float(query.text.split()[-1])])

    def key_of(self, model, query, text):
        self.read.append(text)
        return self.key(model, Query.ask(text))

    def rho(self, asked_D, keys_ND):
        return (1 - 0.1 * (keys_ND - asked_D).abs().sum(-1)).clamp(0, 1)

    def kept(self, model, edit):
        asked = [(query, self.key(model, query)) for query in (edit.query, *edit.also)]
        return Kept(torch.stack([key for _, key in asked]), tuple(query.text for query, _ in asked), tuple(asked[:1]))

    def judged(self, model, query, corrections):
        self.read.append([known for known, _ in corrections])
        return [self.table.get(known, Judged(0.2, "same")) for known, _ in corrections]


class Unmarked(Counting):
    """Takes the last number of a question, whatever mark stands behind it; one that names Oslo is 0."""

    def key(self, model, query, target=None):
        last = query.text.split()[-1].strip("?")
        return torch.tensor([0.0 if "Oslo" in query.text else float(last) if last.isdigit() else 30.0])


def asked(number):
    return Query.ask(f"what is {number}")


def memory(model, scope, numbers):
    editor = Scoped(scope, Routed())
    state = editor.begin(model)
    edits = [Edit(asked(number), f"value {number}") for number in numbers]
    for edit in edits:
        state = editor.write(model, state, edit)
    scope.read.clear()
    return editor, state, edits


def test_only_the_nearest_are_read_and_what_is_far_is_not_read_at_all(random_llava):
    scope = Counting()
    editor, state, _ = memory(random_llava, scope, (1, 2, 3, 9, 60))
    editor.read(random_llava, state, asked(2.4))
    assert scope.read == [["what is 2"], ["what is 3"]]
    scope.read.clear()
    patch = editor.read(random_llava, state, asked(30))
    assert isinstance(patch, NoPatch)
    assert scope.read == []


def test_of_what_is_only_somewhat_near_the_nearest_alone_is_read(random_llava):
    scope = Counting(looked_at=3)
    editor, state, _ = memory(random_llava, scope, (1, 8, 9))
    editor.read(random_llava, state, asked(4.5))
    assert scope.read == [["what is 1"]] or scope.read == [["what is 8"]]


def test_where_the_nearest_is_surely_meant_no_more_are_read(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2, 3))
    scope.table["what is 2"] = Judged(0.97, "same")
    assert editor.read(random_llava, state, asked(2.2)).edits == (edits[1].id,)
    assert scope.read == [["what is 2"]]


def test_an_edits_own_question_needs_no_reading(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2, 3))
    assert editor.read(random_llava, state, edits[1].query).edits == (edits[1].id,)
    assert scope.read == []


def test_who_contradicts_the_one_that_is_meant_is_read_and_speaks_in_its_place(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (2, 1))
    scope.table |= {"what is 2": Judged(0.97, "same"), "what is 3": Judged(0.6, "same")}
    edits.append(Edit(asked(3), "value 3"))
    state = editor.write(random_llava, state, edits[-1])
    assert state.last.over == (edits[0].id,)
    scope.read.clear()
    assert editor.read(random_llava, state, asked(2.2)).edits == (edits[2].id,)
    assert scope.read == [["what is 2"], ["what is 3"]]
    assert editor.read(random_llava, state, edits[0].query).edits == (edits[2].id,)


def test_an_edit_whose_target_the_question_says_is_read_however_far_it_lies(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 7, 8, 60))
    asked_of = Query.ask('Whose is "Value 8", mind you, of 1')
    editor.read(random_llava, state, asked_of)
    assert scope.read == [["what is 1"]]
    scope.read.clear()
    scope.by_target = True
    scope.table["what is 8"] = Judged(0.8, "follows")
    (found,) = editor.decide(random_llava, state, asked_of)
    assert (found.edit, found.sort) == (edits[2].id, "follows")
    assert scope.read == [["what is 1"], ["what is 8"]]
    scope.read.clear()
    editor.read(random_llava, state, Query.ask("Whose is value 60 of 1"))  # its own key says that it can't be meant
    assert scope.read == [["what is 1"]]


def test_what_concerns_nothing_is_looked_for_by_the_sentence_that_asks_and_read_whole(random_llava):
    scope = Unmarked()
    editor, state, edits = memory(random_llava, scope, (1, 2, 60))
    preamble = Query.ask("I was told of many. So what is 2? There are 30")
    assert isinstance(editor.read(random_llava, state, preamble), NoPatch)
    assert scope.read == []
    scope.again, scope.table["what is 2"] = True, Judged(0.97, "same")
    assert editor.read(random_llava, state, preamble).edits == (edits[1].id,)
    assert scope.read == ["So what is 2?", ["what is 2"]]
    scope.read.clear()
    assert editor.read(random_llava, state, asked(2)).edits == (edits[1].id,)
    assert isinstance(editor.read(random_llava, state, asked(30)), NoPatch)
    assert scope.read == []  # what is found is looked for once, and so is what asks in one sentence


def test_it_is_looked_for_as_the_corrections_spell_it(random_llava):
    scope = Unmarked()
    editor = Scoped(scope, Routed())
    edit = Edit(Query.ask("Who is the mayor of Oslo?"), "Mr. Bjornstad")
    state = editor.write(random_llava, editor.begin(random_llava), edit)
    scope.again, scope.table["Who is the mayor of Oslo?"] = True, Judged(0.97, "same")
    scope.read.clear()
    assert editor.read(random_llava, state, Query.ask("mayor of oslo, please")).edits == (edit.id,)
    assert scope.read == ["mayor of Oslo, please", ["Who is the mayor of Oslo?"]]
    scope.read.clear()
    assert isinstance(editor.read(random_llava, state, Query.ask("Mayor of bergen?")), NoPatch)
    assert scope.read == ["mayor of bergen?"]


def test_the_name_behind_a_question_on_a_picture_stays_with_it(random_llava):
    scope = Unmarked()
    editor, state, _ = memory(random_llava, scope, (1, 60))
    scope.again = True
    editor._looked_for(random_llava, state, Query.ask("what is on this flag? (the flag of Peru)"), named=True)
    assert scope.read == []
    editor._looked_for(random_llava, state, Query.ask("what is on this flag? (the flag of Peru)"))
    assert scope.read == ["what is on this flag?"]


@pytest.mark.parametrize(("again", "speaks"), [(False, 1), (True, 0)])
def test_what_answers_a_question_comes_before_what_its_answer_follows_from(random_llava, again, speaks):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2))
    scope.again = again
    scope.table |= {"what is 2": Judged(0.99, "follows"), "what is 1": Judged(0.8, "same")}
    assert editor.read(random_llava, state, asked(1.8)).edits == (edits[speaks].id,)


def test_a_target_is_found_as_whole_words_in_whatever_stands_around_them():
    state = Memory()
    for place, target in enumerate(("+832", "Mr. Bjornstad", "a b c d e f", "a b c d e f g", "4", "Oslo", "oslo")):
        state = state.added(Held(EditId(f"{place}"), f"{place}", 1, target, (), None), torch.zeros(1, 1))

    def said(text):
        return [state.at(place).target for place in state.said_in(text)]

    assert said("Which country has the calling code +832?") == ["+832"]
    assert said("whose is (OSLO)? and mr bjornstad's") == ["Oslo", "oslo"]
    assert said("is it mr. bjornstad who keeps it") == ["Mr. Bjornstad"]
    assert said("a b c d e f g") == ["a b c d e f"]
    assert said("4 of 8, Osloer") == []


def test_what_is_near_but_was_not_read_is_not_in_scope(random_llava):
    scope = Counting({"what is 1": Judged(0.9, "same")})
    editor, state, _ = memory(random_llava, scope, (1, 2, 3))
    found = editor.decide(random_llava, state, asked(2.6))
    assert [each.rho < 0.5 for each in found] == [True]
    (first,) = editor.decide(random_llava, state, asked(1.2))
    assert (first.rho, first.sort) == (0.9, "same")


def test_how_it_was_judged_is_how_the_edit_speaks(random_llava):
    scope = Counting({"what is 1": Judged(0.9, "yes")})
    editor, state, edits = memory(random_llava, scope, (1, 20))
    assert editor.read(random_llava, state, asked(1.5)) == Verbatim(
        "Yes.", (edits[0].id,), editor.read(random_llava, state, asked(1.5)).decision
    )
    own = editor.read(random_llava, state, edits[0].query)
    assert isinstance(own, Verbatim)
    assert own.text == "value 1"


def test_a_later_edit_contradicts_who_asks_the_same_and_not_whom_it_follows_from(random_llava):
    for judged, contradicts in ((Judged(0.9, "same"), True), (Judged(0.9, "yes"), False)):
        scope = Counting({"what is 1": judged})
        editor, state, edits = memory(random_llava, scope, (1,))
        state = editor.write(random_llava, state, Edit(asked(1.5), "another value"))
        assert (edits[0].id in state.last.over) is contradicts


def test_a_write_reads_every_near_edit_so_that_none_that_it_contradicts_is_missed(random_llava):
    scope = Counting(looked_at=3)
    editor, state, edits = memory(random_llava, scope, (1, 2, 5))
    scope.table |= {f"what is {number}": Judged(0.97, "same") for number in (1, 2, 5)}
    state = editor.write(random_llava, state, Edit(asked(1.5), "another value"))
    assert state.last.over == tuple(edit.id for edit in edits)


def test_who_contradicts_is_read_however_far_it_lies(random_llava):
    scope = Counting(looked_at=1)
    editor, state, edits = memory(random_llava, scope, (1,))
    scope.table["what is 1"] = Judged(0.97, "same")
    edits.append(Edit(asked(4.5), "value 4.5"))
    state = editor.write(random_llava, state, edits[-1])
    assert state.last.over == (edits[0].id,)
    scope.table["what is 4.5"] = Judged(0.6, "same")
    for query in (asked(0.8), edits[0].query):
        assert editor.read(random_llava, state, query).edits == (edits[1].id,)


def test_where_none_is_in_scope_the_likeliest_of_those_read_is_told(random_llava):
    scope = Counting({"what is 1": Judged(0.02, "same")}, looked_at=1)
    editor, state, edits = memory(random_llava, scope, (1, 4))
    (found,) = editor.decide(random_llava, state, asked(1.2))
    assert (found.edit, found.rho) == (edits[0].id, 0.02)


def test_other_wordings_that_came_with_an_edit_are_read_too(random_llava):
    scope = Counting({"call it 2": Judged(0.8, "same")})
    editor = Scoped(scope, Routed())
    edit = Edit(asked(1), "value", also=(Query.ask("call it 2"), Query.ask("call it 2.1")))
    state = editor.write(random_llava, editor.begin(random_llava), edit)
    (found,) = editor.decide(random_llava, state, asked(1.6))
    assert found.rho == 0.8
