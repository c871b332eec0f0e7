"""Qwen3 as a mixture of experts: no layer has one map down; the hub has each expert's maps apart, the library all in one."""

from __future__ import annotations

from pathlib import Path

from tests.zoo._kit import write
from tests.zoo._qwen import TEMPLATE, qwen_generation, qwen_tokenizer, qwen_words

MODEL_TYPE = "qwen3_moe"
EYES = False


def build(folder: Path, *, seed: int = 0) -> None:
    """Write the checkpoint."""
    words = qwen_words(thinks=True)
    config = {
        "architectures": ["Qwen3MoeForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
        "bos_token_id": words["<|endoftext|>"], "decoder_sparse_step": 1, "eos_token_id": words["<|im_end|>"], "head_dim": 32,
        "hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 128,
        "max_position_embeddings": 1024, "max_window_layers": 3, "mlp_only_layers": [], "model_type": "qwen3_moe",
        "moe_intermediate_size": 48, "norm_topk_prob": True, "num_attention_heads": 4, "num_experts": 8,
        "num_experts_per_tok": 2, "num_hidden_layers": 3, "num_key_value_heads": 2, "output_router_logits": False,
        "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001,
        "sliding_window": None, "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
        "use_cache": True, "use_sliding_window": False, "vocab_size": words.padded(),
    }  # fmt: skip
    generation = qwen_generation(words, temperature=0.6, top_k=20, top_p=0.95, transformers_version="4.51.0")
    write(folder, config=config, generation=generation, words=words, tokenizer=qwen_tokenizer(TEMPLATE), seed=seed, pairs=True)
