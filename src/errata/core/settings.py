"""What a user settles once instead of at every call: where the log is, which model, which editor, who writes, where it is served
and by which server.

Each is looked for in the environment, then in the nearest `errata.toml` from the working folder upwards, then among the defaults.
What is given at a call stands before all of them. Such a file holds plain keys:

    store = "corrections.db"
    model = "models/llava"
    editor = "scopeedit:rank_local=64"
    author = "ann"
    host = "127.0.0.1"
    port = "8319"

A store that is no URL lies beside the file, and so does a model whose name begins with a dot or is a folder there.
"""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from errata.core.errors import BadInput, Unknown, quoted

FILE: Final = "errata.toml"

DEFAULT_STORE: Final = "errata.db"
DEFAULT_MODEL: Final = "llava-tiny"
DEFAULT_EDITOR: Final = "codebook"
LEARNED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"smollm2": ("rerank",), "atlas": ("rerank:reader=smollm2,sight=atlas,naming=true", "rerank:reader=smollm2")}
)
"""Model -> the editors that are taken for it where none is named, the first that fits: what they have to have learned ships for
this model. What its own eyes or states tell is for the precision in which they were looked at."""

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = "8319"

_DEFAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "store": DEFAULT_STORE,
        "model": DEFAULT_MODEL,
        "editor": DEFAULT_EDITOR,
        "host": DEFAULT_HOST,
        "port": DEFAULT_PORT,
        "server": "",
    }
)

VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "store": "ERRATA_STORE",
        "model": "ERRATA_MODEL",
        "editor": "ERRATA_EDITOR",
        "author": "ERRATA_AUTHOR",
        "host": "ERRATA_HOST",
        "port": "ERRATA_PORT",
        "server": "ERRATA_SERVER",
    }
)
"""Setting -> the variable of the environment that holds it."""


@dataclass(frozen=True)
class Setting:
    """A value, and where it came from."""

    value: str
    source: str
    """The variable, the file, or "default"."""

    @property
    def chosen(self) -> bool:
        """Whether somebody chose it: a default isn't."""
        return self.source != "default"


def settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Mapping[str, Setting]:
    """Every setting as it stands.

    Args:
        environment: the variables, of which an empty one counts as not set; None: those of this process.
        folder: where to look for the file first; None: the working folder.

    Raises:
        BadInput: the file can't be read, isn't TOML, or holds something else than text.
        Unknown: it holds a key that is no setting.
    """
    variables = os.environ if environment is None else environment
    path = _nearest(Path.cwd() if folder is None else folder)
    held = {} if path is None else _read(path)
    found = {}
    for name, variable in VARIABLES.items():
        if variables.get(variable, "").strip():
            found[name] = Setting(variables[variable].strip(), variable)
        elif name in held:
            found[name] = Setting(held[name], str(path))
        else:
            found[name] = Setting(_default(name), "default")
    return MappingProxyType(found)


def default_editors(model: str) -> tuple[str, ...]:
    """The editors that are taken for a model, by its name, where none is named: the first that fits, and the codebook fits any."""
    return (*LEARNED.get(model, ()), DEFAULT_EDITOR)


def user() -> str:
    """The name of whoever runs this process; "unknown" where there is none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def _default(name: str) -> str:
    return user() if name == "author" else _DEFAULTS[name]


def _nearest(folder: Path) -> Path | None:
    return next((each / FILE for each in (folder, *folder.parents) if (each / FILE).is_file()), None)


def _read(path: Path) -> dict[str, str]:
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"The settings in {path} can't be read: {error.strerror or error}. Check the file's permissions.") from None
    except UnicodeDecodeError:
        raise BadInput(f"The settings in {path} aren't text in UTF-8. Save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f'The settings in {path} aren\'t TOML: {error}. Write lines such as store = "corrections.db".') from None
    for name, value in held.items():
        if name not in VARIABLES:
            raise Unknown(f"setting in {path}", name, VARIABLES)
        if not isinstance(value, str) or not value.strip():
            raise BadInput(f'The setting {name} in {path} must be text, not {quoted(value)}. Write {name} = "...".')
    return {name: _placed(name, value.strip(), path.parent) for name, value in held.items()}


def _placed(name: str, value: str, folder: Path) -> str:
    """A path from the file's folder: a store that is no URL, and a model that lies there."""
    if name == "store":
        return value if "://" in value else str(folder / value)
    if name == "model" and (value.startswith(".") or (folder / value).exists()):
        return str(folder / value)
    return value
