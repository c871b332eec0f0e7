"""InstructBLIP on Vicuna: a Q-Former that reads the question, too, with a tokenizer of its own in a folder of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tests.zoo._blip import QUERIES, blip_pixels, blip_tower, q_former
from tests.zoo._kit import put, write
from tests.zoo._vicuna import vicuna_config, vicuna_tokenizer, vicuna_words
from tests.zoo._words import SENTENCES, Words

MODEL_TYPE = "instructblip"
EYES = True
PICTURES = 1


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words, read = vicuna_words("<image>", "[PAD]"), bert_words()
    config = {
        "architectures": ["InstructBlipForConditionalGeneration"], "image_token_index": words["<image>"],
        "initializer_factor": 1.0, "initializer_range": 0.02, "model_type": "instructblip", "num_query_tokens": QUERIES,
        "qformer_config": q_former("instructblip_qformer", vocabulary=read.size),
        "text_config": {**vicuna_config(words), "_name_or_path": "vicuna-7b", "pad_token_id": words["[PAD]"]},
        "tie_word_embeddings": False, "torch_dtype": "float32", "transformers_version": "4.47.0.dev0",
        "use_decoder_only_language_model": True, "vision_config": blip_tower("instructblip_vision_model"),
    }  # fmt: skip
    generation = {
        "_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": words["[PAD]"],
        "transformers_version": "4.31.0.dev0",
    }  # fmt: skip
    files = {
        "preprocessor_config.json": blip_pixels("InstructBlipProcessor"),
        "processor_config.json": {"num_query_tokens": QUERIES, "processor_class": "InstructBlipProcessor"},
    }
    tokenizer = vicuna_tokenizer(pad_token="[PAD]", processor_class="InstructBlipProcessor")
    write(folder, config=config, generation=generation, words=words, tokenizer=tokenizer, files=files, seed=seed)
    inner = folder / "qformer_tokenizer"
    inner.mkdir(exist_ok=True)
    read.write(inner, {
        "bos_token": "[DEC]", "clean_up_tokenization_spaces": True, "cls_token": "[CLS]", "do_basic_tokenize": True,
        "do_lower_case": True, "mask_token": "[MASK]", "model_max_length": 512, "pad_token": "[PAD]",
        "processor_class": "InstructBlipProcessor", "sep_token": "[SEP]", "strip_accents": None,
        "tokenize_chinese_chars": True, "tokenizer_class": "BertTokenizer", "truncation_side": "left", "unk_token": "[UNK]",
    })  # fmt: skip
    vocab = json.loads(read.core.to_str())["model"]["vocab"]
    put(inner, {"vocab.txt": "\n".join(sorted(vocab, key=vocab.__getitem__)) + "\n"})


def bert_words() -> Words:
    """The Q-Former's tokenizer: BERT's, its pieces the words themselves and every letter."""
    first = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"]
    signs = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    known = sorted({word for line in SENTENCES for word in re.findall(r"[a-z]{2,}", line.lower())})
    vocab = {piece: key for key, piece in enumerate([*first, *signs, *(f"##{sign}" for sign in signs if sign.isalnum()), *known])}
    core = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    core.add_special_tokens(first)
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    core.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return Words(core)
