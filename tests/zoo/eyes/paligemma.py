"""PaliGemma: no template, one question; pictures and question see each other both ways, and places in a picture have tokens."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import siglip_pixels
from tests.zoo._gemma import gemma_tokenizer, gemma_words, siglip_tower
from tests.zoo._kit import write

MODEL_TYPE = "paligemma"
EYES = True
PICTURES = 2

PLACES = (*(f"<loc{place:04}>" for place in range(1024)), *(f"<seg{code:03}>" for code in range(128)))


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = gemma_words(*PLACES, "<image>")
    config = {
        "_vocab_size": words.padded(), "architectures": ["PaliGemmaForConditionalGeneration"], "bos_token_id": 2, "eos_token_id": 1,
        "hidden_size": 64, "ignore_index": -100, "image_token_index": words["<image>"], "model_type": "paligemma",
        "pad_token_id": 0, "projection_dim": 64,
        "text_config": {
            "head_dim": 32, "hidden_size": 64, "intermediate_size": 128, "max_position_embeddings": 1024, "model_type": "gemma",
            "num_attention_heads": 4, "num_hidden_layers": 3, "num_image_tokens": 16, "num_key_value_heads": 1,
            "torch_dtype": "float32", "vocab_size": words.padded(),
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.42.0.dev0",
        "vision_config": siglip_tower(num_image_tokens=16, projection_dim=64, projector_hidden_act="gelu_fast"),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "transformers_version": "4.42.0.dev0",
    }  # fmt: skip
    files = {
        "preprocessor_config.json": siglip_pixels("SiglipImageProcessor", "PaliGemmaProcessor", image_seq_length=16, resample=3)
    }
    tokenizer = gemma_tokenizer(additional_special_tokens=["<image>"], processor_class="PaliGemmaProcessor")
    write(
        folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed, loudness=0.02,
        named=((r"^vision_tower\.(?!vision_model)", "vision_tower.vision_model."),),
    )  # fmt: skip
