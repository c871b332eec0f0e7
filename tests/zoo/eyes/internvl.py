"""InternVL3: pictures shuffled four tokens to one, between marks that its processor counts among a picture's tokens."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import RESCALE
from tests.zoo._kit import write
from tests.zoo._qwen import EYES_TOO, LATER, qwen_tokenizer
from tests.zoo._words import QWEN2, byte_pairs

MODEL_TYPE = "internvl"
EYES = True
PICTURES = 2

TEMPLATE = (
    "{%- for turn in messages -%}"
    "{{- '<|im_start|>' + turn['role'] + '\n' -}}"
    "{%- if turn['content'] is string -%}{{- turn['content'] -}}"
    "{%- else -%}{%- for part in turn['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<IMG_CONTEXT>\n' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)

MARKS = ("<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", "<video>")


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs((*EYES_TOO, *LATER[:2], *MARKS), cut=QWEN2, normal=True)
    pad, end = words["<|endoftext|>"], words["<|im_end|>"]
    config = {
        "architectures": ["InternVLForConditionalGeneration"], "downsample_ratio": 0.5, "image_seq_length": 4,
        "image_token_id": words["<IMG_CONTEXT>"], "model_type": "internvl", "projector_hidden_act": "gelu",
        "text_config": {
            "_name_or_path": "Qwen/Qwen2.5-0.5B", "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0,
            "bos_token_id": pad, "eos_token_id": end, "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02,
            "intermediate_size": 128, "max_position_embeddings": 1024, "max_window_layers": 3, "model_type": "qwen2",
            "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
            "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"}, "rope_theta": 1000000.0,
            "sliding_window": None, "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False,
            "vocab_size": words.padded(),
        },
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.52.0.dev0",
        "vision_config": {
            "architectures": ["InternVisionModel"], "attention_bias": True, "attention_dropout": 0.0, "dropout": 0.0,
            "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 64, "image_size": [28, 28],
            "initializer_factor": 0.1, "initializer_range": 1e-10, "intermediate_size": 128, "layer_norm_eps": 1e-06,
            "layer_scale_init_value": 0.1, "model_type": "internvl_vision", "norm_type": "layer_norm",
            "num_attention_heads": 4, "num_channels": 3, "num_hidden_layers": 2, "patch_size": [7, 7],
            "projection_dropout": 0.0, "torch_dtype": "bfloat16", "use_absolute_position_embeddings": True,
            "use_mask_token": False, "use_mean_pooling": True, "use_qk_norm": False,
        },
        "vision_feature_layer": -1, "vision_feature_select_strategy": "default",
    }  # fmt: skip
    generation = {"_from_model_config": True, "bos_token_id": pad, "eos_token_id": end, "transformers_version": "4.52.0.dev0"}
    files = {
        "chat_template.jinja": TEMPLATE,
        "preprocessor_config.json": {
            "crop_size": None, "crop_to_patches": False, "data_format": "channels_first", "default_to_square": True,
            "do_center_crop": None, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "GotOcr2ImageProcessorFast",
            "image_std": [0.229, 0.224, 0.225], "max_patches": 12, "min_patches": 1, "processor_class": "InternVLProcessor",
            "resample": 3, "rescale_factor": RESCALE, "size": {"height": 28, "width": 28},
        },
        "processor_config.json": {"image_seq_length": 4, "processor_class": "InternVLProcessor"},
    }  # fmt: skip
    marks = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = {**qwen_tokenizer(), **marks, "extra_special_tokens": marks, "processor_class": "InternVLProcessor"}
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed, pairs=True)
