"""Llama 3.2 Vision: a picture is one token, and is seen by layers of cross-attention behind gates; no row of the head for it."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import CLIP_MEAN, CLIP_STD, RESCALE
from tests.zoo._kit import write
from tests.zoo._words import LLAMA3, byte_pairs
from tests.zoo.words.llama import SPECIAL

MODEL_TYPE = "mllama"
EYES = True
PICTURES = 2

TEMPLATE = (
    "{%- set day = date_string if date_string is defined else '26 Jul 2024' -%}"
    "{%- macro head(role) -%}<|start_header_id|>{{ role }}<|end_header_id|>{{ '\n\n' }}{%- endmacro -%}"
    "{%- macro said(content) -%}"
    "{%- if content is string -%}{{- content | trim -}}"
    "{%- else -%}{%- for part in content -%}"
    "{%- if part['type'] == 'image' -%}{{- '<|image|>' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- endmacro -%}"
    "{%- set seen = namespace(pictures=0) -%}"
    "{%- for turn in messages if turn['content'] is not string -%}"
    "{%- for part in turn['content'] if part['type'] == 'image' -%}{%- set seen.pictures = seen.pictures + 1 -%}{%- endfor -%}"
    "{%- endfor -%}"
    "{%- set told = messages[0]['role'] == 'system' -%}"
    "{{- bos_token -}}"
    "{%- if told or not seen.pictures -%}"
    "{{- head('system') + 'Cutting Knowledge Date: December 2023\nToday Date: ' + day + '\n\n' -}}"
    "{{- (said(messages[0]['content']) if told else '') + '<|eot_id|>' -}}"
    "{%- endif -%}"
    "{%- for turn in (messages[1:] if told else messages) -%}"
    "{{- head(turn['role']) + said(turn['content']) + '<|eot_id|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- head('assistant') -}}{%- endif -%}"
)
"""The real one writes today's date where it can; here the day is always the one that it falls back to, so that answers stay."""


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs([*SPECIAL, "<|image|>"], cut=LLAMA3, begin="<|begin_of_text|>")
    begin, pad = words["<|begin_of_text|>"], words["<|finetune_right_pad_id|>"]
    ends = [words["<|end_of_text|>"], words["<|eom_id|>"], words["<|eot_id|>"]]
    config = {
        "architectures": ["MllamaForConditionalGeneration"], "image_token_index": words["<|image|>"], "model_type": "mllama",
        "text_config": {
            "bos_token_id": begin, "cross_attention_layers": [1, 3], "dropout": 0, "eos_token_id": ends, "hidden_act": "silu",
            "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 128, "max_position_embeddings": 1024,
            "model_type": "mllama_text_model", "num_attention_heads": 4, "num_hidden_layers": 5, "num_key_value_heads": 2,
            "pad_token_id": pad, "rms_norm_eps": 1e-05,
            "rope_scaling": {
                "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 128,
                "rope_type": "llama3",
            },
            "rope_theta": 500000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True,
            "vocab_size": words["<|image|>"],
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
        "vision_config": {
            "attention_heads": 4, "hidden_act": "gelu", "hidden_size": 48, "image_size": 28, "initializer_range": 0.02,
            "intermediate_layers_indices": [0, 2], "intermediate_size": 96, "max_num_tiles": 4,
            "model_type": "mllama_vision_model", "norm_eps": 1e-05, "num_channels": 3, "num_global_layers": 1,
            "num_hidden_layers": 3, "patch_size": 7,
            "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
            "torch_dtype": "bfloat16", "vision_output_dim": 144,
        },
    }  # fmt: skip
    generation = {
        "bos_token_id": begin, "do_sample": True, "eos_token_id": ends, "pad_token_id": pad, "temperature": 0.6, "top_p": 0.9,
        "transformers_version": "4.45.0.dev0",
    }  # fmt: skip
    files = {
        "chat_template.json": {"chat_template": TEMPLATE},
        "preprocessor_config.json": {
            "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
            "image_mean": CLIP_MEAN, "image_processor_type": "MllamaImageProcessor", "image_std": CLIP_STD,
            "max_image_tiles": 4, "processor_class": "MllamaProcessor", "resample": 2, "rescale_factor": RESCALE,
            "size": {"height": 28, "width": 28},
        },
    }  # fmt: skip
    tokenizer = {
        "bos_token": "<|begin_of_text|>", "chat_template": TEMPLATE, "clean_up_tokenization_spaces": True,
        "eos_token": "<|eot_id|>", "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
        "pad_token": "<|finetune_right_pad_id|>", "processor_class": "MllamaProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed)
