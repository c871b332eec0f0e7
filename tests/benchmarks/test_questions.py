"""Answers are computed, so they can be computed a second way: by looking at the grid with one's own eyes."""

import re
from typing import get_args

import numpy as np
import pytest

from errata.benchmarks.scopeworld.knowledge import COLOURS, GLYPHS, KINDS, WORLD, Kind
from errata.benchmarks.scopeworld.lessons import (
    TOPICS,
    VISUAL_TOPICS,
    CaptionStyle,
    caption,
    copy_lesson,
    draw_question,
    lesson,
)
from errata.benchmarks.scopeworld.questions import (
    _PRACTISED,
    _WORDINGS,
    DIRECTIONS,
    FAMILIES,
    LESSON_WORDINGS,
    TRAINED_WORDINGS,
    Question,
    Ref,
    View,
    references,
)
from errata.benchmarks.scopeworld.scenes import CELLS, Scene, random_scene
from errata.benchmarks.scopeworld.statements import statement_lesson, statement_lessons
from errata.core.records import Edit, Query
from errata.editors.scoped.in_context import fact

STAR, RING, CROSS = Kind("star", "red"), Kind("ring", "red"), Kind("cross", "blue")
SCENE = Scene((STAR, RING, None, CROSS))


def answer(family, ref=None, *args, scene=SCENE):
    return Question(family, ref, args).answer(WORLD, View(scene))


def test_what_is_seen():
    assert answer("recognition", Ref.cell(0)) == "red star"
    assert answer("colour", Ref.glyph("cross")) == "blue"
    assert answer("shape", Ref.colour("blue")) == "cross"
    assert answer("shape", Ref.relation("above", "cross")) == "ring"
    assert answer("relation", Ref.cell(3), "left of") == "nothing"
    assert answer("relation", Ref.cell(3), "above") == "red ring"
    assert answer("count", None, "red thing") == "2"
    assert answer("count", None, "thing") == "3"
    assert answer("exists", None, "star") == "yes"
    assert answer("exists", None, "moon") == "no"
    assert answer("where", None, WORLD.names[CROSS]) == "the bottom right"


def test_what_is_known():
    assert answer("name", Ref.glyph("star")) == WORLD.names[STAR]
    assert answer("home", Ref.cell(0)) == WORLD.facts[STAR, "home"]
    assert answer("weather", Ref.cell(0)) == WORLD.consequence("home", WORLD.facts[STAR, "home"])
    assert Question("food", Ref.name(WORLD, RING)).answer(WORLD, None) == WORLD.facts[RING, "food"]
    assert Question("arithmetic", None, ("7", "minus", "5")).answer(WORLD, None) == "2"


def test_an_expression_that_fits_twice_or_never_means_nothing():
    assert answer("shape", Ref.colour("red")) is None
    assert answer("colour", Ref.glyph("moon")) is None
    assert answer("name", Ref.cell(2)) is None


def test_every_reference_means_its_entity_and_never_says_glyph_and_colour_together(rng):
    for _ in range(100):
        scene = random_scene(rng)
        for cell in scene.filled:
            refs = references(scene, cell)
            assert refs[0] == Ref.cell(cell)
            for ref in refs:
                assert ref.resolve(scene) == cell
                assert not re.search(rf"\b({'|'.join(COLOURS)}) ({'|'.join(GLYPHS)})\b", ref.words)


@pytest.mark.parametrize("family", FAMILIES)
def test_six_wordings_differ_and_held_out_ones_use_only_words_that_were_taught(family):
    wordings = _WORDINGS[family]
    assert len(set(wordings)) == 6
    assert len({*wordings, *_PRACTISED[family]}) == 6 + len(LESSON_WORDINGS) - TRAINED_WORDINGS == 8
    taught = {word for texts in _WORDINGS.values() for text in texts[:TRAINED_WORDINGS] for word in re.findall(r"[a-z]+", text)}
    for text in wordings[TRAINED_WORDINGS:]:
        assert set(re.findall(r"[a-z]+", text)) <= taught, text


@pytest.mark.parametrize("topic", VISUAL_TOPICS)
def test_a_question_on_an_image_needs_the_image(topic, rng):
    """The same words have different answers on different scenes."""
    answers: dict[str, set[str]] = {}
    for _ in range(1500):
        scene = random_scene(rng)
        question = draw_question(topic, scene, rng)
        found = question.answer(WORLD, View(scene))
        assert found is not None
        answers.setdefault(question.ask(0), set()).add(found)
    commonest = max(answers.values(), key=len)
    assert len(commonest) > 1


