"""Gemma 2 IT: no system turn, the answer's role is `model`, logits that are capped, layers by turns with a window."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._words import pieces

MODEL_TYPE = "gemma2"
EYES = False

TEMPLATE = (
    "{%- if messages[0]['role'] == 'system' -%}{{- raise_exception('System role not supported') -}}{%- endif -%}"
    "{{- bos_token -}}"
    "{%- for turn in messages -%}"
    "{%- if turn['role'] != ('assistant' if loop.index0 % 2 else 'user') -%}"
    "{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}{%- endif -%}"
    "{%- set role = {'assistant': 'model'}.get(turn['role'], turn['role']) -%}"
    "{{- '<start_of_turn>' + role + '\n' + turn['content'] | trim + '<end_of_turn>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}"
)


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    first = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<unused0>", "<start_of_turn>", "<end_of_turn>")
    words = pieces(first=first, begin="<bos>", prefix=False)
    config = {
        "architectures": ["Gemma2ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "attn_logit_softcapping": 50.0,
        "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": [1, 7], "final_logit_softcapping": 30.0,
        "head_dim": 32, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 64,
        "initializer_range": 0.02, "intermediate_size": 128, "max_position_embeddings": 1024, "model_type": "gemma2",
        "num_attention_heads": 4, "num_hidden_layers": 4, "num_key_value_heads": 2, "pad_token_id": 0,
        "query_pre_attn_scalar": 32, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 64,
        "torch_dtype": "bfloat16", "transformers_version": "4.42.4", "use_cache": True, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": [1, 7],
        "pad_token_id": 0, "transformers_version": "4.42.4",
    }  # fmt: skip
    tokenizer = {
        "add_bos_token": True, "add_eos_token": False, "additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"],
        "bos_token": "<bos>", "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<eos>",
        "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>", "sp_model_kwargs": {},
        "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>",
        "use_default_system_prompt": False,
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, seed=seed, loudness=0.02)
