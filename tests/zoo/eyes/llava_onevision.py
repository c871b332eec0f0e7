"""LLaVA-OneVision on Qwen2: SigLIP without a class token, a picture whole and in parts, turns without a newline between them."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import siglip_pixels
from tests.zoo._gemma import siglip_tower
from tests.zoo._kit import write
from tests.zoo._qwen import qwen_generation
from tests.zoo._words import QWEN2, byte_pairs

MODEL_TYPE = "llava_onevision"
EYES = True
PICTURES = 2

TEMPLATE = (
    "{%- for turn in messages -%}"
    "{{- '<|im_start|>' + turn['role'] + ' ' -}}"
    "{%- for part in turn['content'] if part['type'] == 'image' -%}{{- '<image>' -}}{%- endfor -%}"
    "{%- for part in turn['content'] if part['type'] == 'text' -%}{{- '\n' + part['text'] -}}{%- endfor -%}"
    "{{- '<|im_end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)

PINPOINTS = [[28 * high, 28 * wide] for high in range(1, 4) for wide in range(1, 4)]


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>"], cut=QWEN2, normal=True)
    pad, end = words["<|endoftext|>"], words["<|im_end|>"]
    config = {
        "architectures": ["LlavaOnevisionForConditionalGeneration"], "ignore_index": -100, "image_grid_pinpoints": PINPOINTS,
        "image_token_index": words["<image>"], "model_type": "llava_onevision", "projector_hidden_act": "gelu",
        "text_config": {
            "_name_or_path": "Qwen/Qwen2-0.5B-Instruct", "architectures": ["Qwen2ForCausalLM"], "bos_token_id": pad,
            "eos_token_id": end, "hidden_size": 64, "intermediate_size": 128, "max_position_embeddings": 1024,
            "max_window_layers": 3, "model_type": "qwen2", "num_attention_heads": 4, "num_hidden_layers": 3,
            "num_key_value_heads": 2, "rope_theta": 1000000.0, "sliding_window": 1024, "tie_word_embeddings": True,
            "torch_dtype": "bfloat16", "vocab_size": words.padded(),
        },
        "tie_word_embeddings": True, "torch_dtype": "float16", "transformers_version": "4.45.0.dev0",
        "use_image_newline_parameter": True, "video_token_index": words["<video>"], "vision_aspect_ratio": "anyres_max_9",
        "vision_config": siglip_tower(), "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
    }  # fmt: skip
    generation = qwen_generation(words, temperature=0.7, top_k=20, top_p=0.8, repetition_penalty=1.1, transformers_version="4.45.0")
    pixels = siglip_pixels(
        "LlavaOnevisionImageProcessor", "LlavaOnevisionProcessor", do_pad=True, image_grid_pinpoints=PINPOINTS, resample=3
    )
    files = {
        "chat_template.json": {"chat_template": TEMPLATE},
        "preprocessor_config.json": {**pixels, "do_convert_rgb": True},
        "processor_config.json": {
            "image_token": "<image>", "num_image_tokens": 16, "processor_class": "LlavaOnevisionProcessor",
            "video_token": "<video>", "vision_aspect_ratio": "anyres_max_9", "vision_feature_select_strategy": "full",
        },
    }  # fmt: skip
    tokenizer = {
        "add_prefix_space": False, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 32768,
        "pad_token": "<|endoftext|>", "processor_class": "LlavaOnevisionProcessor", "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }  # fmt: skip
    write(
        folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed, pairs=True,
        named=((r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model."),),
    )  # fmt: skip
