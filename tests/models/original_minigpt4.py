"""MiniGPT-4 as its authors lay it out, small and random, and what it works out, written down from the equations.

The tower (EVA): x = [cls; patches] + positions; x += attention(norm1 x), x += mlp(norm2 x) for each block; queries and values have
a bias, keys have none. Then one more layer norm. The Q-Former (BERT): each layer norms the sum of what it reads and what it makes
of it: of itself, of the picture in every second layer, of a feed-forward of two maps. Then one projection into the words.

Shapes: N rows, T positions, C channels, H W pixels, E width of the tower, Q of the Q-Former, D of the language model, V vocabulary.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

from tests.conftest import WORDS

WIDTH, HEADS, FFN, PATCH, SIDE = 24, 3, 40, 4, 3
HELD, USED = 3, 2
QWIDTH, QHEADS, QFFN, QLAYERS, QUERIES = 16, 2, 20, 4, 3
HIDDEN = 32
IMAGE = PATCH * SIDE
TEXTS = (*WORDS, "###Human: <Img></Img> what is it? ###Assistant: a ring.### mibo## mibo#", "mibo ### mibo##")

Weights = dict[str, Tensor]


@dataclass
class Original:
    """The weights of each file, and the folder of the language model."""

    eyes: Weights
    qformer: Weights
    checkpoint: Weights
    folder: Path

    def save(self, folder: Path) -> dict[str, Path]:
        """Write the three files as the authors have them; the option of each -> its path."""
        other = {"t5_proj.weight": torch.zeros(4, QWIDTH), "Qformer.cls.predictions.bias": torch.zeros(7)}
        torch.save(self.eyes, folder / "eva_vit_g.pth")
        torch.save({"model": {**self.qformer, **other}}, folder / "blip2_pretrained_flant5xxl.pth")
        state = {"state": {0: {"step": 3, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-5}]}
        rest = {"optimizer": state, "config": {"run": {"seed": 42}}, "scaler": None, "epoch": 3}
        torch.save({"model": self.checkpoint, **rest}, folder / "prerained_minigpt4_7b.pth")
        return {
            "language_model": self.folder,
            "eyes": folder / "eva_vit_g.pth",
            "qformer": folder / "blip2_pretrained_flant5xxl.pth",
            "checkpoint": folder / "prerained_minigpt4_7b.pth",
        }

    def look(self, pixels_NCHW: Tensor) -> Tensor:
        """Pixels -> what the Q-Former's queries read, [N, queries, Q]."""
        return self._read(self._tower(pixels_NCHW))

    def project(self, read_NPQ: Tensor) -> Tensor:
        return _linear(read_NPQ, self.checkpoint, "llama_proj")

    def logits(self, pixels_NCHW: Tensor, before: str, after: str) -> Tensor:
        """The language model's logits [T, V] over the prompt, the picture's features between its two pieces."""
        tokenizer = LlamaTokenizer.from_pretrained(self.folder, legacy=True)
        model = LlamaForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval()
        ids = [tokenizer(before)["input_ids"], tokenizer(after, add_special_tokens=False)["input_ids"]]
        first, second = (model.get_input_embeddings()(torch.tensor([one])) for one in ids)
        with torch.no_grad():
            x_NTD = torch.cat([first, self.project(self.look(pixels_NCHW)), second], dim=1)
            return model(inputs_embeds=x_NTD).logits[0]

    def _tower(self, pixels_NCHW: Tensor) -> Tensor:
        w = {name: one.float() for name, one in self.eyes.items()}
        patches = pixels_NCHW.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)  # N C rows columns p p
        flat = patches.permute(0, 2, 3, 1, 4, 5).reshape(len(pixels_NCHW), SIDE * SIDE, -1)
        embedded = flat @ w["patch_embed.proj.weight"].reshape(WIDTH, -1).T + w["patch_embed.proj.bias"]
        x = torch.cat([w["cls_token"].expand(len(flat), -1, -1), embedded], dim=1) + w["pos_embed"]
        for block in range(USED):
            at = f"blocks.{block}."
            y = _norm(x, w, f"{at}norm1", 1e-6)
            wq, wk, wv = w[f"{at}attn.qkv.weight"].split(WIDTH)
            q, k, v = y @ wq.T + w[f"{at}attn.q_bias"], y @ wk.T, y @ wv.T + w[f"{at}attn.v_bias"]
            x = x + _linear(_attend(q, k, v, HEADS), w, f"{at}attn.proj")
            y = _gelu(_linear(_norm(x, w, f"{at}norm2", 1e-6), w, f"{at}mlp.fc1"))
            x = x + _linear(y, w, f"{at}mlp.fc2")
        return _norm(x, self.qformer, "ln_vision", 1e-5)

    def _read(self, picture_NPE: Tensor) -> Tensor:
        w = self.qformer
        x = _norm(w["query_tokens"].expand(len(picture_NPE), -1, -1), w, "Qformer.bert.embeddings.LayerNorm", 1e-12)
        for layer in range(QLAYERS):
            at = f"Qformer.bert.encoder.layer.{layer}."
            x = _bert(x, x, w, f"{at}attention")
            if layer % 2 == 0:
                x = _bert(x, picture_NPE, w, f"{at}crossattention")
            y = _linear(_gelu(_linear(x, w, f"{at}intermediate_query.dense")), w, f"{at}output_query.dense")
            x = _norm(x + y, w, f"{at}output_query.LayerNorm", 1e-12)
        return x


