"""What the Gemma families with eyes share."""

from __future__ import annotations

from tests.zoo._words import Words, pieces

FIRST = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<unused0>", "<start_of_turn>", "<end_of_turn>")


def gemma_words(*added: str, first: tuple[str, ...] = FIRST) -> Words:
    """The tokenizer."""
    return pieces(added, first=first, begin="<bos>", prefix=False)


def gemma_tokenizer(**more: object) -> dict[str, object]:
    """`tokenizer_config.json`."""
    return {
        "add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", **more, "clean_up_tokenization_spaces": False,
        "eos_token": "<eos>", "model_max_length": 1000000000000000019884624838656, "pad_token": "<pad>", "sp_model_kwargs": None,
        "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer", "unk_token": "<unk>",
        "use_default_system_prompt": False,
    }  # fmt: skip


def siglip_tower(*, side: int = 28, patch: int = 7, **more: object) -> dict[str, object]:
    """`vision_config`."""
    return {
        "hidden_size": 64, "image_size": side, "intermediate_size": 128, "model_type": "siglip_vision_model",
        "num_attention_heads": 4, "num_hidden_layers": 2, "patch_size": patch, "vision_use_head": False, **more,
    }  # fmt: skip
