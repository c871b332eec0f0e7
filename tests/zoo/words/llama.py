"""Llama 3.1 Instruct: a system turn with two dates always, three end tokens, text cut by Llama 3's pattern."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._words import LLAMA3, byte_pairs

MODEL_TYPE = "llama"
EYES = False

TEMPLATE = (
    "{%- set day = date_string if date_string is defined else '26 Jul 2024' -%}"
    "{%- set told = messages[0]['content'] | trim if messages[0]['role'] == 'system' else '' -%}"
    "{%- set rest = messages[1:] if messages[0]['role'] == 'system' else messages -%}"
    "{%- macro head(role) -%}<|start_header_id|>{{ role }}<|end_header_id|>{{ '\n\n' }}{%- endmacro -%}"
    "{{- bos_token + head('system') + 'Cutting Knowledge Date: December 2023\nToday Date: ' + day + '\n\n' -}}"
    "{{- told + '<|eot_id|>' -}}"
    "{%- for turn in rest -%}{{- head(turn['role']) + turn['content'] | trim + '<|eot_id|>' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- head('assistant') -}}{%- endif -%}"
)

SPECIAL = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
    "<|eot_id|>", "<|python_tag|>",
)  # fmt: skip


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(SPECIAL, cut=LLAMA3, begin="<|begin_of_text|>")
    ends = [words["<|end_of_text|>"], words["<|eom_id|>"], words["<|eot_id|>"]]
    begin = words["<|begin_of_text|>"]
    config = {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": begin,
        "eos_token_id": ends, "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 128,
        "max_position_embeddings": 1024, "mlp_bias": False, "model_type": "llama", "num_attention_heads": 4,
        "num_hidden_layers": 3, "num_key_value_heads": 2, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.42.3",
        "use_cache": True, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "bos_token_id": begin, "do_sample": True, "eos_token_id": ends, "temperature": 0.6, "top_p": 0.9,
        "transformers_version": "4.42.3",
    }  # fmt: skip
    tokenizer = {
        "bos_token": "<|begin_of_text|>", "chat_template": TEMPLATE, "clean_up_tokenization_spaces": True,
        "eos_token": "<|eot_id|>", "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, seed=seed)