@pytest.mark.parametrize("topic", TOPICS)
def test_lessons_are_true_and_say_which_side_they_are_on(topic, rng):
    for _ in range(30):
        made = lesson(topic, random_scene(rng), rng)
        assert made.visual == (topic in VISUAL_TOPICS)
        assert made.prompt
        assert made.answer


@pytest.mark.parametrize("draw", [lesson, None], ids=["questions", "statements"])
def test_a_lesson_says_what_its_phrases_mean(draw, rng):
    seen = set()
    for topic in tuple(TOPICS) * 12:
        scene = random_scene(rng)
        made = draw(topic, scene, rng) if draw else statement_lesson(scene, rng)
        told = _told(made.prompt, scene)
        for mention in made.mentions:
            said, after = made.prompt[: mention.end], made.prompt[mention.end :]
            assert not after[0].isalnum(), "a mention ends where a word ends"
            scene = told[said.count(". ")]
            meant = [scene.at(cell) for cell in mention.cells or ()]
            for form, pattern in _PHRASES.items():
                if found := re.search(pattern + "$", said):
                    seen.add(form)
                    if form == "name" and ("called" in said or "name" in said):
                        meant = []  # what was called so need not be of the kind that bears the name
                    assert _means(form, found.groups(), scene, mention.kind, meant), f"{said!r} of {scene}: {mention}"
                    break
            else:
                raise AssertionError(f"no phrase that we know ends {said!r}")
            assert made.visual or mention.cells is None
    wanted = set(_PHRASES) if draw else {"place", "glyph", "colour", "beside", "description"}
    assert seen >= wanted


def _told(prompt, scene):
    """The scene before each statement of a prompt and after all of them: a colour or a shape that was said is from then on seen."""
    scenes = [scene]
    for said in prompt.split(". ")[:-1]:
        words, _, value = said.rpartition(" is ")
        aspect = "colour" if "colour" in words else "shape" if "shape" in words else ""
        if aspect:
            means = next(m for m in (re.search(rf"({pattern})[^a-z]*(?:has|have)?[^a-z]*$", words) for pattern in _SEEN) if m)
            cell = _cell(means[1], scenes[-1])
            glyph, colour = scenes[-1].at(cell)
            scenes.append(scenes[-1].replace(cell, Kind(value, colour) if aspect == "shape" else Kind(glyph, value)))
        else:
            scenes.append(scenes[-1])
    return scenes


def _cell(words, scene):
    """The one cell of which a question about these words says what the scene says there."""
    found = [cell for cell in scene.filled for ref in references(scene, cell) if ref.words == words]
    assert len(set(found)) == 1, f"{words!r} of {scene}"
    return found[0]


_NAME = "|".join(WORLD.kinds_by_name)
_GLYPH, _COLOUR = "|".join(GLYPHS), "|".join(COLOURS)
_PHRASES = {
    "beside": rf"the thing (?:{'|'.join(DIRECTIONS)}) the (?:{_GLYPH}|(?:{_COLOUR}) thing)",
    "place": r"the thing at the (top left|top right|bottom left|bottom right)",
    "number": rf"(?:how many|count the|the number of|there an?|there is an?|see an?) ({_GLYPH}|(?:{_COLOUR}) thing|thing)(?:e?s)?",
    "description": rf"an? ({_COLOUR}) ({_GLYPH})",
    "glyph": rf"the ({_GLYPH})",
    "colour": rf"the ({_COLOUR}) thing",
    "name": rf"(?:the|an?) ({_NAME})",
}
_SEEN = [_PHRASES[form] for form in ("beside", "place", "glyph", "colour")]
"""Phrases that mean a thing on the picture; the longer ones first."""


def _means(form, words, scene, kind, meant):
    match form:
        case "number":
            word = words[0].removesuffix(" thing")
            there = [scene.at(cell) for cell in scene.filled if word in ("thing", *scene.at(cell))]
            return kind is None and meant == there
        case "name":
            return kind == WORLD.kinds_by_name[words[0]] and all(each == kind for each in meant)
        case "description":
            return kind == Kind(words[1], words[0]) and not meant
        case "place":
            place = ("top left", "top right", "bottom left", "bottom right").index(words[0])
            return meant == [kind] == [scene.at(place)]
        case "glyph" | "colour":
            return meant == [kind] and words[0] in kind
    return meant == [kind]


