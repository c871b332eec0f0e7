"""What every checkpoint is written with: literal configurations, lively random weights, shards named as the hub names them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from tests.zoo._asked import quietly
from tests.zoo._words import Words

INDEX = "model.safetensors.index.json"


def write(
    folder: Path,
    *,
    config: dict[str, Any],
    generation: dict[str, Any],
    words: Words,
    tokenizer: dict[str, Any],
    files: dict[str, Any] | None = None,
    seed: int,
    pairs: bool = False,
    whole: bool = True,
    named: tuple[tuple[str, str], ...] = (),
    loudness: float | None = None,
) -> None:
    """Write a checkpoint folder as a hub repository has it.

    Args:
        folder: made if missing.
        config: `config.json`, word for word.
        generation: `generation_config.json`, likewise.
        words: the tokenizer.
        tokenizer: `tokenizer_config.json` without the added tokens.
        files: every other file by its name: text as it is, anything else as JSON.
        seed: draws the weights.
        pairs: see `Words.write`.
        whole: see `Words.write`.
        named: patterns of the library's names of weights, and what the hub has in their place where `save_pretrained` doesn't
            know it.
        loudness: the size of an embedding, where what the layers add is about 1; less where the head is the embedding, too, or
            a model says its last token again and again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words.write(folder, tokenizer, pairs=pairs, whole=whole)
    put(folder, {"config.json": config, "generation_config.json": generation, **(files or {})})
    with quietly():
        model = _enlivened(folder, config, words, seed=seed, loudness=loudness)
        total = sum(weight.numel() * weight.element_size() for weight in model.parameters())
        model.save_pretrained(folder, max_shard_size=total // 2 + 1)
    put(folder, {"config.json": config, "generation_config.json": generation})  # the library wrote its own
    if named:
        _rename(folder, named)


def put(folder: Path, files: dict[str, Any]) -> None:
    """Write files by name: text as it is, anything else as JSON."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def _enlivened(folder: Path, config: dict[str, Any], words: Words, *, seed: int, loudness: float | None) -> Any:
    """A model whose maps keep the size of what passes, so that answers differ from question to question."""
    torch.manual_seed(seed)
    # `save_pretrained` refuses settings of generation that this library finds at odds; the file itself is written as it is.
    model = getattr(transformers, config["architectures"][0])(transformers.AutoConfig.from_pretrained(folder))
    draw = torch.Generator().manual_seed(seed + 1)
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    turned = {id(module.weight) for module in model.modules() if type(module).__name__ == "Conv1D"}
    if loudness is None:
        loudness = 0.1 if model.get_output_embeddings().weight is model.get_input_embeddings().weight else 0.4
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "gate" in name and weight.numel() == 1:
                weight.fill_(1.0)  # a gate that a new model keeps shut
            elif name.endswith(("q_norm.weight", "k_norm.weight")):
                weight.add_(0.5)
            elif id(weight) in embeddings or name.endswith(("position_embedding", "pos_embed")):
                weight.normal_(std=loudness, generator=draw)
            elif weight.ndim > 1 and "norm" not in name:
                inner = weight.shape[0] if id(weight) in turned else weight[0].numel() if weight.ndim != 3 else weight.shape[-1]
                sharp = 2.0 if re.search(r"\b(q_proj|k_proj|query|key)\b", name) else 1.0  # else every token hears the same mean
                weight.normal_(std=sharp * inner**-0.5, generator=draw)
        head = model.get_output_embeddings().weight
        _speak_up(model, head)
        for name, weight in list(model.named_parameters()):
            last = f"layers.{model.config.get_text_config().num_hidden_layers - 1}"
            if name.endswith((f"{last}.post_feedforward_layernorm.weight", f"{last}.post_mlp_layernorm.weight")):
                weight.add_(4.0)  # or nothing that the last MLP says would count beside what stands there
        head[words.size :] = 0.0  # rows without a token
        said = {key: words.core.decode([key]) for key in range(words.size)}
        quiet = {words[token.content] for token in words.core.get_added_tokens_decoder().values() if token.special}
        quiet |= {key for key, text in said.items() if "\ufffd" in text or not text.isprintable()}
        quiet -= _ends(folder, config)
        # Mllama's head has no row for its image token.
        head[sorted(key for key in quiet if key < len(head))] *= (
            0.1  # no model that was trained answers with a control token or half a character
        )
    model.generation_config = transformers.GenerationConfig()
    text = config.get("text_config", {})
    dtype = config.get("torch_dtype") or config.get("dtype") or text.get("torch_dtype") or text.get("dtype") or "float32"
    return model.to(getattr(torch, dtype))


def _ends(folder: Path, config: dict[str, Any]) -> set[int]:
    """The tokens that end an answer, wherever the family says so."""
    told = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    named = [told.get("eos_token_id"), config.get("eos_token_id"), config.get("text_config", {}).get("eos_token_id")]
    return {each for one in named if one is not None for each in (one if isinstance(one, list) else [one])}


def _speak_up(model: Any, head: torch.Tensor) -> None:
    """Let the last norm make up for a quiet head, or no write could make such a model sure of anything."""
    loud = float(head.std()) * head.shape[1] ** 0.5
    if loud < 0.5:
        norm = [weight for name, weight in model.named_parameters() if re.search(r"(^|\.)(norm|final_layernorm)\.weight$", name)][
            -1
        ]
        norm.add_(2.0 / loud)  # one more where the library counts from one


def _rename(folder: Path, named: tuple[tuple[str, str], ...]) -> None:
    """Give the weights in the shards the hub's names, and the index with them."""

    def new(name: str) -> str:
        for pattern, other in named:
            name = re.sub(pattern, other, name)
        return name

    for shard in folder.glob("model-*.safetensors"):
        save_file({new(name): weight for name, weight in load_file(shard).items()}, shard, metadata={"format": "pt"})
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    index["weight_map"] = {new(name): shard for name, shard in index["weight_map"].items()}
    put(folder, {INDEX: index})
