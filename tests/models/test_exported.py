"""What leaves errata says in other programs what it says here: an adapter in PEFT, a checkpoint in transformers, logit by logit.

The oracle is the library alone: the checkpoint's own class and processor, `PeftModel.from_pretrained`, nothing of errata.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from errata.core.errors import BadInput
from errata.models import TransformersModel, load
from errata.models.exported.adapter import TENSORS, open_adapter, write_adapter
from errata.models.exported.checkpoint import both_ways, naming, old_words, write_checkpoint
from errata.nn.patches import Delta, LowRank, Replaced
from errata.nn.patches import merged as merge
from tests.conftest import picture
from tests.zoo import families, folder_of
from tests.zoo._asked import Asked, question, quietly

peft = pytest.importorskip("peft", reason="PEFT is an extra of its own: pip install 'errata[peft]'")

ZOO = families()
CLOSE = 1e-5
"""Of the largest logit."""

UNOPENED = ("blip2_t5",)
SAMPLE = ("llava", "gpt2", "qwen2_5_vl", "qwen3_moe", "blip2_opt")
"""These are exported each time: a tower with a level less, weights that stand the other way round, names that are mapped, an
attention's way out, a language model inside another. The others in the proof."""


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


def low_rank(model: TransformersModel) -> LowRank:
    """A delta in the last two modules, of two ranks, loud enough to be heard in every logit."""
    draw, deltas = torch.Generator().manual_seed(5), {}
    for rank, path in enumerate(model.writable["text"][-2:], start=2):
        module: Any = model.module(path)
        a = torch.randn(rank, module.in_features, generator=draw) / module.in_features**0.5
        deltas[path] = Delta(a, 0.3 * torch.randn(module.out_features, rank, generator=draw) / rank**0.5)
    return LowRank(deltas)


def replaced(model: TransformersModel) -> Replaced:
    """Another weight in the last module."""
    draw, path = torch.Generator().manual_seed(6), model.writable["text"][-1]
    module: Any = model.module(path)
    own: Tensor = module.weight.detach()
    return Replaced({path: own + 0.1 * own.norm() / own.numel() ** 0.5 * torch.randn(own.shape, generator=draw)})


def inputs(asked: Asked, pictures: int) -> dict[str, Tensor]:
    return asked.inputs(question("where does mibo live?", pictures=pictures), [picture(7).pixels()] * pictures)


def logits(model: Any, given: dict[str, Tensor]) -> Tensor:
    with torch.inference_mode(), quietly():
        found: Tensor = model(**given).logits[0, -4:].double()
    return found


def plain(folder: Path) -> Asked:
    asked = Asked(folder)
    asked.model.float()
    return asked


