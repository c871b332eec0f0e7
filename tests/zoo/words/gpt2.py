"""GPT-2: no template, no pad token, weights that lie turned (Conv1D), names without a prefix."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._words import byte_pairs

MODEL_TYPE = "gpt2"
EYES = False


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(["<|endoftext|>"])
    end = words["<|endoftext|>"]
    config = {
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": end,
        "embd_pdrop": 0.1, "eos_token_id": end, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
        "n_ctx": 512, "n_embd": 64, "n_head": 4, "n_layer": 4, "n_positions": 512, "resid_pdrop": 0.1,
        "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True, "summary_type": "cls_index",
        "summary_use_proj": True, "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        "vocab_size": words.size,
    }  # fmt: skip
    generation = {"_from_model_config": True, "bos_token_id": end, "eos_token_id": end, "transformers_version": "4.26.0.dev0"}
    write(
        folder, config=config, generation=generation, words=words, tokenizer={"model_max_length": 1024}, seed=seed, pairs=True,
        named=((r"^transformer\.", ""),),
    )  # fmt: skip
