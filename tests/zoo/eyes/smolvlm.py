"""SmolVLM2: pictures cut in tiles with names of their own, a turn that ends in `<end_of_utterance>`, a role with a capital."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._eyes import HALF, RESCALE
from tests.zoo._kit import write
from tests.zoo._words import byte_pairs
from tests.zoo.words.smollm2 import SPECIAL

MODEL_TYPE = "smolvlm"
EYES = True
PICTURES = 2

TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))

UTTERANCES = (
    "{%- for turn in messages -%}"
    "{%- set first = turn['content'][0] -%}"
    "{{- turn['role'] | capitalize + (':' if first['type'] == 'image' else ': ') -}}"
    "{%- for part in turn['content'] -%}"
    "{%- if part['type'] == 'text' -%}{{- part['text'] -}}{%- elif part['type'] == 'image' -%}{{- '<image>' -}}{%- endif -%}"
    "{%- endfor -%}{{- '<end_of_utterance>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'Assistant:' -}}{%- endif -%}"
)
"""What stands behind the begin token, in Idefics3 too: words that begin a turn have a space before them, a picture hasn't."""


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = byte_pairs(
        ["<global-img>", *TILES, "<fake_token_around_image>", "<image>", "<end_of_utterance>"], first=SPECIAL, digits=True
    )
    end = words["<end_of_utterance>"]
    config = {
        "architectures": ["SmolVLMForConditionalGeneration"], "image_token_id": words["<image>"], "model_type": "smolvlm",
        "pad_token_id": 2, "scale_factor": 2,
        "text_config": {
            "_flash_attn_2_enabled": True, "_name_or_path": "None", "architectures": ["VLlama3ForCausalLM"], "bos_token_id": 1,
            "eos_token_id": 2, "head_dim": 16, "hidden_size": 64, "intermediate_size": 128, "is_llama_config": True,
            "max_position_embeddings": 1024, "model_type": "llama", "neftune_noise_alpha": 0.0, "num_attention_heads": 4,
            "num_hidden_layers": 3, "num_key_value_heads": 2, "pad_token_id": 2, "pixel_shuffle_factor": 2,
            "qk_layer_norms": False, "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_theta": 100000,
            "torch_dtype": "bfloat16", "use_resampler": False, "vocab_size": words.padded(),
        },
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.47.1", "use_cache": False,
        "use_reentrant_checkpointing": False,
        "vision_config": {
            "hidden_size": 64, "image_size": 32, "intermediate_size": 128, "max_image_size": {"longest_edge": 32},
            "model_type": "smolvlm_vision", "num_attention_heads": 4, "num_hidden_layers": 2, "patch_size": 8,
            "size": {"longest_edge": 128}, "tie_word_embeddings": False, "use_base_siglip": False,
        },
        "vocab_size": words.padded(),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": end, "pad_token_id": 2, "transformers_version": "4.47.1",
    }  # fmt: skip
    pixels = {
        "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
        "do_resize": True, "image_mean": HALF, "image_processor_type": "SmolVLMImageProcessor", "image_std": HALF,
        "max_image_size": {"longest_edge": 32}, "processor_class": "SmolVLMProcessor", "resample": 1,
        "rescale_factor": RESCALE, "size": {"longest_edge": 64},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 32}},
    }  # fmt: skip
    files = {
        "chat_template.json": {"chat_template": "{{- '<|im_start|>' -}}" + UTTERANCES},
        "preprocessor_config.json": pixels,
        "processor_config.json": {"image_seq_len": 4, "processor_class": "SmolVLMProcessor"},
    }
    tokenizer = {
        "add_prefix_space": False, "additional_special_tokens": ["<fake_token_around_image>", "<image>", "<end_of_utterance>"],
        "bos_token": "<|im_start|>", "clean_up_tokenization_spaces": False, "eos_token": "<end_of_utterance>",
        "model_max_length": 8192, "pad_token": "<|im_end|>", "processor_class": "SmolVLMProcessor",
        "tokenizer_class": "GPT2Tokenizer", "truncation_side": "left", "unk_token": "<|endoftext|>", "vocab_size": words.size,
        "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>", "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
        "extra_special_tokens": {
            "end_of_utterance_token": "<end_of_utterance>", "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>", "image_token": "<image>",
        },
    }  # fmt: skip
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed, pairs=True)
