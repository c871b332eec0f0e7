"""BLIP-2 and MiniGPT-4: which family a checkpoint is of, what is refused, where pictures stand, and what ends an answer."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from tokenizers.processors import TemplateProcessing
from transformers import Blip2Config, Blip2ForConditionalGeneration, OPTConfig

from errata.core.errors import BadInput, Unknown
from errata.core.records import Message, Query
from errata.models import load
from errata.models.families import qformer as _qformer
from errata.models.small.build import build_blip2, build_minigpt4
from errata.nn.patches import NoPatch
from tests.conftest import BLIP2_SIZES, WORDS, picture

SEEN = Query.ask("what is the red star called?", picture(1))
TOLD = Query.ask("where does mibo live?")


@pytest.fixture
def blip2(random_blip2_folder, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(random_blip2_folder, tmp_path / "blip2")


@pytest.fixture
def minigpt4(random_minigpt4_folder, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(random_minigpt4_folder, tmp_path / "minigpt4")


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def change_config(folder, **fields):
    (folder / "config.json").write_text(json.dumps({**config_of(folder), **fields}))


def change_text(folder, **fields):
    change_config(folder, text_config={**config_of(folder)["text_config"], **fields})


def test_the_language_model_tells_the_families_apart(random_blip2, random_minigpt4):
    assert random_blip2.net.config.model_type == random_minigpt4.net.config.model_type == "blip-2"
    assert (random_blip2.family.name, random_minigpt4.family.name) == ("blip2", "minigpt4")


def test_a_config_that_does_not_name_its_language_model_means_opt(blip2):
    text = config_of(blip2)["text_config"]
    del text["model_type"]
    change_config(blip2, text_config=text)
    assert load(blip2).family.name == "blip2"


def test_a_language_model_that_is_not_known_is_refused_with_those_that_are(blip2):
    change_text(blip2, model_type="t5")
    with pytest.raises(BadInput, match=r"is a blip-2 with a language model of the type 't5'; llama or opt is known\."):
        load(blip2)


def test_an_unknown_family_is_refused_with_the_types_that_are_known(blip2):
    change_config(blip2, model_type="blip-9")
    with pytest.raises(Unknown, match="no model family named 'blip-9'.*Known: .*blip-2"):
        load(blip2)


def test_a_config_without_an_image_token_is_refused(blip2):
    change_config(blip2, image_token_index=None)
    with pytest.raises(BadInput, match="of the family 'blip2' and can't be used: its config.json names no image_token_index"):
        load(blip2)
    change_config(blip2, image_token_index=5000)
    with pytest.raises(BadInput, match=r"image_token_index 5000 lies beyond its vocabulary of \d+\."):
        load(blip2)


def test_an_opt_whose_words_are_narrower_than_its_layers_is_refused():
    narrow = OPTConfig(
        vocab_size=32, hidden_size=64, word_embed_proj_dim=32, num_hidden_layers=1, num_attention_heads=2, ffn_dim=64
    )
    config = Blip2Config(text_config=narrow, image_token_index=4)
    with torch.device("meta"):
        net = Blip2ForConditionalGeneration(config)
    assert _qformer.refuse(net) == "its words are embedded 32 wide and its pictures 64"


@pytest.mark.parametrize("made", ["random_blip2", "random_minigpt4"])
def test_the_vision_side_is_the_tower_and_then_the_qformer_and_the_projection_stands_alone(request, made):
    model = request.getfixturevalue(made)
    tower = [f"vision_model.encoder.layers.{layer}.mlp.{name}" for layer in (0, 1) for name in ("fc1", "fc2")]
    reader = [f"qformer.encoder.layer.{layer}.{name}.dense" for layer in (0, 1) for name in ("intermediate_query", "output_query")]
    assert model.writable["vision"] == (*tower, *reader)
    assert model.writable["projector"] == ("language_projection",)


def test_pictures_stand_before_blip2s_begin_token_as_its_processor_puts_them(blip2):
    model = load(blip2)
    tokenizer = model.processor.tokenizer
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    said = model.processor(images=picture(1).pixels(), text="Question: what is the red star called? Answer:", return_tensors="pt")
    ids, positions = said["input_ids"][0].tolist(), model.positions(SEEN, "mibo")
    assert positions.image == tuple(range(6))
    assert ids[6] == tokenizer.bos_token_id
    assert positions.predicting[0] == len(ids) - 1
    with torch.no_grad():
        logs = model.net(**said).logits[0, -1].log_softmax(-1)
    scores = model.predict(SEEN, "mibo")
    assert scores.losses_nats[0] == pytest.approx(-logs[scores.targets[0]].item(), abs=1e-4)


def test_pictures_stand_after_minigpt4s_begin_token_between_their_marks(minigpt4):
    model = load(minigpt4)
    core = model.processor.tokenizer.backend_tokenizer
    plain = model.positions(SEEN, "mibo")
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    dressed = load(minigpt4)
    dressed.processor.tokenizer.backend_tokenizer.post_processor = core.post_processor
    positions = dressed.positions(SEEN, "mibo")
    assert positions.image == tuple(i + 1 for i in plain.image)
    assert positions.length == plain.length + 1
    assert plain.image[0] > 0


@pytest.mark.parametrize("made", ["random_blip2", "random_minigpt4"])
def test_earlier_turns_and_a_system_message_are_part_of_the_prompt(request, made):
    model = request.getfixturevalue(made)
    turns = (Message("system", ("be brief.",)), *SEEN.messages, Message("assistant", ("mibo",)), Message("user", ("and now?",)))
    long, short = model.positions(Query(turns), "two"), model.positions(Query(turns[1:]), "two")
    assert long.length > short.length > model.positions(Query.ask("and now?", picture(1)), "two").length
    assert len(long.image) == 6


def test_an_answer_ends_as_the_checkpoint_says(blip2):
    """The published BLIP-2 ends its answers with a line's end, which isn't its tokenizer's end token."""
    before = load(blip2)
    line = before.processor.tokenizer.convert_tokens_to_ids("\n")
    assert line not in (None, before.processor.tokenizer.unk_token_id)
    change_text(blip2, eos_token_id=line)
    model = load(blip2)
    ended, plain = (found.positions(TOLD, "red plums").length for found in (model, before))
    assert ended == plain
    tokenizer = model.processor.tokenizer
    ids = tokenizer("Question: where does mibo live? Answer: red plums", return_tensors="pt")["input_ids"]
    ids = torch.cat([ids, torch.tensor([[line]])], dim=1)
    labels = torch.where(torch.arange(ids.shape[1]) > model.positions(TOLD, "red plums").predicting[0], ids, -100)
    with torch.no_grad():
        theirs = _qformer.speaker(model.net)(input_ids=ids, labels=labels).loss
    torch.testing.assert_close(model.loss(TOLD, "red plums"), theirs, rtol=1e-5, atol=1e-5)
    assert not torch.equal(model.loss(TOLD, "red plums"), before.loss(TOLD, "red plums"))


