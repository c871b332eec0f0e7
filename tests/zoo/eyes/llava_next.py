"""LLaVA-NeXT on Mistral: a picture whole and in parts, newlines between rows; its template ends answers with a slip, `<\\s>`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.zoo._eyes import clip_pixels, clip_tower
from tests.zoo._kit import write
from tests.zoo._vicuna import vicuna_tokenizer, vicuna_words

MODEL_TYPE = "llava_next"
EYES = True
PICTURES = 2

TEMPLATE = (
    "{%- for turn in messages -%}"
    "{%- if turn['role'] == 'system' -%}{{- '<<SYS>>\n' + turn['content'][0]['text'] + '\n<</SYS>>\n\n' -}}"
    "{%- elif turn['role'] == 'user' -%}{{- '[INST] ' -}}"
    "{%- for part in turn['content'] if part['type'] == 'image' -%}{{- '<image>\n' -}}{%- endfor -%}"
    "{%- for part in turn['content'] if part['type'] == 'text' -%}{{- part['text'] -}}{%- endfor -%}"
    "{{- ' [/INST]' -}}"
    "{%- elif turn['role'] == 'assistant' -%}{{- ' ' + turn['content'][0]['text'] + '<\\\\s> ' -}}"
    "{%- else -%}{{- raise_exception('Only user and assistant roles are supported!') -}}{%- endif -%}"
    "{%- endfor -%}"
)

PINPOINTS = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = vicuna_words("<image>", "<pad>")
    config = {
        "architectures": ["LlavaNextForConditionalGeneration"], "ignore_index": -100, "image_grid_pinpoints": PINPOINTS,
        "image_seq_length": 16, "image_token_index": words["<image>"], "model_type": "llava_next",
        "projector_hidden_act": "gelu",
        "text_config": {
            "_name_or_path": "mistralai/Mistral-7B-Instruct-v0.2", "architectures": ["MistralForCausalLM"], "hidden_size": 64,
            "intermediate_size": 128, "max_position_embeddings": 1024, "model_type": "mistral", "num_attention_heads": 4,
            "num_hidden_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
            "sliding_window": None, "torch_dtype": "bfloat16", "vocab_size": words.padded(),
        },
        "tie_word_embeddings": False, "torch_dtype": "float16", "transformers_version": "4.46.0.dev0",
        "use_image_newline_parameter": True, "vision_config": clip_tower(), "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
    }  # fmt: skip
    generation = {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "transformers_version": "4.39.0.dev0"}
    more: dict[str, Any] = {"aspect_ratio_setting": "anyres", "do_pad": True, "image_grid_pinpoints": PINPOINTS}
    files = {
        "chat_template.json": {"chat_template": TEMPLATE},
        "preprocessor_config.json": clip_pixels("LlavaNextImageProcessor", "LlavaNextProcessor", **more),
        "processor_config.json": {
            "image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 7, "processor_class": "LlavaNextProcessor",
            "vision_feature_select_strategy": "default",
        },
    }  # fmt: skip
    tokenizer = vicuna_tokenizer(
        pad_token="<pad>", image_token="<image>", extra_special_tokens={"image_token": "<image>"},
        processor_class="LlavaNextProcessor",
    )  # fmt: skip
    write(
        folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed,
        named=((r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model."),),
    )  # fmt: skip