def near(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.timeout(1200)
@pytest.mark.proof(sample=1, full=2)
@pytest.mark.parametrize("name", [name for name in ZOO if name not in UNOPENED])
def test_patch_adapter_and_merged_folder_give_the_same_logits(name, root, tmp_path, trials, record):
    if trials == 1 and name not in SAMPLE:
        pytest.skip("in the proof (make proof)")
    folder = folder_of(ZOO[name], root)
    model, worst = load(folder, dtype="float32"), 0.0
    pictures = 1 if ZOO[name].eyes else 0
    bare = plain(folder)
    given = inputs(bare, pictures)
    unedited = logits(bare.model, given)
    patches: list[LowRank | Replaced] = [low_rank(model), replaced(model)]
    for number, patch in enumerate(patches if name == "llava" else patches[:trials]):
        with patch.on(model):
            mine = logits(model.net, given)
        assert near(unedited, mine) > 1e-2, "the patch is too quiet to tell anything"
        adapter, merged = tmp_path / f"adapter-{number}", tmp_path / f"merged-{number}"
        adapter.mkdir()
        write_adapter(model, patch, adapter)
        with quietly():
            worn = peft.PeftModel.from_pretrained(plain(folder).model, str(adapter)).eval()
        with (patch if isinstance(patch, Replaced) else merge(model, patch)).on(model):
            write_checkpoint(model, merged)
        again = plain(merged)
        assert not again.loaded["missing_keys"]
        assert not again.loaded["unexpected_keys"]
        assert near(logits(model.net, given), unedited) <= 1e-6, "exporting changed the model"
        off = [near(logits(worn, given), mine), near(logits(again.model, inputs(again, pictures)), mine)]
        assert max(off) <= CLOSE, off
        assert near(logits(load(merged, dtype="float32").net, given), mine) <= CLOSE
        worst = max(worst, *off)
    record["worst"] = worst


def names(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            found |= set(file.keys())
    return found


def test_a_checkpoint_that_came_from_the_hub_leaves_under_the_very_names_of_its_files(root, tmp_path):
    for name in ("llava", "llava_next", "gemma3", "paligemma", "qwen2_vl", "idefics3", "llama"):
        folder = folder_of(ZOO[name], root)
        write_checkpoint(load(folder), tmp_path / name)
        assert names(tmp_path / name) == names(folder), name


def test_a_model_that_was_made_by_a_library_of_today_leaves_with_the_towers_of_before(random_llava, tmp_path):
    write_checkpoint(random_llava, tmp_path / "new")
    towers = [name for name in names(tmp_path / "new") if "vision_tower" in name]
    assert towers
    assert all(name.startswith("vision_tower.vision_model.") for name in towers)
    assert load(tmp_path / "new").front.writable == random_llava.front.writable


def test_the_files_beside_the_weights_are_the_bases_own_byte_for_byte(root, tmp_path):
    folder = folder_of(ZOO["llava"], root)
    write_checkpoint(load(folder), tmp_path / "new")
    for name in ("tokenizer.json", "preprocessor_config.json", "processor_config.json", "chat_template.json"):
        assert (tmp_path / "new" / name).read_bytes() == (folder / name).read_bytes(), name
    told, due = (json.loads((one / "tokenizer_config.json").read_text(encoding="utf-8")) for one in (tmp_path / "new", folder))
    assert told == due
    assert not (tmp_path / "new" / "chat_template.jinja").exists()


def test_a_configuration_says_its_precision_and_its_rope_to_old_libraries_too():
    told = both_ways(
        {"model_type": "llava", "text_config": {"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}}, "bfloat16"
    )
    assert (told["torch_dtype"], told["dtype"], told["text_config"]["rope_theta"]) == ("bfloat16", "bfloat16", 1e6)
    assert "rope_scaling" not in told["text_config"]


def test_a_tokenizer_of_today_is_named_as_libraries_of_before_know_it():
    told = old_words(
        {"tokenizer_class": "TokenizersBackend", "extra_special_tokens": [], "model_specific_special_tokens": {"a": "<a>"}}
    )
    inputs = ["input_ids", "attention_mask"]
    assert told == {"tokenizer_class": "PreTrainedTokenizerFast", "extra_special_tokens": {"a": "<a>"}, "model_input_names": inputs}


@pytest.mark.parametrize(
    ("tower", "name", "due"),
    [
        ("clip_vision_model", "vision_tower.embeddings.x", "vision_tower.vision_model.embeddings.x"),
        ("siglip_vision_model", "model.vision_tower.encoder.x", "model.vision_tower.vision_model.encoder.x"),
        ("clip_vision_model", "vision_tower.vision_model.x", "vision_tower.vision_model.x"),
        ("pixtral", "vision_tower.x", "vision_tower.x"),
    ],
)
def test_towers_are_named_as_the_hub_names_them(tower, name, due):
    assert naming({"vision_config": {"model_type": tower}})(name) == due


@pytest.fixture
def adapter(random_llava, tmp_path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_adapter(random_llava, low_rank(random_llava), folder)
    return folder


def test_an_adapters_scaling_is_one_and_all_its_modules_have_one_rank(adapter):
    told = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert told["lora_alpha"] == told["r"] == 3
    assert {tensor.shape[0] for name, tensor in load_file(adapter / TENSORS).items() if "lora_A" in name} == {3}


def test_an_adapter_whose_tensors_have_other_names_changes_nothing(adapter, random_llava, random_llava_folder):
    path = adapter / TENSORS
    save_file({name.replace(".layers.", ".blocks."): one for name, one in load_file(path).items()}, path)
    given = inputs(plain(random_llava_folder), 1)
    assert near(logits(open_adapter(adapter).net, given), logits(random_llava.net, given)) <= 1e-6


def test_an_adapter_that_is_cut_short_is_a_sentence(adapter):
    path = adapter / TENSORS
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match="PEFT doesn't open the adapter"):
        open_adapter(adapter)


def test_a_patch_that_adds_nothing_is_not_written(random_llava, tmp_path):
    path = random_llava.writable["text"][-1]
    module: Any = random_llava.module(path)
    nothing = Delta(torch.randn(2, module.in_features), torch.zeros(module.out_features, 2))
    with pytest.raises(BadInput, match="left every weight as it was"):
        write_adapter(random_llava, LowRank({path: nothing}), tmp_path)
    assert not list(tmp_path.iterdir())
