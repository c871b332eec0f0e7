"""What the families with a Q-Former share: tower, Q-Former, pixels."""

from __future__ import annotations

from tests.zoo._eyes import CLIP_MEAN, CLIP_STD, RESCALE

QUERIES = 8


def blip_tower(kind: str = "blip_2_vision_model") -> dict[str, object]:
    """`vision_config`."""
    return {
        "attention_dropout": 0.0, "dropout": 0.0, "hidden_act": "gelu", "hidden_size": 64, "image_size": 28,
        "initializer_factor": 1.0, "initializer_range": 1e-10, "intermediate_size": 128, "layer_norm_eps": 1e-06,
        "model_type": kind, "num_attention_heads": 4, "num_channels": 3, "num_hidden_layers": 2, "patch_size": 7,
        "projection_dim": 48, "qkv_bias": True,
    }  # fmt: skip


def q_former(kind: str = "blip_2_qformer", *, vocabulary: int = 30522) -> dict[str, object]:
    """`qformer_config`; BLIP-2's has words in its configuration alone."""
    return {
        "attention_probs_dropout_prob": 0.1, "classifier_dropout": None, "cross_attention_frequency": 2,
        "encoder_hidden_size": 64, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 48,
        "initializer_range": 0.02, "intermediate_size": 96, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
        "model_type": kind, "num_attention_heads": 4, "num_hidden_layers": 2, "pad_token_id": 0,
        "position_embedding_type": "absolute", "vocab_size": vocabulary,
    }  # fmt: skip


def blip_pixels(processor: str) -> dict[str, object]:
    """`preprocessor_config.json`."""
    return {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_processor_type": "BlipImageProcessor", "image_std": CLIP_STD, "processor_class": processor, "resample": 3,
        "rescale_factor": RESCALE, "size": {"height": 28, "width": 28},
    }  # fmt: skip
