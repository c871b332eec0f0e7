"""Gemma 3: a picture's tokens see each other both ways, a system turn becomes part of the first question, layers with windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.zoo._eyes import siglip_pixels
from tests.zoo._gemma import gemma_tokenizer, gemma_words, siglip_tower
from tests.zoo._kit import write

MODEL_TYPE = "gemma3"
EYES = True
PICTURES = 2

TEMPLATE = (
    "{{- bos_token -}}"
    "{%- set told = messages[0]['content'] if messages[0]['role'] == 'system' else '' -%}"
    "{%- set told = told if told is string else told[0]['text'] -%}"
    "{%- set rest = messages[1:] if messages[0]['role'] == 'system' else messages -%}"
    "{%- for turn in rest -%}"
    "{%- if (turn['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}{%- endif -%}"
    "{{- '<start_of_turn>' + ('model' if turn['role'] == 'assistant' else turn['role']) + '\n' -}}"
    "{%- if loop.first and messages[0]['role'] == 'system' -%}{{- told + '\n\n' -}}{%- endif -%}"
    "{%- if turn['content'] is string -%}{{- turn['content'] | trim -}}"
    "{%- else -%}{%- for part in turn['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<start_of_image>' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] | trim -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<end_of_turn>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}"
)


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = gemma_words("<start_of_image>", "<end_of_image>", "<image_soft_token>")
    ends = [1, words["<end_of_turn>"]]
    marks = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": words["<start_of_image>"],
        "eoi_token_index": words["<end_of_image>"], "eos_token_id": ends, "image_token_index": words["<image_soft_token>"],
        "initializer_range": 0.02, "mm_tokens_per_image": 4, "model_type": "gemma3",
        "text_config": {
            "head_dim": 32, "hidden_size": 64, "intermediate_size": 128, "max_position_embeddings": 1024,
            "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 6, "num_key_value_heads": 2,
            "query_pre_attn_scalar": 32, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 32,
            "vocab_size": words.padded(),
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "vision_config": siglip_tower(),
    }  # fmt: skip
    generation = {
        "bos_token_id": 2, "cache_implementation": "hybrid", "do_sample": True, "eos_token_id": ends, "pad_token_id": 0,
        "top_k": 64, "top_p": 0.95, "transformers_version": "4.50.0.dev0",
    }  # fmt: skip
    more: dict[str, Any] = {"do_pan_and_scan": None, "image_seq_length": 4, "pan_and_scan_max_num_crops": None,
            "pan_and_scan_min_crop_size": None, "pan_and_scan_min_ratio_to_activate": None, "resample": 2}  # fmt: skip
    files = {
        "chat_template.json": {"chat_template": TEMPLATE},
        "preprocessor_config.json": siglip_pixels("Gemma3ImageProcessor", "Gemma3Processor", **more),
        "processor_config.json": {"image_seq_length": 4, "processor_class": "Gemma3Processor"},
    }
    tokenizer = gemma_tokenizer(**marks, chat_template=TEMPLATE, extra_special_tokens=marks, processor_class="Gemma3Processor")
    write(
        folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed, loudness=0.02,
        named=((r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model."),),
    )  # fmt: skip