def test_relation_agrees_with_a_look_at_the_grid(rng):
    moves = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}
    for _ in range(100):
        scene = random_scene(rng)
        grid = {(cell // 2, cell % 2): scene.cells[cell] for cell in range(4)}
        for cell in scene.filled:
            for direction in DIRECTIONS:
                row, column = cell // 2 + moves[direction][0], cell % 2 + moves[direction][1]
                there = grid.get((row, column))
                assert answer("relation", Ref.cell(cell), direction, scene=scene) == (there.words if there else "nothing")


def test_half_of_the_yes_or_no_questions_are_true(rng):
    for topic in ("is_fact", "is_attribute", "exists"):
        said = [lesson(topic, random_scene(rng), rng).answer for _ in range(400)]
        assert 0.4 < np.mean([answer == "yes" for answer in said]) < 0.6, topic


def test_statements_settle_some_questions_and_leave_others_alone(rng):
    settled = untouched = 0
    for _ in range(300):
        made = statement_lesson(random_scene(rng), rng)
        assert made.prompt.startswith("suppose ")
        if f"is {made.answer}." in made.prompt or f"called {made.answer}." in made.prompt:
            settled += 1
        elif made.answer in {*WORLD.names.values(), *WORLD.facts.values()}:
            untouched += 1
    assert settled > 80
    assert untouched > 40


def test_questions_behind_the_same_statements_differ_in_what_they_ask_alone(rng):
    counts, settled = [], set()
    for seed in range(100):
        scene = random_scene(rng)
        made = statement_lessons(scene, np.random.default_rng(seed), 3, close=0.6)
        assert made[0] == statement_lesson(scene, np.random.default_rng(seed), close=0.6) or len(made) < 3
        said = {item.prompt[: item.behind] for item in made}
        assert len(said) == 1
        assert said.pop().endswith(".")
        assert all(item.prompt[item.behind] == " " and "suppose" not in item.prompt[item.behind :] for item in made)
        assert len({item.prompt for item in made}) == len(made)
        assert len({item.visual for item in made}) == 1
        counts.append(len(made))
        settled.add(frozenset(item.overridden for item in made))
    assert max(counts) == 3
    assert np.mean(counts) > 2.3
    assert frozenset([True, False]) in settled


def test_what_is_said_of_a_things_looks_holds_for_all_that_follows_from_them(rng):
    """The answer to a question by place, worked out from the words of statement and question alone."""
    asked = {"colour": 0, "shape": 0, "colour and shape": 0, "name": 0}
    for _ in range(4000):
        scene = random_scene(rng)
        made = statement_lesson(scene, rng)
        said = re.fullmatch(
            r"suppose the (colour|shape) of (the thing at the (?P<place>\w+ \w+)) is (\w+)\. (?:say|tell me|name) the (.*) of \2\.",
            made.prompt,
        )
        if said is None or said[5] not in asked:
            continue
        cell = CELLS.index(said["place"])
        glyph, colour = scene.at(cell)
        kind = Kind(said[4], colour) if said[1] == "shape" else Kind(glyph, said[4])
        wanted = {"colour": kind.colour, "shape": kind.glyph, "colour and shape": kind.words, "name": WORLD.names[kind]}
        assert made.answer == wanted[said[5]], made
        assert kind not in scene.cells, "two things of a picture never look alike"
        asked[said[5]] += 1
    assert all(asked.values()), asked


def test_after_a_statement_on_looks_those_that_look_so_now_or_did_are_counted(rng):
    """Worked out from the words of statement and question, and the scene."""
    counted = {"now": 0, "before": 0}
    for _ in range(1500):
        scene = random_scene(rng)
        made = statement_lesson(scene, rng, counted=1.0)
        said = re.fullmatch(
            r"suppose the (colour|shape) of the thing at the (?P<place>\w+ \w+) is (?P<value>\w+)\. (?P<asked>.*\b\w+)[?.]?",
            made.prompt,
        )
        if said is None or made.prompt.count("suppose") > 1 or made.answer not in {str(count) for count in range(10)}:
            continue
        cell = CELLS.index(said["place"])
        glyph, colour = scene.at(cell)
        was, of = (glyph, 0) if said[1] == "shape" else (colour, 1)
        words = set(re.findall(r"\w+", said["asked"]))
        plural = {word: {word, f"{word}s", f"{word}es"} for word in (said["value"], was)}
        for when, word, change in (("now", said["value"], 1), ("before", was, -1)):
            if plural[word] & words:
                assert int(made.answer) == sum(scene.at(other)[of] == word for other in scene.filled) + change, made
                counted[when] += 1
    assert min(counted.values()) > 20, counted


def test_a_copy_lesson_says_what_is_to_be_said_again(rng):
    made = [copy_lesson(rng) for _ in range(40)]
    assert all(each.prompt == f"after me: {each.answer}." and not each.visual for each in made)
    assert {len(each.answer.split()) for each in made} >= {1, 3, 6}


def test_no_other_lesson_begins_like_a_question(rng):
    """Else a held-out wording is taken for it: "tell me the home of every thing in the picture." cost "tell me the home of ..."."""
    wordings = [wording for family in FAMILIES for wording in (*_WORDINGS[family], *_PRACTISED[family])]
    openings = {wording.split()[0] for wording in wordings} | {"suppose"}
    others = [caption(random_scene(rng), WORLD, style=style).prompt for style in get_args(CaptionStyle)] + [copy_lesson(rng).prompt]
    assert not openings & {prompt.split()[0] for prompt in others}


def test_lessons_name_things_by_a_relation_more_often_than_the_exam(rng):
    scenes = [random_scene(rng) for _ in range(400)]
    forms = {True: 0, False: 0}
    for scene in scenes:
        for by_relation in (0.0, 0.45):
            asked = draw_question("colour", scene, rng, by_place=0.15, by_relation=by_relation)
            assert asked.ref is not None
            forms[by_relation > 0] += asked.ref.form == "relation"
    assert forms[True] > 1.5 * forms[False] > 0


def test_every_kind_can_be_named_in_words():
    for kind in KINDS:
        assert Question("name", Ref.description(kind)).answer(WORLD, None) == WORLD.names[kind]


def test_a_close_question_is_of_something_else_or_asks_something_else_of_the_same(rng):
    """Where one statement is put in words of one form, what it is about and what is asked can be read off both."""
    form = r"suppose the (home|food|maker) of an? ({0}) is .*\. say the (home|food|maker) of an? ({0})\."
    pattern = form.replace("{0}", rf"(?:{_COLOUR}) (?:{_GLYPH})")
    asked = {"touched": 0, "else": 0, "other": 0}
    for _ in range(6000):
        made = statement_lesson(random_scene(rng), rng, close=1.0)
        said = re.fullmatch(pattern, made.prompt)
        if said is None or made.prompt.count("suppose") > 1:
            continue
        same = (said[1] == said[3], said[2] == said[4])
        asked["touched" if all(same) else "else" if same[1] else "other"] += 1
        assert made.overridden <= all(same)
    assert all(asked.values()), asked


def test_what_lessons_say_is_what_the_editors_that_tell_a_model_its_corrections_say(rng):
    """Every form of a statement is one that `fact` gives for some question, so that neither drifts from the other."""
    forms = set()
    for _ in range(1500):
        scene = random_scene(rng)
        made = statement_lesson(scene, rng)
        said = made.prompt.removeprefix("suppose ").split(". ")[0]
        quoted = re.fullmatch(r"the answer to '(.*?)'(, of (.*),)? is (.*)", said)
        if quoted and not quoted[1].startswith(("what is", "who is", "where is")):
            edit = Edit(
                Query.ask(quoted[1]), quoted[4], subject=None if quoted[3] is None else quoted[3].split(" ", 1)[1], reach="kind"
            )
            forms.add("quoted, beyond" if quoted[3] else "quoted")
        elif called := re.fullmatch(r"(.*) is called (.*)", said):
            edit = Edit(Query.ask(f"what is {called[1]} called?"), called[2])
            forms.add("called")
        elif plain := re.fullmatch(r"(the \w+ of .*?) is (.*)", said):
            edit = Edit(Query.ask(f"what is {plain[1]}?"), plain[2])
            forms.add("plain")
        else:
            continue
        assert fact(edit) == said
    assert forms == {"quoted", "quoted, beyond", "called", "plain"}
