"""How scopes and CLIPs are trained: what is kept back, when it ends, and that a killed run ends where an unbroken one ends."""

from dataclasses import replace

import pytest

from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.editors import TextScope, pairs
from errata.editors._checkpoints import read
from errata.models.clip import ClipSizes, load_encoder
from errata.school.clip_school import ClipPlan, train_clip
from errata.school.scopes import Lessons, decisions, split, train_scope
from tests.conftest import picture
from tests.editors.trained import LESSONS, TINY_TEXT, cases, labelled, quiet


def test_in_scope_is_what_must_change_and_a_probe_of_another_edit_says_nothing():
    edit = Edit(Query.ask("what is the star called?"), "mibo")
    probes = [
        Probe("reliability", edit.query, "mibo"),
        Probe("text_generality", Query.ask("a"), "mibo"),
        Probe("cross_edit", Query.ask("b"), "zuna"),
        Probe("text_locality", Query.ask("c"), UNCHANGED),
    ]
    found = [(pair.query.text, pair.in_scope) for pair in pairs(Case(edit, tuple(probes)))]
    assert found == [("what is the star called?", True), ("a", True), ("c", False)]


def test_a_scope_never_sees_the_answer_to_the_query():
    """Whatever the probes expect, the examples are the same."""
    edit = Edit(Query.ask("what is the star called?"), "mibo")
    one, other = (Case(edit, (Probe("text_generality", Query.ask("a"), answer),)) for answer in ("mibo", "quite another"))
    assert pairs(one) == pairs(other)


def test_what_is_kept_back_is_never_trained_on_and_a_picture_stays_on_one_side():
    image = picture(3)
    shared = [
        Case(
            Edit(Query.ask(f"what is {i}?", image), "x"),
            (Probe("out", Query.ask(f"who is {i}?", image), UNCHANGED),),
        )
        for i in range(30)
    ]
    found = split([pair for case in (*cases(), *shared) for pair in pairs(case)], LESSONS)
    assert {pair.edit.id for pair in found.train}.isdisjoint({pair.edit.id for pair in found.validation})
    sides = [sum(image in pair.edit.images for pair in side) for side in found]
    assert sorted(sides) == [0, 60]
    assert split(labelled(), LESSONS) == split(labelled(), LESSONS)


def test_too_few_cases_are_refused_with_a_sentence():
    with pytest.raises(BadInput, match=r"Give more edits\.$"):
        split(labelled()[:6], LESSONS)
    with pytest.raises(BadInput, match="between 0 and 1"):
        Lessons(validation=1.0)


def test_a_text_scope_learns_its_cases(tmp_path):
    scope, examples = TextScope(TINY_TEXT), labelled()
    before = decisions(scope, examples)
    taught = train_scope(scope, labelled(), tmp_path, lessons=LESSONS, progress=quiet)
    after = decisions(TextScope.load(read(tmp_path, kind="serac")), examples)
    assert min(after.inside, after.outside) >= 0.9 > min(before.inside, before.outside)
    assert after.n == (30, 39)
    kept_back = split(examples, LESSONS).validation
    assert taught.decided == decisions(TextScope.load(read(tmp_path, kind="serac")), kept_back)
    assert 0 < taught.fitted.best_step <= taught.fitted.steps


def test_a_killed_run_of_a_scope_ends_where_an_unbroken_one_ends(tmp_path):
    lessons = Lessons(steps=40, batch=8, every=10, validation=0.2, seed=1)

    def interrupt(what, done, total):
        if done == 25:
            raise KeyboardInterrupt

    unbroken, killed = TextScope(TINY_TEXT), TextScope(TINY_TEXT)
    train_scope(unbroken, labelled(), tmp_path / "a", lessons=lessons, progress=quiet)
    with pytest.raises(KeyboardInterrupt):
        train_scope(killed, labelled(), tmp_path / "b", lessons=lessons, progress=interrupt)
    again = TextScope(TINY_TEXT)
    train_scope(again, labelled(), tmp_path / "b", lessons=lessons, progress=quiet)
    assert again.spec() == unbroken.spec()


def test_a_small_clip_is_trained_on_what_is_said_of_pictures_and_opens_as_encoders(tmp_path):
    sizes = ClipSizes(width=32, layers=1, ffn=64, text_width=32, text_layers=1, text_ffn=64, vocabulary=400)
    plan = ClipPlan(steps=30, pictures=12, tower=None, learning_rate=3e-3)
    losses: list[float] = []

    def progress(what, done, total):
        losses.append(float(what.split()[1]))

    train_clip(tmp_path, sizes=sizes, plan=plan, progress=progress)
    assert sum(losses[-5:]) < sum(losses[:5])
    encoder = load_encoder(tmp_path)
    assert encoder.width == 32
    with pytest.raises(BadInput, match="is of another run"):
        train_clip(tmp_path, sizes=sizes, plan=replace(plan, pictures=13), progress=quiet)


def test_a_look_takes_as_many_of_the_pairs_kept_back_as_it_was_given_half_of_them_in_scope(tmp_path):
    lessons = Lessons(steps=4, batch=4, every=2, validation=0.4, watched=6, seed=1)
    taught = train_scope(TextScope(TINY_TEXT), labelled(), tmp_path, lessons=lessons, progress=quiet)
    assert taught.decided.n == (3, 3)
    assert len(split(labelled(), lessons).validation) > 6
