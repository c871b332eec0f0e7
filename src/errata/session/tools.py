"""What editors are handed by name: encoders and second models, each loaded once for a place and device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

from errata.core.editor import Editor, Equips, Tools
from errata.core.encoder import Encoder
from errata.core.images import NEWEST
from errata.core.model import Model
from errata.models import load
from errata.models.clip import load_encoder


@final
@dataclass(frozen=True)
class Loader:
    """See `errata.core.editor.Tools`."""

    device: str = "cpu"
    dtype: str | None = None
    """Of models; encoders are read in float32."""

    decoder: int = NEWEST
    """The version of how pictures are decoded for them."""

    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _models: dict[str, Model] = field(default_factory=dict)

    def encoder(self, name: str) -> Encoder:
        """The encoders of a checkpoint folder or hub id."""
        if name not in self._encoders:
            self._encoders[name] = load_encoder(name, device=self.device, decoder=self.decoder)
        return self._encoders[name]

    def model(self, name: str) -> Model:
        """A model, as `errata.models.load` finds it."""
        if name not in self._models:
            self._models[name] = load(name, device=self.device, dtype=self.dtype).seeing(self.decoder)
        return self._models[name]


def equipped(editor: Editor[Any], tools: Tools | None = None) -> Editor[Any]:
    """The editor with the encoders and the model that it names, if it names any.

    Raises:
        Unknown, BadInput: what it names isn't there, or doesn't fit.
    """
    return editor.equipped(tools or Loader()) if isinstance(editor, Equips) else editor
