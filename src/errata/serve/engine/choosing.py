"""How a row's next token is chosen: the most likely one, or drawn from the likely ones by dice of the row's own.

Holtzman et al., "The Curious Case of Neural Text Degeneration", arXiv 1904.09751: of the tokens by falling probability, the fewest
that together have `top_p`. The dice are the row's, so what is drawn doesn't depend on who else is answered.

Shapes: V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch

from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.serve.engine.seam import Sampling

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

MOST_LOGPROBS = 20
"""The most tokens that are told beside a chosen one."""

MOST_STOPS = 16


def check_sampling(sampling: Sampling) -> None:
    """Whether tokens can be chosen so.

    Raises:
        BadInput: a number is out of its range, or a stop text is empty.
    """
    if not 0 <= sampling.temperature <= 2:
        raise BadInput(f"The temperature {sampling.temperature:g} is out of range. Give a number from 0 to 2.")
    if not 0 < sampling.top_p <= 1:
        raise BadInput(f"The top_p {sampling.top_p:g} is out of range. Give a number over 0, up to 1.")
    if sampling.max_new_tokens is not None and sampling.max_new_tokens < 1:
        raise BadInput(f"An answer of {counted(sampling.max_new_tokens, 'token')} was asked for. Ask for at least 1.")
    if sampling.top_logprobs is not None and not 0 <= sampling.top_logprobs <= MOST_LOGPROBS:
        raise BadInput(f"The log-probabilities of {sampling.top_logprobs} tokens were asked for. Ask for 0 to {MOST_LOGPROBS}.")
    if len(sampling.stop) > MOST_STOPS or not all(sampling.stop):
        raise BadInput(f"A stop text is empty, or there are more than {MOST_STOPS}. Leave some out.")


@final
class Dice:
    """The tokens of one row.

    Args:
        sampling: how they are chosen.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._temperature, self._top_p = sampling.temperature, sampling.top_p
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed % 2**63)

    def choose(self, logits_V: Float[Tensor, " V"]) -> int:
        """The next token."""
        if self._temperature == 0:
            return int(logits_V.argmax())
        probs_V = (logits_V.detach().cpu().double() / self._temperature).softmax(-1)
        sorted_V, ids_V = probs_V.sort(descending=True, stable=True)
        reached_V = sorted_V.cumsum(-1)
        count = int((reached_V < self._top_p).sum()) + 1
        thrown = float(torch.rand((), generator=self._generator, dtype=torch.float64)) * float(reached_V[:count][-1])
        return int(ids_V[min(int((reached_V[:count] <= thrown).sum()), count - 1)])
