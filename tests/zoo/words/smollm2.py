"""SmolLM2 Instruct: a Llama with tied embeddings and ChatML, whose begin token is the one that begins a turn."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._words import byte_pairs

MODEL_TYPE = "llama"
EYES = False

TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}"
    "{{- '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' -}}"
    "{%- endif -%}"
    "{%- for turn in messages -%}{{- '<|im_start|>%s\n%s<|im_end|>\n' % (turn['role'], turn['content']) -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)

SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>",
    "<issue_start>", "<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>", "<jupyter_code>",
    "<jupyter_output>", "<jupyter_script>", "<empty_output>",
)  # fmt: skip


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(first=SPECIAL, digits=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1,
        "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 48, "initializer_range": 0.041666666666666664,
        "intermediate_size": 128, "is_llama_config": True, "max_position_embeddings": 1024, "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": 3, "num_hidden_layers": 4, "num_key_value_heads": 1, "pad_token_id": 2,
        "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_scaling": None, "rope_theta": 100000,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
        "transformers_version": "4.42.3", "use_cache": True, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "transformers_version": "4.42.3",
    }  # fmt: skip
    tokenizer = {
        "add_prefix_space": False, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": "<|im_start|>",
        "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "model_max_length": 8192,
        "pad_token": "<|im_end|>", "tokenizer_class": "GPT2Tokenizer", "unk_token": "<|endoftext|>", "vocab_size": words.size,
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, seed=seed, pairs=True)
