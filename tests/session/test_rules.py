"""The guard's rules: an edit is refused for what it breaks, and not for what it found broken."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

import pytest

from errata.core.errors import BadInput
from errata.core.records import Query
from errata.core.rules import EditRules, Must, Rules, RuleSet
from errata.session.asking import unedited
from errata.session.rules import BATCH, ask_all, batches, broken
from tests.by_words import ELSE, RING, STAR, TOWN, WORDING, ByWords


def folded(model, editor, *edits):
    state = editor.begin(model)
    for edit in edits:
        state = editor.write(model, state, edit)
    return state


def found(model, rules, edit, *earlier, editor=None, standing=()):
    """What the guard finds against an edit that comes after others."""
    editor = editor or ByWords()
    before = folded(model, editor, *earlier)
    after = editor.write(model, before, edit)
    return broken(model, editor, before=before, after=after, edit=edit, rules=rules, standing=standing)


def told(breaches):
    return [(breach.rule, breach.query) for breach in breaches]


def branch(**rules):
    return Rules(RuleSet(**rules))


def own(edit, **rules):
    return Rules(edits=(EditRules(edit.id[:6], RuleSet(**rules)),))


def test_an_edit_that_keeps_every_rule_has_no_breach(random_llava):
    rules = Rules(
        RuleSet(must_not=(ELSE,), never=("harbor",)),
        own(STAR, reach="kind", must=(Must(Query.ask(STAR.query.text)),)).edits,
    )
    assert found(random_llava, rules, STAR) == ()


@pytest.mark.parametrize(
    ("rules", "editor", "expected"),
    [
        (own(STAR, must=(Must(WORDING),)), ByWords(), [("must", WORDING)]),
        (own(STAR, must_not=(ELSE,)), ByWords(loud="red star"), [("must_not", ELSE)]),
        (branch(must_not=(ELSE,)), ByWords(loud="red star"), [("must_not", ELSE)]),
        (branch(must_not=(STAR.query,)), ByWords(), [("must_not", STAR.query)]),
        (own(STAR, reach="image"), ByWords(), [("reach", Query.ask(STAR.query.text))]),
        (branch(never=("red star",)), ByWords(), [("never", STAR.query)]),
    ],
)
def test_what_an_edit_breaks_is_named_and_laid_to_it(random_llava, rules, editor, expected):
    breaches = found(random_llava, rules, STAR, editor=editor)
    assert told(breaches) == expected
    assert {breach.culprit for breach in breaches} == {STAR.id}


def test_a_reach_of_an_image_is_tried_on_the_pictures_of_protected_questions(random_llava):
    rules = own(STAR, reach="image")
    far = Query.ask(STAR.query.text, *ELSE.images)
    assert ("reach", far) in told(found(random_llava, rules, STAR, standing=(ELSE,)))
    assert ("reach", far) in told(found(random_llava, Rules(RuleSet("image", must_not=(ELSE,))), STAR))
    assert found(random_llava, own(STAR, reach="open"), STAR, standing=(ELSE,)) == ()


def test_a_reach_of_words_keeps_the_same_question_on_pictures(random_llava):
    edit = replace(TOWN, reach="text")
    (breach,) = found(random_llava, Rules(), edit, standing=(ELSE,))
    assert (breach.rule, breach.query, breach.got) == ("reach", Query.ask(TOWN.query.text, *ELSE.images), "in the town")


def test_a_guarded_question_never_to_be_touched_must_stay(random_llava):
    rules = branch(never=("is there",))
    assert told(found(random_llava, rules, STAR, editor=ByWords(loud="red star"), standing=(ELSE,))) == [("never", ELSE)]
    assert found(random_llava, rules, STAR, standing=(ELSE,)) == ()
    kept = replace(STAR, keep=(ELSE,))
    assert told(found(random_llava, rules, kept, editor=ByWords(loud="red star"))) == [("never", ELSE)]


def test_an_edit_of_a_question_never_to_be_touched_is_refused_even_where_nothing_moves(random_llava):
    says_so_already = replace(STAR, target=random_llava.answers([STAR.query], [unedited(STAR.query)])[0])
    (breach,) = found(random_llava, branch(never=("red star",)), says_so_already)
    assert (breach.rule, breach.query) == ("never", STAR.query)


def test_what_was_broken_before_is_not_the_edits_doing(random_llava):
    editor = ByWords(loud="red star")
    rules = branch(must_not=(ELSE,), must=(Must(WORDING, "mibo"),))
    assert told(found(random_llava, rules, STAR, editor=editor)) == [("must_not", ELSE)]
    assert found(random_llava, rules, RING, STAR, editor=editor) == ()


def test_what_the_branch_wants_may_not_be_taken_away(random_llava):
    rules = branch(must=(Must(ELSE, "a red star"),))
    editor = ByWords(loud="r")  # the latest edit with an r in its target speaks to everything
    assert found(random_llava, rules, STAR, editor=editor) == ()
    assert told(found(random_llava, rules, RING, STAR, editor=editor)) == [("must", ELSE)]


def test_a_question_that_somebody_wrote_and_the_model_cannot_be_asked_gets_a_sentence(random_llava):
    with pytest.raises(BadInput, match="prompt"):
        found(random_llava, branch(must_not=(Query.ask("q " * 500),)), STAR)


def test_a_question_made_by_a_reach_that_the_model_cannot_be_asked_is_left_out(random_llava):
    """The words alone just fit; with a picture they don't."""

    def fits(words):
        try:
            random_llava.check(Query.ask("q " * words), TOWN.target)
        except BadInput:
            return False
        return True

    longest = "q " * (bisect_left(range(1, 500), True, key=lambda words: not fits(words)))
    edit = replace(TOWN, query=Query.ask(longest), reach="text")
    with pytest.raises(BadInput):
        random_llava.check(Query.ask(longest, *ELSE.images))
    assert found(random_llava, Rules(), edit, standing=(ELSE,)) == ()


def test_questions_are_asked_once_each_in_batches_of_bounded_size(random_llava):
    queries = [Query.ask(f"q {number}") for number in range(2 * BATCH + 3)]
    parts = list(batches([*queries, *queries]))
    assert ([len(part) for part in parts], [query for part in parts for query in part]) == ([BATCH, BATCH, 3], queries)
    heard = ask_all(random_llava, [ELSE, STAR.query, ELSE], unedited)
    texts = random_llava.answers([ELSE, STAR.query], [unedited(ELSE)] * 2)
    assert {digest: answer.text for digest, answer in heard.items()} == {ELSE.digest: texts[0], STAR.query.digest: texts[1]}
