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
    "{%- for turn in messages if turn['role'] == 'user' -%}{%- set seen.asked = messages.index(turn) -%}{%- endfor -%}"
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
