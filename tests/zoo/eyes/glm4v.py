"""GLM-4.1V: four end tokens, two of which begin another's turn; fused maps; pictures of any shape; nothing that ends an answer."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import CLIP_MEAN, CLIP_STD
from tests.zoo._kit import write
from tests.zoo._words import LLAMA3, byte_pairs

MODEL_TYPE = "glm4v"
EYES = True
PICTURES = 2

SPECIAL = (
    "<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
    "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>",
    "<|video|>", "<think>", "</think>", "<answer>", "</answer>",
)  # fmt: skip

TEMPLATE = (
    "{{- '[gMASK]<sop>' -}}"
    "{%- for turn in messages -%}"
    "{{- '<|' + turn['role'] + '|>\n' -}}"
    "{%- if turn['content'] is string or turn['role'] != 'user' -%}{{- turn['content'] -}}"
    "{%- else -%}{%- for part in turn['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{- '<|begin_of_image|><|image|><|end_of_image|>' -}}"
    "{%- elif part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>\n' -}}{%- endif -%}"
)
"""Only a user's turn has parts: another's content is text, and a list of parts would be printed as one."""


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(SPECIAL, cut=LLAMA3)
    pad = words["<|endoftext|>"]
    ends = [pad, words["<|user|>"], words["<|observation|>"], words["</answer>"]]
    config = {
        "architectures": ["Glm4vForConditionalGeneration"], "image_end_token_id": words["<|end_of_image|>"],
        "image_start_token_id": words["<|begin_of_image|>"], "image_token_id": words["<|image|>"], "model_type": "glm4v",
        "text_config": {
            "attention_bias": True, "attention_dropout": 0.0, "eos_token_id": ends, "hidden_act": "silu", "hidden_size": 64,
            "initializer_range": 0.02, "intermediate_size": 128, "max_position_embeddings": 1024, "model_type": "glm4v_text",
            "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "pad_token_id": pad,
            "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05,
            "rope_scaling": {"mrope_section": [2, 1, 1], "type": "default"}, "rope_theta": 10000.0, "torch_dtype": "bfloat16",
            "use_cache": True, "vocab_size": words.padded(),
        },
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.54.0.dev0",
        "video_end_token_id": words["<|end_of_video|>"], "video_start_token_id": words["<|begin_of_video|>"],
        "video_token_id": words["<|video|>"],
        "vision_config": {
            "attention_bias": False, "attention_dropout": 0.0, "depth": 2, "hidden_act": "silu", "hidden_dropout_prob": 0.0,
            "hidden_size": 48, "image_size": 56, "in_channels": 3, "initializer_range": 0.02, "intermediate_size": 96,
            "model_type": "glm4v", "num_heads": 4, "out_hidden_size": 64, "patch_size": 14, "rms_norm_eps": 1e-05,
            "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "do_sample": True, "eos_token_id": ends, "pad_token_id": pad, "top_p": 0.6,
        "temperature": 0.8, "top_k": 2, "transformers_version": "4.57.1",
    }  # fmt: skip
    pixels = {
        "size": {"shortest_edge": 3136, "longest_edge": 12544}, "do_rescale": True, "patch_size": 14, "temporal_patch_size": 2,
        "merge_size": 2, "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": "Glm4vImageProcessor",
        "processor_class": "Glm4vProcessor",
    }  # fmt: skip
    videos = {**pixels, "video_processor_type": "Glm4vVideoProcessor", "num_frames": 16, "fps": 2}
    files = {"chat_template.jinja": TEMPLATE, "preprocessor_config.json": pixels, "video_preprocessor_config.json": videos}
    tokenizer = {
        "additional_special_tokens": list(SPECIAL[:16]), "clean_up_tokenization_spaces": False, "do_lower_case": False,
        "eos_token": "<|endoftext|>", "extra_special_tokens": {}, "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 128000, "pad_token": "<|endoftext|>", "padding_side": "left", "processor_class": "Glm4vProcessor",
        "remove_space": False, "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed)
