"""Encoders: what is seen depends on nothing else, parts share the wholes' space, and any change of them has another digest."""

import json
import shutil

import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from errata.core.errors import BadInput
from errata.models.clip import build_clip, load_encoder
from tests.conftest import picture
from tests.editors.trained import TINY_CLIP, clip

TEXT = "what is the star called?"


def test_the_wholes_are_those_of_the_library():
    encoder, net = load_encoder(clip()), CLIPModel.from_pretrained(clip())
    two = [TEXT, "who made it, and who made the other one?"]
    words = AutoTokenizer.from_pretrained(clip())(two, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = net.get_text_features(**words).pooler_output[0]
    assert torch.allclose(encoder.text(TEXT).whole_D, expected, atol=1e-5)
    pixels = encoder._images(images=[picture(4).pixels()], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        seen = net.get_image_features(pixel_values=pixels).pooler_output[0]
    assert torch.allclose(encoder.image(picture(4)).whole_D, seen, atol=1e-5)


def test_parts_are_tokens_and_patches_in_the_space_of_the_wholes():
    encoder = load_encoder(clip())
    read, seen = encoder.text(TEXT), encoder.image(picture(4))
    assert read.parts_PD.shape[1] == seen.parts_PD.shape[1] == encoder.width == 64
    assert seen.parts_PD.shape[0] == 4  # 32 pixels in patches of 16
    assert torch.allclose(read.parts_PD[-1], read.whole_D, atol=1e-6)  # a text is pooled at its end token
    assert not any(part.requires_grad for part in (*read, *seen))


def test_a_text_longer_than_the_encoder_reads_is_cut():
    assert load_encoder(clip()).text("star " * 200).parts_PD.shape[0] == TINY_CLIP.length


def test_what_is_seen_is_the_same_to_the_bit_whatever_was_seen_before():
    one, other = load_encoder(clip()), load_encoder(clip())
    other.text("something else")
    other.image(picture(9))
    assert torch.equal(one.text(TEXT).parts_PD, other.text(TEXT).parts_PD)
    assert torch.equal(one.image(picture(4)).parts_PD, other.image(picture(4)).parts_PD)


def test_other_weights_and_another_vocabulary_have_another_digest(tmp_path):
    texts = [f"what is the {word} called? who made it? mibo" for word in ("star", "ring")] * 6
    digest = load_encoder(clip()).digest
    assert load_encoder(clip()).digest == digest
    moved = shutil.copytree(clip(), tmp_path / "moved")
    assert load_encoder(moved).digest == digest
    build_clip(tmp_path / "seed", texts=texts, sizes=TINY_CLIP, seed=3)
    build_clip(tmp_path / "words", texts=["who? nothing of that kind"] * 9, sizes=TINY_CLIP, seed=2)
    found = {load_encoder(tmp_path / name).digest for name in ("seed", "words")}
    tokenizer = json.loads((moved / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (moved / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert len({digest, load_encoder(moved).digest, *found}) == 4


def test_broken_weights_are_refused_with_a_sentence(tmp_path):
    folder = shutil.copytree(clip(), tmp_path / "copy")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:900])
    with pytest.raises(BadInput, match=r"can't be read: .*again\.$"):
        load_encoder(folder)
