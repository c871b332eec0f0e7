"""LLaVA-1.5 as its repository is today: the processor knows patches, tokens and template."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import clip_pixels, clip_tower
from tests.zoo._kit import write
from tests.zoo._vicuna import LLAVA_TEMPLATE, vicuna_config, vicuna_tokenizer, vicuna_words

MODEL_TYPE = "llava"
EYES = True
PICTURES = 2


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = vicuna_words("<image>", "<pad>")
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_seq_length": 16,
        "image_token_index": words["<image>"], "model_type": "llava", "pad_token_id": words["<pad>"],
        "projector_hidden_act": "gelu", "text_config": vicuna_config(words), "tie_word_embeddings": False,
        "torch_dtype": "float16", "transformers_version": "4.46.0.dev0", "vision_config": clip_tower(),
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": words["<pad>"],
        "transformers_version": "4.36.0.dev0",
    }  # fmt: skip
    files = {
        "chat_template.json": {"chat_template": LLAVA_TEMPLATE},
        "preprocessor_config.json": clip_pixels("CLIPImageProcessor", "LlavaProcessor"),
        "processor_config.json": {
            "image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 7, "processor_class": "LlavaProcessor",
            "vision_feature_select_strategy": "default",
        },
    }  # fmt: skip
    tokenizer = vicuna_tokenizer(
        pad_token="<pad>", image_token="<image>", extra_special_tokens={"image_token": "<image>"}, processor_class="LlavaProcessor"
    )
    write(
        folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed,
        named=((r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model."),),
    )  # fmt: skip
