"""InstructBLIP: a Q-Former that reads the question too, and no chat template.

Dai et al., "InstructBLIP", arXiv 2305.06500. The prompt is the question as it stands; its own classes want a picture, so
without one its language model is asked.
"""

from __future__ import annotations

from errata.models.families.family import Hub

INSTRUCTBLIP = Hub("instructblip", max_images=1, blind_part="language_model")
