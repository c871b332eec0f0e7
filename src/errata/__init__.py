"""errata keeps a deployed multimodal language model correct by applying online edits, and can take each of them back.

The names here load no torch. What needs a model is in `errata.models` (`load`) and `errata.engine` (sessions, evaluation, reports).
"""

from errata.core.benchmark import UNCHANGED, Case, Outcome, Probe
from errata.core.errors import BadImage, BadInput, ErrataError, LogError, Tampered, Unknown, WrongStore
from errata.core.images import Image
from errata.core.records import Edit, Message, Provenance, Query, Spec

__all__ = [
    "UNCHANGED",
    "BadImage",
    "BadInput",
    "Case",
    "Edit",
    "ErrataError",
    "Image",
    "LogError",
    "Message",
    "Outcome",
    "Probe",
    "Provenance",
    "Query",
    "Spec",
    "Tampered",
    "Unknown",
    "WrongStore",
]
