"""Qwen3-VL: a nested configuration, a tower that speaks to the first layers of the language model, too."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import HALF
from tests.zoo._kit import write
from tests.zoo._qwen import SEEN, qwen_generation, qwen_tokenizer, qwen_words

MODEL_TYPE = "qwen3_vl"
EYES = True
PICTURES = 2


def pixels(kind: str) -> dict[str, object]:
    """`preprocessor_config.json` and, for the class of videos, `video_preprocessor_config.json`; Qwen3.5 has the same."""
    return {
        "size": {"longest_edge": 12288, "shortest_edge": 4096}, "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2,
        "image_mean": HALF, "image_std": HALF, "processor_class": "Qwen3VLProcessor", kind: "Qwen2VLImageProcessorFast",
    }  # fmt: skip


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = qwen_words(thinks=True)
    config = {
        "architectures": ["Qwen3VLForConditionalGeneration"], "image_token_id": words["<|image_pad|>"], "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": words["<|endoftext|>"], "dtype": "bfloat16",
            "eos_token_id": words["<|im_end|>"], "head_dim": 32, "hidden_act": "silu", "hidden_size": 64,
            "initializer_range": 0.02, "intermediate_size": 128, "max_position_embeddings": 1024,
            "model_type": "qwen3_vl_text", "num_attention_heads": 4, "num_hidden_layers": 4, "num_key_value_heads": 2,
            "rms_norm_eps": 1e-06,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [6, 5, 5], "rope_type": "default"},
            "rope_theta": 5000000, "tie_word_embeddings": True, "use_cache": True, "vocab_size": words.padded(),
        },
        "tie_word_embeddings": True, "transformers_version": "4.57.0.dev0", "video_token_id": words["<|video_pad|>"],
        "vision_config": {
            "deepstack_visual_indexes": [0, 1], "depth": 3, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 48,
            "in_channels": 3, "initializer_range": 0.02, "intermediate_size": 96, "model_type": "qwen3_vl", "num_heads": 4,
            "num_position_embeddings": 64, "out_hidden_size": 64, "patch_size": 16, "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        "vision_end_token_id": words["<|vision_end|>"], "vision_start_token_id": words["<|vision_start|>"],
    }  # fmt: skip
    more = {"top_p": 0.8, "top_k": 20, "temperature": 0.7, "repetition_penalty": 1.0, "transformers_version": "4.56.0"}
    files = {
        "chat_template.json": {"chat_template": SEEN},
        "preprocessor_config.json": pixels("image_processor_type"),
        "video_preprocessor_config.json": pixels("video_processor_type") | {"video_processor_type": "Qwen3VLVideoProcessor"},
    }
    write(
        folder, config=config, generation=qwen_generation(words, **more), words=words, tokenizer=qwen_tokenizer(SEEN),
        files=files, seed=seed, pairs=True,
    )  # fmt: skip
