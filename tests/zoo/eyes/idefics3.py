"""Idefics3 on Llama 3: tiles named by row and column, no end token of Llama's but `<end_of_utterance>`."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import HALF, RESCALE
from tests.zoo._kit import write
from tests.zoo._words import LLAMA3, byte_pairs
from tests.zoo.eyes.smolvlm import UTTERANCES
from tests.zoo.words.llama import SPECIAL

MODEL_TYPE = "idefics3"
EYES = True
PICTURES = 2


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    special = [*SPECIAL, "<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    words = byte_pairs(special, cut=LLAMA3, begin="<|begin_of_text|>")
    begin, pad, end = words["<|begin_of_text|>"], words["<|reserved_special_token_0|>"], words["<end_of_utterance>"]
    config = {
        "architectures": ["Idefics3ForConditionalGeneration"], "image_token_id": words["<image>"], "model_type": "idefics3",
        "pad_token_id": pad, "scale_factor": 2,
        "text_config": {
            "_name_or_path": "None", "architectures": ["VLlama3ForCausalLM"], "bos_token_id": begin,
            "eos_token_id": words["<|end_of_text|>"], "hidden_size": 64, "intermediate_size": 128, "max_position_embeddings": 1024,
            "model_type": "llama", "neftune_noise_alpha": 0.0, "num_attention_heads": 4, "num_hidden_layers": 3,
            "num_key_value_heads": 2, "pad_token_id": pad, "pixel_shuffle_factor": 2, "qk_layer_norms": False,
            "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "torch_dtype": "bfloat16", "use_resampler": False,
            "vocab_size": words.padded(1),
        },
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.46.0.dev0", "use_cache": True,
        "vision_config": {
            "hidden_size": 64, "image_size": 32, "intermediate_size": 128, "model_type": "idefics3", "num_attention_heads": 4,
            "num_hidden_layers": 2, "patch_size": 8, "tie_word_embeddings": False,
        },
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": begin, "eos_token_id": end, "pad_token_id": pad,
        "transformers_version": "4.46.0.dev0",
    }  # fmt: skip
    pixels = {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": HALF, "image_processor_type": "Idefics3ImageProcessor", "image_std": HALF,
        "max_image_size": {"longest_edge": 32}, "processor_class": "Idefics3Processor", "resample": 1,
        "rescale_factor": RESCALE, "size": {"longest_edge": 64},
    }  # fmt: skip
    files = {
        "chat_template.json": {"chat_template": "{{- '<|begin_of_text|>' -}}" + UTTERANCES},
        "preprocessor_config.json": pixels,
        "processor_config.json": {"image_seq_len": 4, "processor_class": "Idefics3Processor"},
    }
    tokenizer = {
        "additional_special_tokens": special[-3:], "bos_token": "<|begin_of_text|>", "clean_up_tokenization_spaces": True,
        "eos_token": "<end_of_utterance>", "model_input_names": ["input_ids", "attention_mask"], "model_max_length": 131072,
        "pad_token": "<|reserved_special_token_0|>", "processor_class": "Idefics3Processor",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed)
