"""errata's corrections inside stock vLLM. `errata_vllm.Worker` is what `--worker-extension-cls` names."""

from errata_vllm.worker import Worker

__all__ = ["Worker"]
