"""MiniGPT-4 from its authors' files: the folder works out what the original does; what doesn't fit is refused in a sentence."""

from __future__ import annotations

import io
import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import Blip2ForConditionalGeneration, LlamaConfig, LlamaForCausalLM

from errata.core.errors import BadInput, Unknown
from errata.core.records import Query
from errata.models import load
from errata.models.converting.files import Held, Part
from errata.models.converting.folder import draft_of
from errata.models.converting.layout import Given, Parts, config_of
from errata.models.converting.minigpt4 import Converted, Files, convert, plan
from errata.nn.patches import NoPatch
from tests.conftest import picture
from tests.models.original_minigpt4 import HEADS, HIDDEN, IMAGE, QHEADS, QWIDTH, USED, WIDTH, Original, make

GIVEN = Given(HEADS, USED, QHEADS)
SEEN = Query.ask("what is it?", picture(1))
BEFORE, AFTER = "###Human: <Img>", "</Img> what is it? ###Assistant:"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Original, Path, Converted]:
    """An original, the folder that it was converted to in several shards, and what was said of it; tests leave them as found."""
    folder = tmp_path_factory.mktemp("original")
    original = make(folder / "vicuna")
    told = convert(Files(**original.save(folder)), folder / "out", dtype="float32", given=GIVEN, shard_bytes=40_000)
    return original, folder / "out", told


@pytest.fixture
def files(made, tmp_path) -> dict[str, Path]:
    """The same files, for a test to spoil."""
    original, _, _ = made
    shutil.copytree(original.folder, tmp_path / "vicuna")
    return replace(original, folder=tmp_path / "vicuna").save(tmp_path)


def seen_by_the_original(query: Query = SEEN) -> torch.Tensor:
    """A picture as the original takes it: a square by bicubic resampling, CLIP's mean and deviation."""
    image = Pillow.open(io.BytesIO(query.images[0].data)).convert("RGB").resize((IMAGE, IMAGE), Pillow.Resampling.BICUBIC)
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    scaled = (np.asarray(image, dtype=np.float64) / 255 - mean) / deviation
    return torch.tensor(scaled.transpose(2, 0, 1), dtype=torch.float32)[None]


def spoil(path: Path, change) -> None:
    """Write a file of PyTorch anew, its table of names changed."""
    held = torch.load(path, weights_only=True)
    change(held.get("model", held))
    torch.save(held, path)


def refused(files: dict[str, Path], out: Path, match: str, given: Given = GIVEN, **options) -> None:
    with pytest.raises(BadInput, match=match):
        convert(Files(**files), out, given=given, **options)
    assert not out.exists()
    assert not [path for path in out.parent.iterdir() if path.name.startswith(".")]


