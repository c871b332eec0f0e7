"""Qwen3: no system turn of its own, norms on queries and keys, a last answer that stands behind an empty thought."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._qwen import TEMPLATE, qwen_tokenizer, qwen_words

MODEL_TYPE = "qwen3"
EYES = False


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = qwen_words(thinks=True)
    pad, end = words["<|endoftext|>"], words["<|im_end|>"]
    config = {
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": pad,
        "eos_token_id": end, "head_dim": 32, "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02,
        "intermediate_size": 128, "max_position_embeddings": 1024, "max_window_layers": 3, "model_type": "qwen3",
        "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_scaling": None,
        "rope_theta": 1000000, "sliding_window": None, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0", "use_cache": True, "use_sliding_window": False, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "bos_token_id": pad, "do_sample": True, "eos_token_id": [end, pad], "pad_token_id": pad, "temperature": 0.6, "top_k": 20,
        "top_p": 0.95, "transformers_version": "4.51.0",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=qwen_tokenizer(TEMPLATE), seed=seed, pairs=True)
