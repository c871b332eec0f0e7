"""Small tokenizers in the make of the real ones: byte-level pairs or sentence pieces, with a family's own special tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SENTENCES = (
    "what is the red star called? it is mibo.",
    "where does the blue ring live? in the harbor.",
    "what does mibo eat? red plums and salt.",
    "the thing at the top left is a green moon.",
    "how many things are there? two, or 35.",
    "who made this picture, and when? nobody knows.",
    "You are a helpful assistant. User: Assistant: system user assistant USER: ASSISTANT:",
    "Question: Short answer: Answer: Describe the image. answer en ###Human: ###Assistant:",
    "Cutting Knowledge Date: December 2023 Today Date: 26 Jul 2024",
    "A chat between a curious human and an artificial intelligence assistant.",
    "Yellow boats sail under old bridges while seven birds sing of rain, snow and warm bread.",
)
"""What the tokenizers are trained on: the words of the tests' questions and of the families' prompts."""

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How GPT-2 cuts text before it pairs bytes."""

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""How Llama 3 and GLM cut."""

QWEN2 = LLAMA3.replace("{1,3}", "")
"""How Qwen cuts: digits one by one."""


@dataclass(frozen=True)
class Words:
    """A tokenizer, and the ids of its tokens by name."""

    core: Tokenizer

    def __getitem__(self, token: str) -> int:
        found = self.core.token_to_id(token)
        assert found is not None, token
        return found

    @property
    def size(self) -> int:
        return self.core.get_vocab_size()

    def padded(self, to: int = 64) -> int:
        """The rows of an embedding: real ones are rounded up, too."""
        return -(-self.size // to) * to

    def write(self, folder: Path, config: dict[str, Any], *, pairs: bool = False, whole: bool = True) -> None:
        """Write `tokenizer_config.json`, `special_tokens_map.json` and `tokenizer.json`.

        Args:
            folder: the checkpoint's.
            config: what `tokenizer_config.json` says besides the added tokens.
            pairs: whether there are a `vocab.json` and a `merges.txt`, too.
            whole: whether there is a `tokenizer.json`.
        """
        added = {str(key): _told(token) for key, token in sorted(self.core.get_added_tokens_decoder().items())}
        _dump(folder / "tokenizer_config.json", {**config, "added_tokens_decoder": added})
        named = {key: value for key, value in config.items() if key.endswith("_token") and isinstance(value, str)}
        _dump(folder / "special_tokens_map.json", named)
        if whole:
            self.core.save(str(folder / "tokenizer.json"))
        if pairs:
            inner = json.loads(self.core.to_str())["model"]
            base = inner["vocab"]
            _dump(folder / "vocab.json", base)
            (folder / "merges.txt").write_text(
                "\n".join(["#version: 0.2", *map(" ".join, inner["merges"])]) + "\n", encoding="utf-8"
            )


def byte_pairs(
    special: Iterable[str | AddedToken] = (),
    *,
    first: Iterable[str] = (),
    cut: str = GPT2,
    digits: bool = False,
    begin: str | None = None,
    normal: bool = False,
) -> Words:
    """Pairs of bytes, as GPT-2, Llama 3, Qwen, GLM and SmolLM have them.

    Args:
        special: special tokens after all others.
        first: special tokens that have the first ids.
        cut: the pattern that cuts text.
        digits: whether digits stand alone.
        begin: the token that stands in front of every text, if one does.
        normal: whether text is brought to NFC.
    """
    core = Tokenizer(models.BPE())
    if normal:
        core.normalizer = normalizers.NFC()
    if cut == GPT2:
        bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bytes_]) if digits else bytes_
    else:
        split = pre_tokenizers.Split(Regex(cut), "isolated")
        core.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=list(first),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(SENTENCES, trainer)
    return _finish(core, special, begin=begin)


def pieces(
    special: Iterable[str | AddedToken] = (),
    *,
    first: Iterable[str] = ("<unk>", "<s>", "</s>"),
    begin: str | None = "<s>",
    prefix: bool = True,
) -> Words:
    """Sentence pieces that fall back to bytes, as Llama 2, Phi-3 and Gemma have them.

    Args:
        special: added tokens after all others.
        first: the tokens that have the first ids; the bytes come after them.
        begin: the token that stands in front of every text, if one does.
        prefix: whether a space is put in front of a text.
    """
    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Replace(" ", "▁")
    core.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[^▁]+|▁"), "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=560,
        special_tokens=[*first, *(f"<0x{byte:02X}>" for byte in range(256))],
        initial_alphabet=["▁", "\n", *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!'\"-()%/#<>|_"],
        show_progress=False,
    )
    core.train_from_iterator((f" {line}" for line in SENTENCES), trainer)
    told = json.loads(core.to_str())
    told["added_tokens"] = told["added_tokens"][: len(tuple(first))]  # the bytes are ordinary pieces
    told["model"] |= {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
    told["pre_tokenizer"] = (
        None if prefix else {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    )
    core = Tokenizer.from_str(json.dumps(told))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefix:
        core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps.append(decoders.Strip(content=" ", left=1))
    core.decoder = decoders.Sequence(steps)
    return _finish(core, special, begin=begin)


def unigrams(special: Iterable[str]) -> Words:
    """T5's pieces: each with a weight of its own, an end token after every text. Whole words weigh less than their letters."""
    first = ["<pad>", "</s>", "<unk>"]
    known = sorted({f"▁{word}" for line in SENTENCES for word in re.findall(r"\w+", line)})
    signs = ["▁", *(chr(code) for code in range(33, 127) if chr(code) not in "<>{}")]
    weights = [(token, 0.0) for token in first] + [(word, -4.0) for word in known] + [(sign, -6.0) for sign in signs]
    core = Tokenizer(models.Unigram(weights, unk_id=2))
    core.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    core.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    core.add_special_tokens([*first, *special])
    core.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return Words(core)


def _finish(core: Tokenizer, special: Iterable[str | AddedToken], *, begin: str | None) -> Words:
    core.add_special_tokens([token if isinstance(token, AddedToken) else AddedToken(token, normalized=False) for token in special])
    if begin is not None:
        core.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1", special_tokens=[(begin, core.token_to_id(begin))]
        )
    return Words(core)


def _told(token: AddedToken) -> dict[str, Any]:
    fields = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    return {field: getattr(token, field) for field in fields}


def _dump(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
