"""Phi-3 mini: fused maps (`qkv_proj`, `gate_up_proj`), tokens that swallow the space behind them, a note of code of its own."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken

from tests.zoo._kit import write
from tests.zoo._words import pieces

MODEL_TYPE = "phi3"
EYES = False

TEMPLATE = (
    "{%- for turn in messages if turn['role'] in ('system', 'user', 'assistant') -%}"
    "{{- '<|%s|>\n%s<|end|>\n' % (turn['role'], turn['content']) -}}"
    "{%- endfor -%}"
    "{{- '<|assistant|>\n' if add_generation_prompt else eos_token -}}"
)
"""Without the start of an answer the whole ends with the end token."""

SPECIAL = (
    "<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|placeholder2|>", "<|placeholder3|>", "<|placeholder4|>", "<|system|>",
    "<|end|>", "<|placeholder5|>", "<|placeholder6|>", "<|user|>",
)  # fmt: skip


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    special = [AddedToken(token, rstrip=token != "<|endoftext|>", normalized=False, special=True) for token in SPECIAL]
    words = pieces(special, begin=None)
    end = words["<|endoftext|>"]
    config = {
        "_name_or_path": "Phi-3-mini-4k-instruct", "architectures": ["Phi3ForCausalLM"], "attention_bias": False,
        "attention_dropout": 0.0,
        "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM"},
        "bos_token_id": 1, "embd_pdrop": 0.0, "eos_token_id": end, "hidden_act": "silu", "hidden_size": 64,
        "initializer_range": 0.02, "intermediate_size": 128, "max_position_embeddings": 1024, "model_type": "phi3",
        "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 4, "original_max_position_embeddings": 1024,
        "pad_token_id": end, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0,
        "sliding_window": 511, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.40.2",
        "use_cache": True, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": [end, words["<|end|>"], words["<|assistant|>"]],
        "pad_token_id": end, "transformers_version": "4.39.3",
    }  # fmt: skip
    tokenizer = {
        "add_bos_token": False, "add_eos_token": False, "bos_token": "<s>", "chat_template": TEMPLATE,
        "clean_up_tokenization_spaces": False, "eos_token": "<|endoftext|>", "legacy": False, "model_max_length": 4096,
        "pad_token": "<|endoftext|>", "padding_side": "left", "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, seed=seed)
