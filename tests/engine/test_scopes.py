"""How scopes and CLIPs are trained: what is kept back, when it ends, and that a killed run ends where an unbroken one ends."""

import pytest
import torch

from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.editors import TextScope, pairs
from errata.engine.clip_school import ClipPlan, train_clip
from errata.engine.fit import Schedule, fit
from errata.engine.scopes import Lessons, decisions, split, train_scope
from errata.models.clip import ClipSizes, load_encoder
from tests.conftest import picture
from tests.editors.trained import LESSONS, TINY_TEXT, cases, quiet


def test_in_scope_is_what_must_change_and_a_probe_of_another_edit_says_nothing():
    edit = Edit(Query.ask("what is the star called?"), "mibo")
    probes = [
        Probe("reliability", edit.query, "mibo"),
        Probe("text_generality", Query.ask("a"), "mibo"),
        Probe("cross_edit", Query.ask("b"), "zuna"),
        Probe("text_locality", Query.ask("c"), UNCHANGED),
    ]
    found = [(pair.query.text, pair.inside) for pair in pairs(Case(edit, tuple(probes)))]
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
    found = split([*cases(), *shared], LESSONS)
    assert {pair.edit.id for pair in found.train}.isdisjoint({pair.edit.id for pair in found.validation})
    sides = [sum(image in pair.edit.images for pair in side) for side in found]
    assert sorted(sides) == [0, 60]
    assert split(cases(), LESSONS) == split(cases(), LESSONS)


def test_too_few_cases_are_refused_with_a_sentence():
    with pytest.raises(BadInput, match=r"Give more cases\.$"):
        split(cases()[:1], LESSONS)
    with pytest.raises(BadInput, match="between 0 and 1"):
        Lessons(validation=1.0)


def test_a_text_scope_learns_its_cases(tmp_path):
    scope, examples = TextScope(TINY_TEXT), [pair for case in cases() for pair in pairs(case)]
    before = decisions(scope, examples)
    train_scope(scope, cases(), tmp_path, lessons=LESSONS, progress=quiet)
    after = decisions(TextScope.load(tmp_path), examples)
    assert min(after.inside, after.outside) >= 0.9 > min(before.inside, before.outside)
    assert after.n == (30, 39)


def test_a_killed_run_of_a_scope_ends_where_an_unbroken_one_ends(tmp_path):
    lessons = Lessons(steps=40, batch=8, validate_every=10, validation=0.2, seed=1)

    def interrupt(what, done, total):
        if done == 25:
            raise KeyboardInterrupt

    unbroken, killed = TextScope(TINY_TEXT), TextScope(TINY_TEXT)
    train_scope(unbroken, cases(), tmp_path / "a", lessons=lessons, progress=quiet)
    with pytest.raises(KeyboardInterrupt):
        train_scope(killed, cases(), tmp_path / "b", lessons=lessons, progress=interrupt)
    again = TextScope(TINY_TEXT)
    train_scope(again, cases(), tmp_path / "b", lessons=lessons, progress=quiet)
    assert again.spec() == unbroken.spec()


def walk(tmp_path, losses, *, steps=40, patience=2, stop_after=None):
    """A run whose validations give these losses; the weight at each step is the number of steps taken."""
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(module.weight)
    seen: list[float] = []

    def validate():
        seen.append(float(module.weight.detach()))
        return losses[round(len(seen)) - 1]

    def progress(what, done, total):
        if done == stop_after:
            raise KeyboardInterrupt

    fit(
        module,
        objective=lambda step: [lambda: -module.weight.sum()],
        schedule=Schedule(steps, warmup=1, validate_every=4, patience=patience, checkpoint_every=4),
        checkpoint=tmp_path / "c.pt",
        progress=progress,
        validate=validate,
    )
    return seen, float(module.weight.detach())


def test_a_run_ends_once_validation_no_longer_helps_and_the_best_weights_stay(tmp_path):
    seen, left = walk(tmp_path, [3.0, 1.0, 2.0, 2.0, 0.0, 0.0])
    assert len(seen) == 4
    assert left == seen[1]
    again, still = walk(tmp_path, [])  # resumed after its end: nothing is done, and the best weights are back
    assert (again, still) == ([], left)


def test_a_run_that_keeps_helping_goes_to_its_end(tmp_path):
    seen, left = walk(tmp_path, [float(-i) for i in range(10)])
    assert len(seen) == 10
    assert left == seen[-1]


def test_without_validation_the_last_weights_stay_and_the_checkpoint_is_as_it_was(tmp_path):
    module = torch.nn.Linear(1, 1)
    fit(
        module,
        objective=lambda step: [lambda: module.weight.sum()],
        schedule=Schedule(4),
        checkpoint=tmp_path / "c.pt",
        progress=quiet,
    )
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    assert set(saved) == {"step", "steps", "run", "module", "optimizers"}
    assert torch.equal(saved["module"]["weight"], module.weight.detach())


def test_a_small_clip_is_trained_on_what_is_said_of_pictures_and_opens_as_encoders(tmp_path):
    sizes = ClipSizes(width=32, layers=1, ffn=64, vocabulary=400)
    losses: list[float] = []

    def progress(what, done, total):
        losses.append(float(what.split()[1]))

    train_clip(tmp_path, sizes=sizes, plan=ClipPlan(steps=30, pictures=12, learning_rate=3e-3), progress=progress)
    assert sum(losses[-5:]) < sum(losses[:5])
    encoder = load_encoder(tmp_path)
    assert encoder.width == 32
    with pytest.raises(BadInput, match="is of another run"):
        train_clip(tmp_path, sizes=sizes, plan=ClipPlan(steps=30, pictures=13, learning_rate=3e-3), progress=quiet)
