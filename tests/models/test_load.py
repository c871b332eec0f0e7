"""Opening a model: what is found by name, and a sentence for everything that can be wrong."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from tokenizers.processors import TemplateProcessing

from errata.core.errors import BadInput, Unknown
from errata.core.records import Message, Query
from errata.models import load, shipped
from errata.nn.patches import NoPatch
from tests.conftest import picture

SEEN = Query.ask("what is the red star called?", picture(1))


@pytest.fixture
def folder(random_llava_folder, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(random_llava_folder, tmp_path / "copy")


def test_the_shipped_models_are_named():
    assert shipped() == ("blip2-tiny", "llava-tiny", "minigpt4-tiny")


def test_a_model_is_loaded_for_reading_only_and_in_float32(random_llava, random_llava_folder):
    assert random_llava.name == str(random_llava_folder)
    assert not random_llava.net.training
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in random_llava.net.parameters())
    assert random_llava.parameters == sum(p.numel() for p in random_llava.net.parameters())


def test_half_precision_on_disk_is_opened_in_float32(folder, random_llava_folder, tmp_path):
    load(folder, dtype="float16").save(tmp_path / "half")
    model = load(tmp_path / "half")
    assert {p.dtype for p in model.net.parameters()} == {torch.float32}
    assert {p.dtype for p in load(tmp_path / "half", dtype="bfloat16").net.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("name", ["llava-tini", "nowhere/at/all", "./nowhere", ""])
def test_a_name_that_stands_for_nothing_is_refused_with_what_there_is(name):
    with pytest.raises(Unknown, match="There is no model named .*llava-tiny"):
        load(name)


def test_a_hub_id_that_cannot_be_reached_is_refused():
    with pytest.raises(Unknown, match="There is no model named 'nobody/nothing'"):
        load("nobody/nothing")


def test_a_file_is_no_model(folder):
    with pytest.raises(BadInput, match="is a file; a model is a folder"):
        load(folder / "config.json")


def test_a_folder_without_a_readable_config_is_no_checkpoint(folder):
    (folder / "config.json").write_text("{not json")
    with pytest.raises(BadInput, match="no checkpoint: its config.json"):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(BadInput, match="no checkpoint: its config.json"):
        load(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(BadInput, match="names no model_type"):
        load(folder)


def change_config(folder, **fields):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


def test_a_family_that_is_not_known_is_refused_with_those_that_are(folder):
    change_config(folder, model_type="llava_twovision")
    with pytest.raises(Unknown, match="no model family named 'llava_twovision'.*Known: .*llava_onevision"):
        load(folder)


@pytest.mark.parametrize("spoil", ["cut", "noise", "gone", "fewer", "narrow"])
def test_broken_weights_are_refused(folder, spoil):
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    if spoil == "cut":
        weights.write_bytes(data[: len(data) // 2])
    elif spoil == "noise":
        weights.write_bytes(b"\xff" * 100)
    elif spoil == "gone":
        weights.unlink()
    elif spoil == "fewer":
        config = json.loads((folder / "config.json").read_text())["text_config"]
        change_config(folder, text_config={**config, "num_hidden_layers": 5})
    else:
        config = json.loads((folder / "config.json").read_text())["text_config"]
        change_config(folder, text_config={**config, "intermediate_size": 96})
    with pytest.raises(BadInput, match=r"The weights of .*(can't be read|don't fit)"):
        load(folder)


@pytest.mark.parametrize("gone", ["tokenizer.json", "processor_config.json"])
def test_a_missing_processor_is_said(folder, gone):
    (folder / gone).unlink()
    with pytest.raises(BadInput, match="no usable processor"):
        load(folder)


def test_a_processor_of_another_model_is_said(folder):
    place = folder / "processor_config.json"
    told = json.loads(place.read_text())
    told["image_processor"]["size"] = told["image_processor"]["crop_size"] = {"height": 80, "width": 80}
    place.write_text(json.dumps(told))
    with pytest.raises(BadInput, match="prepares pictures as its tower doesn't take them"):
        load(folder)


def test_an_unknown_dtype_and_a_missing_device_are_refused(folder):
    with pytest.raises(Unknown, match="no dtype named 'float8'.*Known: bfloat16, float16, float32, int8"):
        load(folder, dtype="float8")
    with pytest.raises(BadInput, match="The device 'gpu' can't be used"):
        load(folder, device="gpu")
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="The device 'cuda' can't be used"):
            load(folder, device="cuda")


def test_loading_says_nothing(folder, capfd):
    load(folder)
    assert capfd.readouterr() == ("", "")


def test_a_tokenizer_that_adds_special_tokens_keeps_the_first_and_drops_the_last(folder, random_llava):
    model = load(folder)
    core = model.processor.tokenizer.backend_tokenizer
    core.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    assert model.processor.tokenizer("a")["input_ids"][-1] == 2
    plain, dressed = random_llava.positions(SEEN, "mibo"), model.positions(SEEN, "mibo")
    assert dressed.length == plain.length + 1
    assert dressed.image == tuple(i + 1 for i in plain.image)
    assert dressed.target == tuple(i + 1 for i in plain.target)
    assert model.predict(SEEN, "mibo").targets == random_llava.predict(SEEN, "mibo").targets


def test_a_template_that_begins_with_the_first_token_is_not_given_it_twice(folder, random_llava, monkeypatch):
    model = load(folder)
    core = model.processor.tokenizer.backend_tokenizer
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    monkeypatch.setattr(model.processor, "chat_template", f"<s>{model.processor.chat_template}")
    assert model.positions(SEEN, "mibo").length == random_llava.positions(SEEN, "mibo").length + 1


def test_a_checkpoint_without_a_chat_template_is_asked_in_its_familys_own_words(folder, random_llava):
    (folder / "chat_template.jinja").unlink()
    model = load(folder)
    assert model.processor.chat_template is None
    assert model.positions(SEEN, "mibo") == random_llava.positions(SEEN, "mibo")
    assert torch.equal(model.loss(SEEN, "mibo"), random_llava.loss(SEEN, "mibo"))


# In the way of LLaVA-1.5's published checkpoints: a block marks what the assistant says, and a space follows every text.
LLAVA_15 = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% if message['role'] != 'assistant' %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' ' }}{% endfor %}"
    "{% else %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ content['text'] + ' ' }}{% endgeneration %}{% endfor %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def test_a_published_checkpoints_template_goes_the_same_way(folder, random_llava, monkeypatch):
    model = load(folder)
    monkeypatch.setattr(model.processor, "chat_template", LLAVA_15)
    assert torch.equal(model.loss(SEEN, "mibo"), random_llava.loss(SEEN, "mibo"))
    turns = Query(
        (Message("system", ("be brief.",)), *SEEN.messages, Message("assistant", ("mibo",)), Message("user", ("and now?",)))
    )
    assert model.positions(turns, "two").length > random_llava.positions(SEEN, "two").length
    assert isinstance(model.answers([turns], [NoPatch()], max_new_tokens=3)[0], str)


def test_a_checkpoints_own_sampling_settings_do_not_make_answers_random(folder, random_llava):
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**settings, "do_sample": True, "temperature": 5.0, "top_p": 0.9}))
    model = load(folder)
    assert model.answers([SEEN], [NoPatch()], max_new_tokens=8) == random_llava.answers([SEEN], [NoPatch()], max_new_tokens=8)


def test_a_model_that_is_saved_keeps_the_generation_settings_it_came_with(folder, tmp_path):
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps({**settings, "do_sample": True, "temperature": 0.5}))
    load(folder).save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "generation_config.json").read_text())["temperature"] == 0.5


def test_a_row_stops_at_its_end_token_and_the_batch_when_all_have(random_llava):
    said: dict[int, int] = {}  # row -> the step at which it says the end token
    end, steps = random_llava.processor.tokenizer.eos_token_id, []

    def end_rows(module, inputs, logits):
        steps.append(1)
        logits[..., end] = -1e4
        for row, step in said.items():
            if len(steps) == step + 1:
                logits[row, ..., end] = 1e4
        return logits

    asked = Query.ask("where does the blue ring live?")
    handle = random_llava.net.lm_head.register_forward_hook(end_rows)
    (full,) = random_llava.answers([asked], [NoPatch()], max_new_tokens=4)
    steps.clear()
    said.update({0: 1, 1: 4})
    short, long = random_llava.answers([asked, asked], [NoPatch()] * 2)
    handle.remove()
    assert len(steps) == 5
    assert full.startswith(short)
    assert 0 < len(short) < len(full)
    assert long == full
    assert "<" not in short + long