def test_a_picture_is_seen_as_the_original_sees_it(made):
    original, folder, _ = made
    model: Any = load(folder)
    pixels_NCHW = model.processor.image_processor(images=[picture(1).pixels()], return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(pixels_NCHW, seen_by_the_original(), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        read = model.family.look(model.net, pixels_NCHW)
        told = original.look(pixels_NCHW)
        torch.testing.assert_close(read, told, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(model.family.project(model.net, read), original.project(told), rtol=1e-5, atol=1e-5)
    assert told.std() > 0.5


def test_the_language_model_says_what_the_originals_says(made):
    original, folder, told = made
    model = load(folder)
    row = model.front.row(SEEN, None)
    put = model.front.put(model, [row], [NoPatch()])
    with torch.no_grad():
        found_TV = put.speaker(**put.named).logits[0]
    wanted_TV = original.logits(seen_by_the_original(), BEFORE, AFTER)
    assert model.family.name == "minigpt4"
    assert found_TV.shape == (len(wanted_TV), told.vocabulary[1])
    torch.testing.assert_close(found_TV[:, : told.vocabulary[0]], wanted_TV, rtol=1e-5, atol=1e-5)


def test_a_targets_loss_is_the_originals_but_for_the_share_of_the_pictures_token(made):
    original, folder, told = made
    scores = load(folder).predict(SEEN, "mibo")
    logits_TV = original.logits(seen_by_the_original(), BEFORE, f"{AFTER} mibo")
    mean_T1 = logits_TV.mean(-1, keepdim=True)
    logs_TV = torch.cat([logits_TV, mean_T1], dim=-1).log_softmax(-1)[-1 - len(scores.targets) : -1]
    wanted = [-logs_TV[i, target].item() for i, target in enumerate(scores.targets)]
    assert list(scores.losses_nats) == pytest.approx(wanted, abs=1e-5)
    assert logs_TV[:, -1].exp().max() < 1 / told.vocabulary[1]


def test_the_token_of_a_picture_has_a_row_that_is_never_the_largest(made):
    original, folder, told = made
    before, after = told.vocabulary
    assert (before, after, told.image_token) == (before, before + 1, before)
    held = load_all(folder)
    words = load_file(original.folder / "model.safetensors")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        grown = held[f"language_model.{name}"]
        assert torch.equal(grown[:before], words[name])
        torch.testing.assert_close(grown[before], words[name].mean(0))
    tokenizer = load(folder).processor.tokenizer
    assert tokenizer("<image>", add_special_tokens=False)["input_ids"] == [told.image_token]


def load_all(folder: Path) -> dict[str, torch.Tensor]:
    return {name: one for file in folder.glob("*.safetensors") for name, one in load_file(file).items()}


def test_what_is_written_is_an_ordinary_checkpoint_in_shards(made):
    _, folder, told = made
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) > 2
    assert all(sum(one.nbytes for one in load_file(shard).values()) <= 40_000 for shard in shards)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == told.size
    for name, file in index["weight_map"].items():
        with safe_open(folder / file, "pt") as opened:
            assert name in opened.keys()  # noqa: SIM118
    loaded: Any = Blip2ForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    _, info = loaded
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert str(folder.parent) not in (folder / "config.json").read_text()


def test_an_answer_ends_at_the_separator_as_the_original_cuts_it(made):
    _, folder, told = made
    assert told.ends == ("</s>", "###", "▁###")
    settings = json.loads((folder / "generation_config.json").read_text())
    tokenizer = load(folder).processor.tokenizer
    assert settings["eos_token_id"] == tokenizer.convert_tokens_to_ids(list(told.ends))
    assert told.apart


def test_blocks_beyond_those_that_are_used_are_left_out(made):
    _, folder, told = made
    assert told.blocks == (USED, USED + 1)
    assert not [name for name in load_all(folder) if name.startswith(f"vision_model.encoder.layers.{USED}.")]


def test_the_norm_after_the_tower_adds_its_own_number_also_in_a_copy(made, tmp_path):
    _, folder, _ = made
    model: Any = load(folder)
    norms = model.net.vision_model
    assert (norms.post_layernorm.eps, norms.encoder.layers[0].layer_norm1.eps) == (1e-5, 1e-6)
    model.save(tmp_path / "copy")
    copy: Any = load(tmp_path / "copy").net
    assert copy.vision_model.post_layernorm.eps == 1e-5


def test_precision_is_the_language_models_and_the_qformer_stays_whole(files, tmp_path):
    LlamaForCausalLM.from_pretrained(files["language_model"], dtype=torch.bfloat16).save_pretrained(files["language_model"])
    assert convert(Files(**files), tmp_path / "out", given=GIVEN).dtype == "bfloat16"
    for name, one in load_all(tmp_path / "out").items():
        assert one.dtype == (torch.float32 if name.startswith(("qformer.", "query_tokens")) else torch.bfloat16), name
    assert load(tmp_path / "out", dtype="bfloat16").answers([SEEN], [NoPatch()], max_new_tokens=2)


def test_a_language_model_in_pytorchs_own_files_gives_the_same_folder(made, files, tmp_path):
    _, folder, _ = made
    words = load_file(files["language_model"] / "model.safetensors")
    (files["language_model"] / "model.safetensors").unlink()
    words["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    names = sorted(words)
    halves = {"pytorch_model-00001-of-00002.bin": names[:5], "pytorch_model-00002-of-00002.bin": names[5:]}
    for file, some in halves.items():
        torch.save({name: words[name] for name in some}, files["language_model"] / file)
    index = {"weight_map": {name: file for file, some in halves.items() for name in some}}
    (files["language_model"] / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    convert(Files(**files), tmp_path / "out", dtype="float32", given=GIVEN)
    ours, theirs = load_all(tmp_path / "out"), load_all(folder)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    (files["language_model"] / "pytorch_model-00002-of-00002.bin").unlink()
    refused(files, tmp_path / "new", "no file .*pytorch_model-00002-of-00002.bin")


def test_what_the_checkpoint_holds_beside_the_projection_takes_the_place_of_the_qformers(files, tmp_path):
    """The original loads its checkpoint last, over whatever is there."""
    spoil(files["checkpoint"], lambda held: held.update({"query_tokens": torch.ones(1, 3, QWIDTH)}))
    convert(Files(**files), tmp_path / "out", given=GIVEN)
    assert torch.equal(load_all(tmp_path / "out")["query_tokens"], torch.ones(1, 3, QWIDTH))


def test_a_vocabulary_with_a_row_to_spare_keeps_its_size(files, tmp_path):
    model = LlamaForCausalLM.from_pretrained(files["language_model"])
    model.resize_token_embeddings(model.config.vocab_size + 3)
    model.save_pretrained(files["language_model"])
    told = convert(Files(**files), tmp_path / "out", given=GIVEN)
    assert told.vocabulary == (told.image_token + 3, told.image_token + 3)
    assert load(tmp_path / "out").family.name == "minigpt4"


@pytest.mark.parametrize("option", ["eyes", "qformer", "checkpoint"])
def test_a_file_that_is_missing_or_cut_short_is_named(files, tmp_path, option):
    data = files[option].read_bytes()
    files[option].write_bytes(data[: len(data) // 2])
    refused(files, tmp_path / "out", f"{files[option].name}, which should be .*can't be read: it was cut short")
    files[option].unlink()
    refused(files, tmp_path / "out", f"There is no file .*{files[option].name}")


def test_a_file_that_would_run_code_is_not_opened(files, tmp_path):
    torch.save({"model": {"llama_proj.weight": torch.zeros(1)}, "hook": shutil.rmtree}, files["checkpoint"])
    refused(files, tmp_path / "out", "holds more than tensors")


@pytest.mark.parametrize(
    ("option", "instead", "match"),
    [
        ("eyes", "qformer", r"isn't the tower of EVA-CLIP .*it has no cls_token, pos_embed, .* more\. It holds Qformer"),
        ("qformer", "eyes", r"isn't BLIP-2's file with the Q-Former .*it has no query_tokens, ln_vision.weight"),
        ("checkpoint", "qformer", r"isn't a checkpoint of MiniGPT-4 .*it has no llama_proj.weight, llama_proj.bias"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_what_it_lacks(files, tmp_path, option, instead, match):
    refused({**files, option: files[instead]}, tmp_path / "out", match)


def test_a_projection_for_another_language_model_is_refused_with_both_sizes(files, tmp_path):
    wide = {"llama_proj.weight": torch.zeros(HIDDEN + 8, QWIDTH), "llama_proj.bias": torch.zeros(HIDDEN + 8)}
    spoil(files["checkpoint"], lambda held: held.update(wide))
    refused(files, tmp_path / "out", f"leads to a language model {HIDDEN + 8} wide, and that of .*vicuna is {HIDDEN} wide")


@pytest.mark.parametrize(
    ("read", "match"),
    [
        (QWIDTH + 1, f"reads {QWIDTH + 1} features, and the Q-Former gives {QWIDTH}"),
        (4 * WIDTH, "no Q-Former, as MiniGPT-4's for LLaMA-2"),
    ],
)
def test_a_projection_from_something_else_is_refused(files, tmp_path, read, match):
    spoil(files["checkpoint"], lambda held: held.update({"llama_proj.weight": torch.zeros(HIDDEN, read)}))
    refused(files, tmp_path / "out", match)


def test_a_checkpoint_with_weights_of_the_language_model_is_refused(files, tmp_path):
    spoil(files["checkpoint"], lambda held: held.update({"llama_model.base_model.lora_A.weight": torch.zeros(2)}))
    refused(files, tmp_path / "out", "holds weights of the language model .*MiniGPT-v2")


def test_a_qformer_of_another_tower_is_refused_with_both_sizes(files, tmp_path):
    name = "Qformer.bert.encoder.layer.0.crossattention.self.key.weight"
    spoil(files["qformer"], lambda held: held.update({name: torch.zeros(QWIDTH, WIDTH + 2)}))
    refused(files, tmp_path / "out", f"reads features {WIDTH + 2} wide, and the tower's are {WIDTH} wide")


def test_layers_that_read_the_picture_at_odd_distances_are_refused(files, tmp_path):
    name = "Qformer.bert.encoder.layer.3.crossattention.self.key.weight"
    spoil(files["qformer"], lambda held: held.update({name: torch.zeros(QWIDTH, WIDTH)}))
    refused(files, tmp_path / "out", r"its layers \[0, 2, 3\] of 4 read the picture")


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("eyes", "blocks.1.mlp.fc2.bias"),
        ("eyes", "blocks.1.attn.v_bias"),
        ("qformer", "Qformer.bert.encoder.layer.2.crossattention.output.dense.bias"),
    ],
)
def test_a_weight_that_is_not_there_or_of_another_shape_is_named_with_its_file(files, tmp_path, option, name):
    spoil(files[option], lambda held: held.update({name: torch.zeros(2)}))
    refused(files, tmp_path / "out", rf"The weight .*{name} of .*{files[option].name} has the shape \[2\]")
    spoil(files[option], lambda held: held.pop(name))
    refused(files, tmp_path / "out", f"{files[option].name} lacks weights that MiniGPT-4 has: .*{name}")


def test_a_tower_with_other_weights_in_its_blocks_is_refused(files, tmp_path):
    spoil(files["eyes"], lambda held: held.update({"blocks.0.gamma_1": torch.ones(WIDTH)}))
    refused(files, tmp_path / "out", "it has blocks.0.gamma_1, which that hasn't")


def test_what_no_shape_tells_must_be_said_of_files_that_are_not_known(files, tmp_path):
    for field, option in (
        ("vision_heads", "--vision-heads"),
        ("vision_blocks", "--vision-blocks"),
        ("qformer_heads", "--qformer-heads"),
    ):
        refused(files, tmp_path / "out", f"Say it: {option} NUMBER", given=replace(GIVEN, **{field: None}))
    refused(files, tmp_path / "out", "5 heads don't share 24 evenly", given=replace(GIVEN, vision_heads=5))
    refused(files, tmp_path / "out", r"lacks weights that MiniGPT-4 has: .*blocks\.3", given=replace(GIVEN, vision_blocks=4))


def test_a_language_model_of_another_kind_or_without_weights_is_refused(files, tmp_path):
    config = files["language_model"] / "config.json"
    said = json.loads(config.read_text())
    config.write_text(json.dumps({**said, "quantization_config": {"quant_method": "gptq"}}))
    refused(files, tmp_path / "out", "are quantised")
    config.write_text(json.dumps({**said, "model_type": "opt"}))
    refused(files, tmp_path / "out", "its config.json says 'opt'. Give the folder of a LLaMA")
    config.write_text(json.dumps({**said, "vocab_size": said["vocab_size"] + 1}))
    refused(files, tmp_path / "out", "The weight model.embed_tokens.weight of .*vicuna has the shape")
    config.write_text(json.dumps(said))
    weights = files["language_model"] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    refused(files, tmp_path / "out", "cut short")
    weights.unlink()
    refused(files, tmp_path / "out", "holds no model.safetensors and no pytorch_model.bin")
    refused({**files, "language_model": tmp_path / "none"}, tmp_path / "out", "There is no folder .*none")


def test_a_tokenizer_that_is_not_there_is_said(files, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (files["language_model"] / name).unlink()
    refused(files, tmp_path / "out", "The tokenizer in .*vicuna can't be opened")


def test_a_folder_that_is_not_empty_and_a_full_disk_are_refused_before_anything_is_written(files, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("mine")
    with pytest.raises(BadInput, match="mine is there and isn't empty"):
        convert(Files(**files), tmp_path / "mine", given=GIVEN)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a.txt"]
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 1000))
    refused(files, tmp_path / "out", "would take 0.1 GB, and 0.0 GB are free there")


def test_half_a_folder_never_has_its_name(tmp_path):
    def stopped() -> None:
        with draft_of(tmp_path / "out") as draft:
            (draft / "model.safetensors").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert list(tmp_path.iterdir()) == []


def test_a_precision_that_is_not_known_is_refused(files, tmp_path):
    with pytest.raises(Unknown, match="no dtype named 'int8'"):
        convert(Files(**files), tmp_path / "out", dtype="int8", given=GIVEN)


def test_what_was_published_needs_no_numbers():
    """EVA-CLIP g/14, BLIP-2's Q-Former and a Vicuna of 7B: their sizes by the authors' code, no weights."""
    parts = published()
    text = LlamaConfig(vocab_size=32001)
    config: Any = config_of(parts, text, Given())
    config.image_token_index = 32000
    vision, qformer = config.vision_config, config.qformer_config
    assert (vision.num_hidden_layers, vision.num_attention_heads, vision.image_size, vision.patch_size) == (39, 1408 // 88, 224, 14)
    assert (qformer.num_hidden_layers, qformer.num_attention_heads, qformer.cross_attention_frequency) == (12, 768 // 64, 2)
    assert config.num_query_tokens == 32
    planned = plan(config, parts, torch.float16, grown=1)
    assert sum(one.size for one in planned) == pytest.approx(15.9e9, abs=0.1e9)
    assert not [one.name for one in planned if ".layers.39." in one.name and one.name.startswith("vision")]


def published() -> Parts:
    """The names and shapes of the published files."""
    width, ffn, q, d = 1408, 6144, 768, 4096
    eyes = {"cls_token": (1, 1, width), "pos_embed": (1, 257, width), "patch_embed.proj.weight": (width, 3, 14, 14)}
    eyes |= {"patch_embed.proj.bias": (width,)}
    for block in (f"blocks.{i}." for i in range(40)):
        eyes |= {f"{block}{name}.{kind}": (width,) for name in ("norm1", "norm2") for kind in ("weight", "bias")}
        eyes |= {f"{block}attn.{name}": (width,) for name in ("q_bias", "v_bias", "proj.bias")}
        eyes |= {f"{block}attn.qkv.weight": (3 * width, width), f"{block}attn.proj.weight": (width, width)}
        eyes |= {f"{block}mlp.fc1.weight": (ffn, width), f"{block}mlp.fc1.bias": (ffn,)}
        eyes |= {f"{block}mlp.fc2.weight": (width, ffn), f"{block}mlp.fc2.bias": (width,)}
    reader = {"query_tokens": (1, 32, q), "ln_vision.weight": (width,), "ln_vision.bias": (width,)}
    reader |= {f"Qformer.bert.embeddings.LayerNorm.{kind}": (q,) for kind in ("weight", "bias")}
    for i in range(12):
        layer = f"Qformer.bert.encoder.layer.{i}."
        maps = {"attention.output.dense": (q, q), "intermediate_query.dense": (4 * q, q), "output_query.dense": (q, 4 * q)}
        maps |= {f"attention.self.{name}": (q, q) for name in ("query", "key", "value")}
        norms = ["attention.output.LayerNorm", "output_query.LayerNorm"]
        if i % 2 == 0:
            maps |= {"crossattention.self.query": (q, q), "crossattention.output.dense": (q, q)}
            maps |= {f"crossattention.self.{name}": (q, width) for name in ("key", "value")}
            norms.append("crossattention.output.LayerNorm")
        reader |= {f"{layer}{name}.weight": shape for name, shape in maps.items()}
        reader |= {f"{layer}{name}.bias": shape[:1] for name, shape in maps.items()}
        reader |= {f"{layer}{name}.{kind}": (q,) for name in norms for kind in ("weight", "bias")}
    words = {"model.embed_tokens.weight": (32000, d), "lm_head.weight": (32000, d), "model.norm.weight": (d,)}
    for layer in (f"model.layers.{i}." for i in range(32)):
        words |= {f"{layer}self_attn.{name}_proj.weight": (d, d) for name in "qkvo"}
        words |= {f"{layer}mlp.{name}_proj.weight": (11008, d) for name in ("gate", "up")}
        words |= {f"{layer}mlp.down_proj.weight": (d, 11008)}
        words |= {f"{layer}{name}_layernorm.weight": (d,) for name in ("input", "post_attention")}
    projection = {"llama_proj.weight": (d, q), "llama_proj.bias": (d,)}
    return Parts(*(of_shapes(shapes) for shapes in (words, eyes, reader, projection)))


def unread() -> torch.Tensor:
    raise AssertionError("a plan reads no weights")


def of_shapes(shapes: dict[str, tuple[int, ...]]) -> Part:
    return Part("a file", Path("file"), {name: Held(shape, torch.float16, unread) for name, shape in shapes.items()})
