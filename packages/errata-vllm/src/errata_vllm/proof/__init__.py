"""The proof that answers inside vLLM are those of the model that the corrections were written on: `python -m errata_vllm.proof`."""
