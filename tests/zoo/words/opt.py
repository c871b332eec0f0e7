"""OPT: no template, one token that begins and ends a text, no `tokenizer.json`, positions that are learned."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._words import byte_pairs

MODEL_TYPE = "opt"
EYES = False


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(first=("<s>", "<pad>", "</s>", "<unk>"), begin="</s>")
    config = {
        "_name_or_path": "opt-125m", "_remove_final_layer_norm": False, "activation_dropout": 0.0, "activation_function": "relu",
        "architectures": ["OPTForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 2, "do_layer_norm_before": True,
        "dropout": 0.1, "eos_token_id": 2, "ffn_dim": 128, "hidden_size": 64, "init_std": 0.02, "layerdrop": 0.0,
        "max_position_embeddings": 512, "model_type": "opt", "num_attention_heads": 4, "num_hidden_layers": 4,
        "pad_token_id": 1, "prefix": "</s>", "torch_dtype": "float16", "transformers_version": "4.21.0.dev0",
        "use_cache": True, "vocab_size": words.padded(16), "word_embed_proj_dim": 64,
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1, "transformers_version": "4.27.0.dev0",
    }  # fmt: skip
    tokenizer = {
        "add_bos_token": True, "add_prefix_space": False, "bos_token": "</s>", "eos_token": "</s>", "errors": "replace",
        "pad_token": "<pad>", "tokenizer_class": "GPT2Tokenizer", "unk_token": "</s>",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, seed=seed, pairs=True, whole=False)
