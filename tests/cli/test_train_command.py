"""`errata train` at the command line: what it leaves can be benched with, asked with and edited with, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errata.editors import MendPlan
from tests.editors.samples import PICTURED
from tests.editors.trained import taught_mend

SHORT = ("--steps", 2, "--every", 1, "--batch", 1, "--validation", 1)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA that can be put every question of ScopeWorld, and knows nothing."""
    from errata.engine.school import texts
    from errata.models.build import LlavaSizes, build_llava

    folder: Path = tmp_path_factory.mktemp("models") / "untrained"
    sizes = LlavaSizes(width=32, layers=2, ffn=32, vision_width=32, vision_layers=1, vision_ffn=32)
    build_llava(folder, texts=texts(count=400), sizes=sizes, seed=0)
    return folder


def test_a_trained_editor_is_saved_and_benched_with_and_refused_for_another_model(inside, untrained, random_llava_folder, tmp_path):
    trained = inside("train", "mend:rank=4", "--model", untrained, "--out", "mend", *SHORT)
    assert trained.code == 0, trained.err
    assert [part in trained.out for part in ("validation loss", "saved: mend", "--editor mend:checkpoint=mend")] == [True] * 3
    again = inside("train", "mend:rank=4", "--model", untrained, "--out", "mend", *SHORT)
    assert (again.code, again.out) == (0, trained.out)
    assert len((tmp_path / "mend" / "training.tsv").read_text().splitlines()) == 2

    editor = ("--model", untrained, "--editor", "mend:checkpoint=mend")
    benched = inside("bench", "scopeworld-stream", *editor, "--edits", 2, "--horizons", "1,2", "--out", "run")
    assert benched.code == 0, benched.err
    assert json.loads((tmp_path / "run" / "result.json").read_text())["editor"]["fields"]["learned"]["rank"] == 4

    refused = inside("bench", "scopeworld-stream", "--model", random_llava_folder, *editor[2:], "--edits", 1, "--out", "other")
    assert refused.code == 2
    assert "was trained for" in refused.err


def test_a_log_is_edited_and_asked_with_a_checkpoint(inside, random_llava, random_llava_folder, tmp_path):
    plan = MendPlan(edit_rate=0.03, edit_weight=1.0)
    taught_mend(random_llava, tmp_path / "mend", plan, steps=60)
    (image,) = PICTURED.query.images
    (tmp_path / "a.png").write_bytes(image.data)
    asked = (PICTURED.query.text, "--image", "a.png", "--model", random_llava_folder)
    edited = inside("edit", "add", *asked, "--target", PICTURED.target, "--editor", "mend:checkpoint=mend")
    assert edited.code == 0, edited.out + edited.err
    answer = json.loads(inside("ask", *asked, "--json").out)  # the log knows its editor
    assert (answer["answer"], len(answer["edits"])) == (PICTURED.target, 1)
    (tmp_path / "mend" / "learned.safetensors").write_bytes(b"broken")
    assert "can't be read" in " ".join(inside("ask", *asked).err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "finetune", "--out", "x"), "There is no editor to train named 'finetune'"),
        (("train", "mend:haste=3", "--out", "x"), "There is no field of mend named 'haste'"),
        (("train", "mend:layers=0", "--out", "x"), "layers must be at least 1"),
        (("train", "mend", "--out", "x", "--benchmark", "nope"), "There is no benchmark named 'nope'"),
        (("train", "mend", "--out", "x", "--model", "nope"), "There is no model named 'nope'"),
        (("train", "mend", "--out", "x", "--steps", 0), "--steps"),
        (("train", "mend"), "--out"),
        (("bench", "scopeworld-stream", "--editor", "mend", "--out", "x"), "errata train mend --out FOLDER"),
        (("bench", "scopeworld-stream", "--editor", "mend:checkpoint=x", "--out", "x"), "There is no checkpoint at"),
        (("ask", "what?", "--editor", "mend"), "errata train mend --out FOLDER"),
    ],
)
def test_what_cannot_be_trained_or_opened_gets_a_sentence_and_writes_nothing(inside, tmp_path, words, said):
    done = inside(*words)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert list(tmp_path.iterdir()) == []