def make(folder: Path, *, seed: int = 0) -> Original:
    """Draw one; its language model is written to `folder`. Features of the tower are small, so that what a norm adds is seen."""
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(*shape, generator=draw) * scale

    def linear(at: str, out: int, into: int, scale: float = 1.0) -> Weights:
        return {f"{at}.weight": some(out, into, scale=scale * into**-0.5), f"{at}.bias": some(out, scale=0.3 * scale)}

    def norm(at: str, width: int) -> Weights:
        return {f"{at}.weight": 1 + some(width, scale=0.2), f"{at}.bias": some(width, scale=0.2)}

    eyes = {
        "cls_token": some(1, 1, WIDTH, scale=0.01),
        "pos_embed": some(1, SIDE * SIDE + 1, WIDTH, scale=0.01),
        "patch_embed.proj.weight": some(WIDTH, 3, PATCH, PATCH, scale=0.002),
        "patch_embed.proj.bias": some(WIDTH, scale=0.01),
        "norm.weight": torch.zeros(WIDTH),
        "head.weight": torch.zeros(5, WIDTH),
    }
    for block in range(HELD):
        at = f"blocks.{block}."
        eyes |= norm(f"{at}norm1", WIDTH) | norm(f"{at}norm2", WIDTH)
        eyes |= {f"{at}attn.qkv.weight": some(3 * WIDTH, WIDTH, scale=0.4)}
        eyes |= {f"{at}attn.{name}": some(WIDTH, scale=0.5) for name in ("q_bias", "v_bias")}
        eyes |= linear(f"{at}attn.proj", WIDTH, WIDTH, 0.01)
        eyes |= linear(f"{at}mlp.fc1", FFN, WIDTH) | linear(f"{at}mlp.fc2", WIDTH, FFN, 0.01)
    qformer = {"query_tokens": some(1, QUERIES, QWIDTH, scale=0.02)}
    qformer |= norm("ln_vision", WIDTH) | norm("Qformer.bert.embeddings.LayerNorm", QWIDTH)
    qformer |= {"Qformer.bert.embeddings.position_ids": torch.arange(512)[None]}
    for layer in range(QLAYERS):
        at = f"Qformer.bert.encoder.layer.{layer}."
        for name, reads in (("attention", QWIDTH), *([("crossattention", WIDTH)] if layer % 2 == 0 else [])):
            qformer |= linear(f"{at}{name}.self.query", QWIDTH, QWIDTH)
            qformer |= linear(f"{at}{name}.self.key", QWIDTH, reads) | linear(f"{at}{name}.self.value", QWIDTH, reads)
            qformer |= linear(f"{at}{name}.output.dense", QWIDTH, QWIDTH) | norm(f"{at}{name}.output.LayerNorm", QWIDTH)
        for name in ("_query", ""):  # the second is the text's
            qformer |= linear(f"{at}intermediate{name}.dense", QFFN, QWIDTH) | linear(f"{at}output{name}.dense", QWIDTH, QFFN)
            qformer |= norm(f"{at}output{name}.LayerNorm", QWIDTH)
    _language_model(folder, seed)
    half = {name: one.half() for name, one in eyes.items()}
    return Original(half, qformer, linear("llama_proj", HIDDEN, QWIDTH), folder)


def _language_model(folder: Path, seed: int) -> None:
    tokenizer = _tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=128,
        rms_norm_eps=1e-5,
        pad_token_id=-1,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> LlamaTokenizer:
    """LLaMA's kind: "###" is one token after a space, two after a word."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    special = ["<unk>", "<s>", "</s>"]
    core.train_from_iterator(TEXTS * 8, trainers.BpeTrainer(vocab_size=220, special_tokens=special, show_progress=False))
    held = json.loads(core.to_str())["model"]
    merges = [tuple(pair) for pair in held["merges"]]
    return LlamaTokenizer(vocab=held["vocab"], merges=merges, add_bos_token=True, legacy=True)


def _linear(x: Tensor, w: Weights, at: str) -> Tensor:
    return x @ w[f"{at}.weight"].T + w[f"{at}.bias"]


def _norm(x: Tensor, w: Weights, at: str, eps: float) -> Tensor:
    apart = x - x.mean(-1, keepdim=True)
    return apart / torch.sqrt(apart.square().mean(-1, keepdim=True) + eps) * w[f"{at}.weight"] + w[f"{at}.bias"]


def _gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def _attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    scores = split(q) @ split(k).transpose(-1, -2) / math.sqrt(q.shape[-1] // heads)
    return (scores.softmax(-1) @ split(v)).transpose(1, 2).flatten(2)


def _bert(x: Tensor, read: Tensor, w: Weights, at: str) -> Tensor:
    """Attention of x to what it reads, and the norm of the sum of both."""
    q = _linear(x, w, f"{at}.self.query")
    k, v = (_linear(read, w, f"{at}.self.{name}") for name in ("key", "value"))
    return _norm(x + _linear(_attend(q, k, v, QHEADS), w, f"{at}.output.dense"), w, f"{at}.output.LayerNorm", 1e-12)
