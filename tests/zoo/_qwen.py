"""What the Qwen families share: special tokens, the tokenizer's configuration, Qwen3's template."""

from __future__ import annotations

from tests.zoo._words import QWEN2, Words, byte_pairs

EYES_TOO = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip

LATER = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
"""Added tokens of Qwen3 that aren't special: they stay in a decoded text."""

TEMPLATE = (
    "{%- set seen = namespace(asked=-1) -%}"
    "{%- for turn in messages -%}{%- if turn['role'] == 'user' -%}{%- set seen.asked = loop.index0 -%}{%- endif -%}{%- endfor -%}"
    "{%- for turn in messages -%}"
    "{%- set said = turn['content'] if turn['content'] is string else '' -%}"
    "{%- set thought = '' -%}"
    "{%- if turn['role'] == 'assistant' and '</think>' in said -%}"
    "{%- set thought = said.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') -%}"
    "{%- set said = said.split('</think>')[-1].lstrip('\n') -%}"
    "{%- endif -%}"
    "{{- '<|im_start|>' + turn['role'] + '\n' -}}"
    "{%- if turn['role'] == 'assistant' and loop.index0 > seen.asked and (loop.last or thought) -%}"
    "{{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' + said.lstrip('\n') -}}"
    "{%- else -%}{{- said -}}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}"
    "{%- if enable_thinking is defined and enable_thinking is false -%}{{- '<think>\n\n</think>\n\n' -}}{%- endif -%}"
    "{%- endif -%}"
)
"""What Qwen3's renders without tools: the last answer of a conversation stands behind an empty thought."""


def qwen_words(*, thinks: bool = False) -> Words:
    """The tokenizer."""
    words = byte_pairs(EYES_TOO, cut=QWEN2, normal=True)
    if thinks:
        words.core.add_tokens(list(LATER))
    return words


def qwen_tokenizer(template: str | None = None) -> dict[str, object]:
    """`tokenizer_config.json`."""
    said = {"chat_template": template} if template is not None else {}
    return {
        "add_bos_token": False, "add_prefix_space": False, "additional_special_tokens": list(EYES_TOO[1:]), "bos_token": None,
        **said, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
        "model_max_length": 131072, "pad_token": "<|endoftext|>", "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }  # fmt: skip


HELPFUL = (
    "{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' -}}{%- endif -%}"
)
"""The system turn that Qwen2-VL and Qwen2.5-VL write where there is none."""

SEEN = (
    "{%- set seen = namespace(pictures=0) -%}"
    "{%- for turn in messages -%}"
    "{{- '<|im_start|>' + turn['role'] + '\n' -}}"
    "{%- if turn['content'] is string -%}{{- turn['content'] -}}"
    "{%- else -%}{%- for part in turn['content'] -%}"
    "{%- if part['type'] == 'image' or 'image' in part or 'image_url' in part -%}"
    "{%- set seen.pictures = seen.pictures + 1 -%}"
    "{%- if add_vision_id is defined and add_vision_id -%}{{- 'Picture %d: ' % seen.pictures -}}{%- endif -%}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- elif 'text' in part -%}{{- part['text'] -}}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{- '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
"""Turns with pictures, as every Qwen-VL renders them."""


def qwen_generation(words: Words, **more: object) -> dict[str, object]:
    """`generation_config.json`: two end tokens, and what else a version has."""
    pad, end = words["<|endoftext|>"], words["<|im_end|>"]
    return {"bos_token_id": pad, "do_sample": True, "eos_token_id": [end, pad], "pad_token_id": pad, **more}
