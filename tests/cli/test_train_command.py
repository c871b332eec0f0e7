"""`errata train` at the command line: what it leaves can be benched with, asked with and edited with, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errata.editors import MendPlan
from tests.editors.samples import PICTURED
from tests.editors.trained import clip, filled_in, taught_mend

SHORT = ("--steps", 2, "--every", 1, "--batch", 1, "--validation", 1)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA that can be put every question of ScopeWorld, and knows nothing."""
    from errata.models.small.build import LlavaSizes, build_llava
    from errata.school.school import texts

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


SCOPE = ("--edits", 12, "--validation", 3, "--steps", 4, "--every", 2, "--batch", 4)


@pytest.mark.parametrize(
    ("named", "given"), [("serac:buckets=64,width=32,layers=1,ffn=32", ()), ("mscke:fusion=concat,width=32", ("--encoders", clip))]
)
def test_a_scope_is_trained_on_labelled_pairs_and_benched_with(inside, untrained, tmp_path, named, given):
    words = ("train", named, "--out", "scope", *(part() if part is clip else part for part in given), *SCOPE)
    trained = inside(*words)
    assert trained.code == 0, trained.err
    editor = f"{named.partition(':')[0]}:checkpoint=scope"
    parts = ("best after", "of the pairs kept back, right in scope:", "saved: scope", f"--editor {editor}")
    assert [part in trained.out for part in parts] == [True] * 4
    assert "drawing the pairs of 12 edits" in trained.err
    again = inside(*words)
    assert (again.code, again.out) == (0, trained.out)
    assert len((tmp_path / "scope" / "training.tsv").read_text().splitlines()) == 4
    other = inside(*words, "--benchmark", "scopeworld-stream")
    assert (other.code, "is of another run" in other.err) == (2, True)

    benched = inside("bench", "scopeworld-fgv", "--model", untrained, "--editor", editor, "--edits", 1, "--out", "run")
    assert benched.code == 0, benched.err
    made = json.loads((tmp_path / "run" / "result.json").read_text())["editor"]["fields"]["made"]
    assert made["fields"]["scope"]["width"] == 32


def test_a_scope_learns_from_a_stream_too(inside, tmp_path):
    words = ("serac:buckets=64,width=32,layers=1,ffn=32", "--benchmark", "scopeworld-stream", "--out", "scope")
    trained = inside("train", *words, *SCOPE)
    assert trained.code == 0, trained.err
    assert (tmp_path / "scope" / "learned.safetensors").exists()


def test_an_answer_says_what_the_scope_decided(inside, random_llava, random_llava_folder, tmp_path):
    editor = filled_in("serac:checkpoint={text},editor=mend:checkpoint={mend}", random_llava)
    (image,) = PICTURED.query.images
    (tmp_path / "a.png").write_bytes(image.data)
    asked = (PICTURED.query.text, "--image", "a.png", "--model", random_llava_folder)
    edited = inside("edit", "add", *asked, "--target", PICTURED.target, "--editor", editor)
    assert edited.code == 0, edited.out + edited.err
    near = json.loads(inside("ask", *asked, "--json").out)
    assert (near["answer"], near["decision"]["edit"], near["decision"]["inside"]) == (PICTURED.target, near["edits"][0], True)
    assert near["decision"]["score"] >= 0.5
    far = inside("ask", "what is 1 plus 1?", "--model", random_llava_folder)
    assert f"the scope scored {near['edits'][0][:12]} at 0." in far.err
    assert "out of scope" in far.err
    assert "edits that spoke: none" in far.err


def test_a_scope_over_states_is_trained_for_one_model_and_refused_by_another(inside, untrained):
    words = ("train", "states:depths=2,width=8", "--model", untrained, "--benchmark", "scopeworld-stream", "--out", "scope")
    trained = inside(*words, "--edits", 12, "--steps", 3, "--batch", 16, "--every", 3, "--validation", 4)
    assert trained.code == 0, trained.err
    assert "use it with: --editor states:checkpoint=scope" in trained.out
    bench = ("bench", "scopeworld-stream", "--editor", "states:checkpoint=scope", "--edits", 1)
    assert inside(*bench, "--model", untrained, "--out", "run").code == 0
    other = inside(*bench, "--model", "llava-tiny", "--out", "other")
    assert (other.code, "was trained for" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "finetune", "--out", "x"), "There is no editor to train named 'finetune'"),
        (("train", "mend:haste=3", "--out", "x"), "There is no field of mend named 'haste'"),
        (("train", "mend:layers=0", "--out", "x"), "layers must be at least 1"),
        (("train", "mend", "--out", "x", "--benchmark", "nope"), "There is no benchmark named 'nope'"),
        (("train", "mend", "--out", "x", "--benchmark", "asked", "--model", "nope"), "There is no benchmark named 'asked'"),
        (("train", "states", "--out", "x", "--benchmark", "nope", "--model", "nope"), "There is no benchmark named 'nope'"),
        (("train", "mend", "--out", "x", "--model", "nope"), "There is no model named 'nope'"),
        (("train", "mend", "--out", "x", "--steps", 0), "--steps"),
        (("train", "mend"), "--out"),
        (("train", "mend", "--out", "x", "--edits", 9), "Leave the number of edits out."),
        (("train", "serac", "--out", "x", "--without", "near_locality"), "Leave --without out."),
        (("train", "serac:width=40", "--out", "x"), "width that 32 divides"),
        (("train", "serac", "--out", "x", "--batch", 1), "2 pairs in it"),
        (("train", "serac", "--out", "x", "--edits", 9, "--validation", 9), "leave none of 9 to train on."),
        (("train", "mscke", "--out", "x"), "--encoders"),
        (("train", "mscke", "--out", "x", "--encoders", "nope"), "There is no encoder named 'nope'"),
        (("train", "mscke:fusion=odd", "--out", "x", "--encoders", "nope"), "mscke's fusion takes 'concat'"),
        (("bench", "scopeworld-stream", "--editor", "serac", "--out", "x"), "as `errata train serac` wrote it."),
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


def test_the_table_of_odedit_is_printed_and_written(inside, random_llava_folder, tmp_path):
    words = (
        "table",
        "odedit",
        "--editor",
        "finetune:steps=1",
        "--model",
        random_llava_folder,
        "--edits",
        2,
        "--single",
        2,
        "--seeds",
        "1",
    )
    done = inside(*words, "--out", "t")
    assert done.code == 0, done.err
    assert done.out.count("finetune:steps=1 + odedit - invariance") == 2
    page = (tmp_path / "t" / "odedit.md").read_text()
    assert "## 1 edit in force" in page
    assert "## 2 edits in force" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--editor", "codebook"), "doesn't write in steps on a loss"),
        (("--editor", "sing"), "sing"),
        (("--mend", "nowhere", "--mend-odedit", "nowhere"), "nowhere"),
        (("--mend", "nowhere"), "Give both, or neither."),
        (("--seeds", "x"), "'x' aren't numbers"),
    ],
)
def test_a_table_of_odedit_that_cant_be_is_refused_with_a_sentence(inside, tmp_path, words, told):
    done = inside("table", "odedit", *words, "--out", "t")
    assert (done.code, done.out) == (2, "")
    assert told in " ".join(done.err.split())
    assert not (tmp_path / "t").exists()
