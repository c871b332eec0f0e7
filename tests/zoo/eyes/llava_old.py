"""LLaVA-1.5 as its repository first was: no template, and a processor that doesn't know how many tokens a picture has."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import clip_pixels, clip_tower
from tests.zoo._kit import write
from tests.zoo._vicuna import vicuna_config, vicuna_tokenizer, vicuna_words

MODEL_TYPE = "llava"
EYES = True
PICTURES = 2


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = vicuna_words("<image>", "<pad>")
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": words["<image>"],
        "model_type": "llava", "pad_token_id": words["<pad>"], "projector_hidden_act": "gelu",
        "text_config": vicuna_config(words), "torch_dtype": "float16", "transformers_version": "4.36.0.dev0",
        "vision_config": clip_tower(), "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
        "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": words["<pad>"],
        "transformers_version": "4.36.0.dev0",
    }  # fmt: skip
    files = {"preprocessor_config.json": clip_pixels("CLIPImageProcessor", "LlavaProcessor")}
    tokenizer = vicuna_tokenizer(pad_token="<pad>", processor_class="LlavaProcessor")
    write(
        folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed,
        named=((r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model."),),
    )  # fmt: skip
