"""Qwen2-VL: a flat configuration, pictures of any shape as many tokens as they need, positions of three kinds."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import CLIP_MEAN, CLIP_STD
from tests.zoo._kit import write
from tests.zoo._qwen import HELPFUL, SEEN, qwen_generation, qwen_tokenizer, qwen_words

MODEL_TYPE = "qwen2_vl"
EYES = True
PICTURES = 2


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = qwen_words()
    config = {
        "architectures": ["Qwen2VLForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": words["<|endoftext|>"],
        "eos_token_id": words["<|im_end|>"], "vision_start_token_id": words["<|vision_start|>"],
        "vision_end_token_id": words["<|vision_end|>"], "vision_token_id": words["<|vision_pad|>"],
        "image_token_id": words["<|image_pad|>"], "video_token_id": words["<|video_pad|>"], "hidden_act": "silu",
        "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 128, "max_position_embeddings": 1024,
        "max_window_layers": 3, "model_type": "qwen2_vl", "num_attention_heads": 4, "num_hidden_layers": 3,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 1024,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16", "transformers_version": "4.41.2", "use_cache": True,
        "use_sliding_window": False,
        "vision_config": {
            "depth": 2, "embed_dim": 64, "mlp_ratio": 2, "num_heads": 4, "in_chans": 3, "hidden_size": 64, "patch_size": 14,
            "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2,
        },
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = qwen_generation(words, temperature=0.01, top_k=1, top_p=0.001, transformers_version="4.37.0")
    template = HELPFUL + SEEN
    files = {
        "chat_template.json": {"chat_template": template},
        "preprocessor_config.json": {
            "min_pixels": 3136, "max_pixels": 12544, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
            "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2VLProcessor",
        },
    }  # fmt: skip
    write(
        folder, config=config, generation=generation, words=words, tokenizer=qwen_tokenizer(template), files=files, seed=seed,
        pairs=True,
    )  # fmt: skip
