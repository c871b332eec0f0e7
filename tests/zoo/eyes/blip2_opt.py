"""BLIP-2 on OPT: no template, a picture's tokens before the begin token, one picture."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._blip import QUERIES, blip_pixels, blip_tower, q_former
from tests.zoo._kit import write
from tests.zoo._words import byte_pairs

MODEL_TYPE = "blip-2"
EYES = True
PICTURES = 1


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(["<image>"], first=("<s>", "<pad>", "</s>", "<unk>"), begin="</s>")
    config = {
        "architectures": ["Blip2ForConditionalGeneration"], "image_text_hidden_size": 256, "image_token_index": words["<image>"],
        "initializer_factor": 1.0, "initializer_range": 0.02, "model_type": "blip-2", "num_query_tokens": QUERIES,
        "qformer_config": q_former(),
        "text_config": {
            "_name_or_path": "facebook/opt-2.7b", "_remove_final_layer_norm": False, "activation_dropout": 0.0,
            "activation_function": "relu", "architectures": ["OPTForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 2,
            "do_layer_norm_before": True, "dropout": 0.1, "enable_bias": True, "eos_token_id": 50118, "ffn_dim": 128,
            "hidden_size": 64, "init_std": 0.02, "layer_norm_elementwise_affine": True, "layerdrop": 0.0,
            "max_position_embeddings": 512, "model_type": "opt", "num_attention_heads": 4, "num_hidden_layers": 4,
            "pad_token_id": 1, "prefix": "</s>", "torch_dtype": "float16", "use_cache": True, "vocab_size": words.padded(),
            "word_embed_proj_dim": 64,
        },
        "torch_dtype": "float32", "transformers_version": "4.47.0.dev0", "use_decoder_only_language_model": True,
        "vision_config": blip_tower(),
    }  # fmt: skip
    newline = words.core.encode("\n", add_special_tokens=False).ids[0]
    config["text_config"]["eos_token_id"] = newline  # type: ignore[index] # an answer ends with its line
    generation = {
        "_from_model_config": True, "bos_token_id": 2, "eos_token_id": newline, "pad_token_id": 1,
        "transformers_version": "4.27.0.dev0",
    }  # fmt: skip
    files = {
        "preprocessor_config.json": blip_pixels("Blip2Processor"),
        "processor_config.json": {"num_query_tokens": QUERIES, "processor_class": "Blip2Processor"},
    }
    tokenizer = {
        "add_bos_token": True, "add_prefix_space": False, "bos_token": "</s>", "clean_up_tokenization_spaces": True,
        "eos_token": "</s>", "errors": "replace", "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>",
        "processor_class": "Blip2Processor", "tokenizer_class": "GPT2Tokenizer", "unk_token": "</s>",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed, pairs=True)
