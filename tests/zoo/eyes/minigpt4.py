"""MiniGPT-4 as a BLIP-2 on a Vicuna: no class of its own, a prompt of its authors', marks around a picture."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._blip import QUERIES, blip_pixels, blip_tower, q_former
from tests.zoo._kit import write
from tests.zoo._vicuna import vicuna_config, vicuna_tokenizer, vicuna_words

MODEL_TYPE = "blip-2"
EYES = True
PICTURES = 2


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = vicuna_words("<image>", "<pad>")
    config = {
        "architectures": ["Blip2ForConditionalGeneration"], "image_token_index": words["<image>"], "initializer_factor": 1.0,
        "initializer_range": 0.02, "model_type": "blip-2", "num_query_tokens": QUERIES, "qformer_config": q_former(),
        "text_config": {**vicuna_config(words), "tie_word_embeddings": False}, "torch_dtype": "float32",
        "transformers_version": "5.23.0", "use_decoder_only_language_model": True,
        "vision_config": blip_tower(),
    }  # fmt: skip
    generation = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": words["<pad>"], "transformers_version": "5.23.0"}
    files = {
        "preprocessor_config.json": blip_pixels("Blip2Processor"),
        "processor_config.json": {"num_query_tokens": QUERIES, "processor_class": "Blip2Processor"},
    }
    tokenizer = vicuna_tokenizer(pad_token="<pad>", processor_class="Blip2Processor")
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed)
