"""What is refused before anything starts, each in a sentence: no answer is given by a model that silently isn't corrected."""

from __future__ import annotations

from typing import Any, Final

from errata.core.errors import BadInput, WrongStore
from errata_vllm.folder import digest_in
from errata_vllm.following import Followed
from errata_vllm.settings import STORE, Settings

TESTED: Final = ((0, 32), (0, 33))
"""Versions of vLLM that this was run inside: from the first on, before the second."""

EXTENSION: Final = "errata_vllm.Worker"


def check_version(version: str) -> None:
    """Whether this was tried inside that vLLM.

    Raises:
        BadInput: it wasn't.
    """
    low, high = TESTED
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        major, minor = -1, -1
    if not low <= (major, minor) < high:
        asked = f"vLLM {low[0]}.{low[1]}"
        raise BadInput(
            f"errata-vllm was tried inside {asked} and this is {version}, where nobody knows what it does. Install {asked}."
        )


def check_named(settings: Settings | None, extension: str) -> bool:
    """Whether corrections are to be served: the store is named in the environment and the worker extension on the command line.

    Raises:
        BadInput: one is named without the other.
    """
    mine = extension in (EXTENSION, "errata_vllm.worker.Worker")
    if settings is None and mine:
        raise BadInput(f"The worker extension {EXTENSION} is named, but no log of corrections. Set {STORE} to the store.")
    if settings is not None and not mine:
        raise BadInput(
            f"{STORE} is set, but the model would be served without its corrections. "
            f"Add --worker-extension-cls {EXTENSION}, or unset {STORE}."
        )
    return mine


def check_config(config: Any) -> None:
    """Whether the engine runs in a way in which the seam is seen and a request's rows are known.

    Args:
        config: vLLM's `VllmConfig`.

    Raises:
        BadInput: it doesn't.
    """
    parallel = config.parallel_config
    refused = [
        (
            config.compilation_config.cudagraph_mode.value != 0,
            "captures graphs, in which nothing is decided anew",
            "--enforce-eager, or with -cc.cudagraph_mode=NONE",
        ),
        (parallel.tensor_parallel_size > 1, "splits modules over devices", "--tensor-parallel-size 1"),
        (parallel.pipeline_parallel_size > 1, "splits layers over devices", "--pipeline-parallel-size 1"),
        (config.speculative_config is not None, "drafts several tokens at once", "no --speculative-config"),
        (config.lora_config is not None, "puts adapters where the slots are", "no --enable-lora"),
        (config.kv_transfer_config is not None, "takes keys and values from elsewhere", "no --kv-transfer-config"),
        (config.use_v2_model_runner, "uses the second model runner", "VLLM_USE_V2_MODEL_RUNNER=0"),
        (config.model_config.runner_type != "generate", "doesn't generate", "--runner generate"),
    ]
    for wrong, what, instead in refused:
        if wrong:
            raise BadInput(f"With these settings vLLM {what}, and corrections can't be served so. Start it with {instead}.")


def check_log(followed: Followed, folder: str, settings: Settings) -> int:
    """Whether the log is of the model in the folder, can be folded now, and fits into the buffers.

    Returns:
        How many slots the buffers are to have.

    Raises:
        WrongStore: it's another model's.
        BadInput: the folder doesn't say which model it is, or the buffers are too small.
        LogError: the log can't be folded.
    """
    digest = digest_in(folder)
    if digest != followed.digest:
        raise WrongStore(
            f"The log in {settings.store} is of the model {followed.name} ({followed.digest[:12]}), and {folder} holds another "
            f"({digest[:12]}). Name that model's log, or write its folder: python -m errata_vllm prepare {followed.name} FOLDER"
        )
    state = followed.head().state
    slots = settings.slots or 2 * followed.editor.slots
    used = 0 if state is None else state.book.used
    if used > slots:
        raise BadInput(f"The log's edits hold {used} slots, and the buffers have room for {slots}. Set ERRATA_SLOTS={2 * used}.")
    return slots
