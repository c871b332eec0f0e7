"""Floor 3: multimodal models, one family a file; the only room that imports transformers."""

from errata.models._quiet import calm

with calm():
    from errata.models._load import FAMILIES, load, shipped
    from errata.models._transformers import TransformersModel
    from errata.models.families.family import Family, Inputs

__all__ = ["FAMILIES", "Family", "Inputs", "TransformersModel", "load", "shipped"]