def test_every_token_that_may_end_an_answer_ends_it(minigpt4):
    """MiniGPT-4 ends with "###": a checkpoint says so in its generation settings."""
    (first,) = load(minigpt4).answers([TOLD], [NoPatch()], max_new_tokens=6)
    model = load(minigpt4)
    spoken = model.predict(TOLD, "mibo").predictions[0]
    settings = json.loads((minigpt4 / "generation_config.json").read_text())
    (minigpt4 / "generation_config.json").write_text(json.dumps({**settings, "eos_token_id": [settings["eos_token_id"], spoken]}))
    (cut,) = load(minigpt4).answers([TOLD], [NoPatch()], max_new_tokens=6)
    assert len(cut) < len(first)
    assert torch.equal(load(minigpt4).loss(TOLD, "mibo"), model.loss(TOLD, "mibo"))


def test_a_change_of_the_queries_is_seen(blip2):
    model = load(blip2)
    first = model.loss(SEEN, "mibo")
    model.net.get_parameter("query_tokens").neg_()
    assert not torch.equal(model.loss(SEEN, "mibo"), first)


@pytest.mark.parametrize("build", [build_blip2, build_minigpt4])
def test_the_defaults_make_a_small_model_that_can_learn(build, tmp_path):
    build(tmp_path, texts=WORDS * 8)
    held = load_file(tmp_path / "model.safetensors")
    assert 3_000_000 <= sum(tensor.numel() for tensor in held.values()) <= 8_000_000
    assert held["query_tokens"][0].unique(dim=0).shape[0] == 16  # alike, they would stay alike
    assert all(tensor.std() > 0.01 for name, tensor in held.items() if name.startswith("vision_model") and tensor.ndim == 2)
    config = config_of(tmp_path)
    assert config["qformer_config"]["hidden_dropout_prob"] == config["text_config"].get("dropout", 0.0) == 0.0


@pytest.mark.parametrize("build", [build_blip2, build_minigpt4])
def test_the_same_seed_makes_the_same_model(build, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(tmp_path / name, texts=WORDS * 8, sizes=BLIP2_SIZES, seed=seed)
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["query_tokens"], c["query_tokens"])
