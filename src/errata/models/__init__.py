"""Floor 3: multimodal models, one family a file; the only room that imports transformers."""

from errata.models._family import Family, Inputs
from errata.models._load import FAMILIES, load, shipped
from errata.models._transformers import TransformersModel

__all__ = ["FAMILIES", "Family", "Inputs", "TransformersModel", "load", "shipped"]
