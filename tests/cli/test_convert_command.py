"""MiniGPT-4 is converted at the command line, and then asked as any checkpoint."""

from __future__ import annotations

import json

import pytest

from tests.conftest import picture
from tests.models.original_minigpt4 import HEADS, QHEADS, USED, make

NUMBERS = ("--vision-heads", HEADS, "--vision-blocks", USED, "--qformer-heads", QHEADS)


@pytest.fixture
def words(tmp_path):
    """The command, for files in the test's own folder."""
    files = make(tmp_path / "vicuna").save(tmp_path)
    given = [word for name, path in files.items() for word in (f"--{name.replace('_', '-')}", path.relative_to(tmp_path))]
    return ("model", "convert-minigpt4", *given, "--out", "minigpt4")


def test_a_converted_model_is_inspected_and_asked(inside, words, tmp_path):
    made = inside(*words, *NUMBERS)
    assert made.code == 0, made.err
    for piece in ("saved: minigpt4, ", "of the tower's 3 blocks 2 are used", "a picture's token: <image>", "ends with: </s> ### "):
        assert piece in made.out, piece
    assert "minigpt4, asked " in inside("model", "inspect", "minigpt4").out
    (tmp_path / "a.png").write_bytes(picture(1).data)
    assert inside("ask", "what is it?", "--image", "a.png", "--model", "minigpt4", "--store", ":memory:").code == 0


def test_what_was_written_is_said_as_json(inside, words):
    told = json.loads(inside(*words, *NUMBERS, "--dtype", "float16", "--json").out)
    assert (told["folder"], told["dtype"], told["blocks"]) == ("minigpt4", "float16", [USED, USED + 1])


def test_what_is_missing_is_a_sentence_and_nothing_is_written(inside, words, tmp_path):
    refused = inside(*words)
    assert (refused.code, "Say it: --vision-heads NUMBER." in refused.err) == (2, True)
    (tmp_path / "eva_vit_g.pth").unlink()
    refused = inside(*words, *NUMBERS)
    assert (refused.code, "There is no file eva_vit_g.pth" in refused.err, "Traceback" in refused.err) == (2, True, False)
    assert not (tmp_path / "minigpt4").exists()
