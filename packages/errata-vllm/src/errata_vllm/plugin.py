"""vLLM's general plugin: it runs in every process, checks what can't be served, and puts the corrections in force.

Four methods of vLLM are wrapped, each to do what it did and then one thing more: `EngineArgs.create_engine_config` (the process
that was started: what can't be served is refused there), the model runner's `load_model` (the worker: the operation at which
corrections speak is put in before the model is traced) and `initialize_kv_cache` (the seam is put behind it), and
`SamplingParams.verify` (where requests come in: a pin that can't be served is refused, and the others go on).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from errata.core.errors import ErrataError, quoted
from errata_vllm.checks import check_config, check_log, check_named, check_version
from errata_vllm.following import Followed
from errata_vllm.op import SALT, place
from errata_vllm.seam import PIN, Seam
from errata_vllm.settings import Settings, settings

_COMMANDS: Final = frozenset({"vllm", "api_server.py"})
_MARK: Final = "__errata__"
_PINS: Final = 4096
"""Entries that were found servable, remembered."""


def register() -> None:
    """Called by vLLM in every process; more than once does no harm."""
    from vllm.engine.arg_utils import EngineArgs
    from vllm.platforms import current_platform
    from vllm.sampling_params import SamplingParams
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    _wrap(EngineArgs, "create_engine_config", _configured)
    _wrap(GPUModelRunner, "load_model", _loaded)
    if current_platform.is_cpu():
        from vllm.v1.worker.cpu_model_runner import CPUModelRunner

        _wrap(CPUModelRunner, "load_model", _loaded)
    _wrap(GPUModelRunner, "initialize_kv_cache", _laid_out)
    _wrap(SamplingParams, "verify", _verified)


def _wrap(owner: type, name: str, wrapper: Callable[..., Any]) -> None:
    inner = owner.__dict__[name]
    if _MARK in vars(inner):
        return

    @functools.wraps(inner)
    def outer(self: Any, *args: Any, **named: Any) -> Any:
        return wrapper(inner, self, *args, **named)

    vars(outer)[_MARK] = True
    setattr(owner, name, outer)


def _configured(inner: Callable[..., Any], args: Any, *given: Any, **named: Any) -> Any:
    config = inner(args, *given, **named)
    try:
        found = settings()
        if check_named(found, config.parallel_config.worker_extension_cls) and found is not None:
            _check(found, config)
            if isinstance(config.additional_config, dict):  # it goes into the key of the cache of graphs
                config.additional_config = {**config.additional_config, "errata": SALT}
    except ErrataError as error:
        if Path(sys.argv[0]).name in _COMMANDS:  # a command prints the sentence; a program gets the error
            print(f"errata: {error}", file=sys.stderr)
            raise SystemExit(2) from None
        raise
    return config


def _check(found: Settings, config: Any) -> int:
    import vllm

    check_version(vllm.__version__)
    check_config(config)
    return check_log(_followed(found), config.model_config.model, found)


def _loaded(inner: Callable[..., Any], runner: Any, *args: Any, **named: Any) -> None:
    inner(runner, *args, **named)
    found = settings()
    if check_named(found, runner.vllm_config.parallel_config.worker_extension_cls) and found is not None:
        place(runner.get_model(), _followed(found).module)


def _laid_out(inner: Callable[..., Any], runner: Any, config: Any, is_profiling: bool = False, **named: Any) -> None:
    inner(runner, config, is_profiling, **named)
    found = settings()
    extension = runner.vllm_config.parallel_config.worker_extension_cls
    if is_profiling or not check_named(found, extension) or found is None:
        return
    slots = _check(found, runner.vllm_config)
    runner.errata = Seam(runner, _followed(found), slots=slots, poll_s=found.poll_s)


def _verified(inner: Callable[..., Any], params: Any, *args: Any, **named: Any) -> None:
    inner(params, *args, **named)
    given = {key: value for key, value in (params.extra_args or {}).items() if str(key).startswith("errata")}
    found = settings() if given else None
    if found is None:
        return
    from vllm.exceptions import VLLMValidationError

    for key in given:
        if key != PIN:
            raise VLLMValidationError(f"There is no {quoted(key)} among vllm_xargs. What can be given is {PIN}.", parameter=key)
    try:
        seq = _followed(found).pinned(given[PIN])
        if seq:
            _servable(found, seq)
    except ErrataError as error:
        raise VLLMValidationError(str(error), parameter=PIN) from None


@cache
def _followed(found: Settings) -> Followed:
    return Followed(found.store, found.branch)


@functools.lru_cache(maxsize=_PINS)
def _servable(found: Settings, seq: int) -> bool:
    """Whether a version can be folded without the model; the errors say why not."""
    _followed(found).at(seq)
    return True
