"""errata keeps a deployed multimodal language model correct by applying online edits, and can take each of them back.

`errata.open` opens a model as its corrections have made it, `errata.bench` measures an editor; the other names are what these give
and take. Nothing is loaded before it is named: torch comes with `open` and `bench`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from errata.core.benchmark import UNCHANGED, Case, Outcome, Probe
    from errata.core.errors import BadImage, BadInput, ErrataError, Held, LogError, Tampered, Unknown, WrongStore
    from errata.core.images import Image
    from errata.core.records import Edit, Message, Provenance, Query, Spec
    from errata.core.rules import Rules
    from errata.core.settings import Setting, settings
    from errata.door import Exported, Imported, Session, bench, open  # noqa: A004  known as errata.open
    from errata.log.entry import Entry
    from errata.measure.results import Run
    from errata.session.audit import Audit
    from errata.session.receipts import Answer, Receipt

__all__ = [
    "UNCHANGED",
    "Answer",
    "Audit",
    "BadImage",
    "BadInput",
    "Case",
    "Edit",
    "Entry",
    "ErrataError",
    "Exported",
    "Held",
    "Image",
    "Imported",
    "LogError",
    "Message",
    "Outcome",
    "Probe",
    "Provenance",
    "Query",
    "Receipt",
    "Rules",
    "Run",
    "Session",
    "Setting",
    "Spec",
    "Tampered",
    "Unknown",
    "WrongStore",
    "bench",
    "open",
    "settings",
]

_HOMES = {
    "errata.core.benchmark": ("UNCHANGED", "Case", "Outcome", "Probe"),
    "errata.core.errors": ("BadImage", "BadInput", "ErrataError", "Held", "LogError", "Tampered", "Unknown", "WrongStore"),
    "errata.core.images": ("Image",),
    "errata.core.records": ("Edit", "Message", "Provenance", "Query", "Spec"),
    "errata.core.rules": ("Rules",),
    "errata.core.settings": ("Setting", "settings"),
    "errata.door": ("Exported", "Imported", "Session", "bench", "open"),
    "errata.log.entry": ("Entry",),
    "errata.measure.results": ("Run",),
    "errata.session.audit": ("Audit",),
    "errata.session.receipts": ("Answer", "Receipt"),
}
"""Module -> the names above that it defines; a test holds them against the imports for type checkers."""


def __getattr__(name: str) -> Any:
    """The public name, loaded now (PEP 562)."""
    for module, names in _HOMES.items():
        if name in names:
            value = vars(import_module(module))[name]
            globals()[name] = value
            return value
    raise AttributeError(f"module 'errata' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
