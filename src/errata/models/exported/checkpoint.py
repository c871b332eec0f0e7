"""A model as a checkpoint folder under the names that the hub's files have, so that other engines and older libraries load it too.

Not everything that transformers 5 writes is read by what reads the hub. CLIP's and SigLIP's towers lost a level of their names
(`vision_tower.vision_model.`), without which vLLM finds no place for their weights; configurations and tokenizers say some things
by other names (`rope_parameters` for `rope_theta`, `dtype` for `torch_dtype`). The files beside the weights are the base's own.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from transformers.utils.hub import cached_file

from errata.core.errors import shortened
from errata.models._load import source_of
from errata.models._transformers import TransformersModel

_INDEX: Final = "model.safetensors.index.json"

_NESTED: Final = ("clip_vision_model", "siglip_vision_model")
"""Towers that stand one level deeper in the hub's names than transformers 5 has them."""

_TOWER: Final = re.compile(r"(^|\.)vision_tower\.(?!vision_model\.)")

_LENGTH: Final = 8
"""Bytes that say how long a safetensors header is."""

_WEIGHTS: Final = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".index.json")

_BESIDE_BYTES: Final = 64 * 1024 * 1024
"""The most that a file beside the weights may have to be one of a processor or a tokenizer."""


def write_checkpoint(model: TransformersModel, folder: Path) -> None:
    """Write the model as it computes now: under a patch of weights, with them in it.

    Args:
        model: every weight of it at hand (`dense`).
        folder: is there, or is made; holds an ordinary checkpoint afterwards.
    """
    model.save(folder)
    base = _folder_of(source_of(model.name))
    if base is not None:
        _take_beside(base, folder)
    written = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told = both_ways(written, str(model.net.dtype).removeprefix("torch."))
    (folder / "config.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    _rename(folder, naming(told))
    words = folder / "tokenizer_config.json"
    if words.is_file():
        known = old_words(json.loads(words.read_text(encoding="utf-8")))
        words.write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def naming(config: Mapping[str, Any]) -> Callable[[str], str]:
    """What the hub calls a tensor that transformers 5 writes under another name, for a model of this configuration."""
    tower = config.get("vision_config")
    if isinstance(tower, Mapping) and tower.get("model_type", _NESTED[0]) in _NESTED:
        return lambda name: _TOWER.sub(r"\1vision_tower.vision_model.", name)
    return lambda name: name


def both_ways(config: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """A configuration that says what it says by today's names and by those of before, and the precision of the weights.

    Args:
        config: as a `config.json` has it.
        dtype: such as "float32".
    """
    told = {
        name: both_ways(value, dtype) if name.endswith("_config") and isinstance(value, dict) else value
        for name, value in config.items()
    }
    told.update(dict.fromkeys(("dtype", "torch_dtype"), dtype))
    rope = told.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        told.setdefault("rope_theta", rope["rope_theta"])
        if rope.get("rope_type", "default") != "default":
            told.setdefault("rope_scaling", {name: value for name, value in rope.items() if name != "rope_theta"})
    return told


def old_words(config: Mapping[str, Any]) -> dict[str, Any]:
    """A `tokenizer_config.json` in the words that transformers 4 knows, which 5 reads too; one of theirs comes back as it is."""
    told = dict(config)
    if told.get("tokenizer_class") == "TokenizersBackend":
        told["tokenizer_class"] = "PreTrainedTokenizerFast"
        told.setdefault("model_input_names", ["input_ids", "attention_mask"])  # 4's own default has types of tokens, too
    extra = told.get("extra_special_tokens")
    if isinstance(extra, list):
        told["extra_special_tokens"] = told.pop("model_specific_special_tokens", {})
        if extra:
            told["additional_special_tokens"] = extra
    return told


def _folder_of(source: str) -> Path | None:
    """Where a base's files lie: its folder, or the snapshot of a hub repository; None where none is found."""
    if Path(source).is_dir():
        return Path(source)
    found = cached_file(source, "config.json", local_files_only=True, _raise_exceptions_for_missing_entries=False)
    return None if found is None else Path(found).parent


def _take_beside(base: Path, folder: Path) -> None:
    """The base's own files in the place of those that were written anew: configuration, processor, tokenizer, template."""
    for path in _beside(folder):
        path.unlink()
    for path in _beside(base):
        shutil.copyfile(path, folder / path.name)


def _beside(folder: Path) -> list[Path]:
    """The files of a folder that hold no weights."""
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    return [path for path in found if not path.name.endswith(_WEIGHTS) and path.stat().st_size <= _BESIDE_BYTES]


def _rename(folder: Path, new: Callable[[str], str]) -> None:
    """Give the tensors of a folder other names; their bytes are copied as they are."""
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            header = json.loads(file.read(length))
            named = {name if name == "__metadata__" else new(name): value for name, value in header.items()}
            if named == header:
                continue
            assert len(named) == len(header), f"Two tensors of {shortened(path)} would have one name."
            data = json.dumps(named, separators=(",", ":")).encode()
            data += b" " * (-len(data) % _LENGTH)
            fresh = path.with_suffix(".renamed")
            with fresh.open("wb") as out:
                out.write(len(data).to_bytes(_LENGTH, "little") + data)
                shutil.copyfileobj(file, out, 16 * 1024 * 1024)
        fresh.replace(path)
    index = folder / _INDEX
    if index.is_file():
        told = json.loads(index.read_text(encoding="utf-8"))
        told["weight_map"] = {new(name): shard for name, shard in told["weight_map"].items()}
        index.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
