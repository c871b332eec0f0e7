"""BLIP-2 on Flan-T5: an encoder that reads picture and question, a decoder that answers from a token of its own."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._blip import QUERIES, blip_pixels, blip_tower, q_former
from tests.zoo._kit import write
from tests.zoo._words import unigrams

MODEL_TYPE = "blip-2"
EYES = True
PICTURES = 1

EXTRA = tuple(f"<extra_id_{place}>" for place in range(100))


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = unigrams([*EXTRA, "<image>"])
    config = {
        "architectures": ["Blip2ForConditionalGeneration"], "image_text_hidden_size": 256, "image_token_index": words["<image>"],
        "initializer_factor": 1.0, "initializer_range": 0.02, "model_type": "blip-2", "num_query_tokens": QUERIES,
        "qformer_config": q_former(),
        "text_config": {
            "_name_or_path": "google/flan-t5-xl", "architectures": ["T5ForConditionalGeneration"], "classifier_dropout": 0.0,
            "d_ff": 128, "d_kv": 16, "d_model": 64, "decoder_start_token_id": 0, "dense_act_fn": "gelu", "dropout_rate": 0.1,
            "eos_token_id": 1, "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": True,
            "is_gated_act": True, "layer_norm_epsilon": 1e-06, "model_type": "t5", "n_positions": 512,
            "num_decoder_layers": 3, "num_heads": 4, "num_layers": 3, "output_past": True, "pad_token_id": 0,
            "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32, "tie_word_embeddings": False,
            "torch_dtype": "float32", "use_cache": True, "vocab_size": words.padded(),
        },
        "torch_dtype": "float32", "transformers_version": "4.47.0.dev0", "use_decoder_only_language_model": False,
        "vision_config": blip_tower(),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0,
        "transformers_version": "4.27.0.dev0",
    }  # fmt: skip
    files = {
        "preprocessor_config.json": blip_pixels("Blip2Processor"),
        "processor_config.json": {"num_query_tokens": QUERIES, "processor_class": "Blip2Processor"},
    }
    tokenizer = {
        "additional_special_tokens": list(EXTRA), "clean_up_tokenization_spaces": True, "eos_token": "</s>", "extra_ids": 100,
        "model_max_length": 512, "pad_token": "<pad>", "processor_class": "Blip2Processor", "sp_model_kwargs": {},
        "tokenizer_class": "T5Tokenizer", "unk_token": "<unk>",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed)
