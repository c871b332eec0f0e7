"""What processors and towers of several families have alike."""

from __future__ import annotations

from typing import Any

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
HALF = [0.5, 0.5, 0.5]
RESCALE = 0.00392156862745098


def clip_tower(*, side: int = 28, patch: int = 7) -> dict[str, Any]:
    """`vision_config` of the LLaVAs with CLIP."""
    return {
        "hidden_size": 64, "image_size": side, "intermediate_size": 128, "model_type": "clip_vision_model",
        "num_attention_heads": 4, "num_hidden_layers": 3, "patch_size": patch, "projection_dim": 48, "vocab_size": 32000,
    }  # fmt: skip


def clip_pixels(kind: str, processor: str, *, side: int = 28, **more: Any) -> dict[str, Any]:
    """`preprocessor_config.json` of the LLaVAs with CLIP: the short edge, then the middle."""
    return {
        **more, "crop_size": {"height": side, "width": side}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN, "image_processor_type": kind,
        "image_std": CLIP_STD, "processor_class": processor, "resample": 3, "rescale_factor": RESCALE,
        "size": {"shortest_edge": side},
    }  # fmt: skip


def siglip_pixels(kind: str, processor: str, *, side: int = 28, **more: Any) -> dict[str, Any]:
    """`preprocessor_config.json` of the families with SigLIP: both edges to one length."""
    return {
        **more, "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": HALF,
        "image_processor_type": kind, "image_std": HALF, "processor_class": processor, "rescale_factor": RESCALE,
        "size": {"height": side, "width": side},
    }  # fmt: skip
