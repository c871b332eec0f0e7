"""The worker extension: what `collective_rpc` may ask of a worker whose model is corrected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Worker:
    """Named by `--worker-extension-cls errata_vllm.Worker`; vLLM mixes it into its own worker.

    The corrections themselves are put in force when keys and values are laid out (`errata_vllm.plugin`), before the first request.
    """

    model_runner: Any

    def errata_status(self) -> Mapping[str, Any]:
        """What is in force: the entry folded, the newest one, the edits, the slots, and why the worker is behind where it is."""
        return _told(self.model_runner.errata.status())

    def errata_follow(self) -> Mapping[str, Any]:
        """Look at the log now, put in force what can be, and tell as `errata_status` does."""
        return _told(self.model_runner.errata.status(look=True))


def _told(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status; why a worker was behind isn't told where it isn't any more."""
    behind = status["seq"] != status["newest"]
    return {**status, "why_behind": status["why_behind"] if behind else ""}
