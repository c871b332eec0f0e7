"""What the families on a Vicuna share: LLaVA-1.5 in two forms, InstructBLIP, MiniGPT-4."""

from __future__ import annotations

from tests.zoo._words import Words, pieces

LLAVA_TEMPLATE = (
    "{%- for turn in messages -%}"
    "{%- if turn['role'] != 'system' -%}{{- turn['role'].upper() + ': ' -}}{%- endif -%}"
    "{%- for part in turn['content'] if part['type'] == 'image' -%}{{- '<image>\n' -}}{%- endfor -%}"
    "{%- for part in turn['content'] if part['type'] == 'text' -%}{{- part['text'] + ' ' -}}{%- endfor -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'ASSISTANT:' -}}{%- endif -%}"
)
"""LLaVA-1.5's: pictures before words in every turn, nothing that ends an answer."""


def vicuna_words(*added: str) -> Words:
    """Llama 2's pieces and what a family adds."""
    return pieces(added)


def vicuna_tokenizer(**more: object) -> dict[str, object]:
    """`tokenizer_config.json`."""
    return {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<s>", **more, "clean_up_tokenization_spaces": False,
        "eos_token": "</s>", "legacy": False, "model_max_length": 4096, "padding_side": "left", "sp_model_kwargs": {},
        "tokenizer_class": "LlamaTokenizer", "trust_remote_code": False, "unk_token": "<unk>", "use_default_system_prompt": False,
    }  # fmt: skip


def vicuna_config(words: Words) -> dict[str, object]:
    """`text_config` of LLaVA-1.5, as its repository has it: whatever isn't Llama's default."""
    return {
        "_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "hidden_size": 64,
        "intermediate_size": 128, "max_position_embeddings": 1024, "model_type": "llama", "num_attention_heads": 4,
        "num_hidden_layers": 3, "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "torch_dtype": "float16",
        "vocab_size": words.padded(),
    }  # fmt: skip
