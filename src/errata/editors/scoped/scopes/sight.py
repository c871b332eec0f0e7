"""Whether two pictures show the same thing, by what a model's own eyes make of them: linear discriminants of its image tokens.

Views of one thing differ in light, size and surroundings, and image tokens follow all of that. So from views of many things it is
learned in which directions views of one thing vary, which then count little, and in which things differ (Fisher's discriminants;
Belhumeur et al., "Eigenfaces vs. Fisherfaces", 1997). Image tokens are first put together to a few places, as many for every
picture, and each place narrowed to its principal components, which all places share. Nothing of it is learned by gradients: with
the views in memory it is a matter of seconds.

    z = C [P (x_1 - m_1); ...; P (x_K - m_K)] - c,    alike(a, b) = cos(z_a, z_b)

How alike two pictures must be is read off things that were kept back: so many that only a given share of pairs of different things
are as alike. A picture of several things is alike to no picture of one of them.

Shapes: V views, T things, K places of a picture, D width of the image tokens, N what a place is narrowed to, S of a sight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, normalize

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.model import Model
from errata.core.records import Query
from errata.editors._checkpoints import Base, Checkpoint, Named
from errata.nn.weights import bytes_of

if TYPE_CHECKING:
    from jaxtyping import Float, Int

TRAINED_AS: Final = "sight"

_KEPT_BACK: Final = 3
"""One thing in so many is kept back."""

_FEWEST: Final = 30
"""Things that it can be learned from."""

_SAMPLE: Final = 12_000
"""Places that their principal components are taken of, at most."""


@dataclass(frozen=True)
class SightSizes:
    """How large a sight is, and how sure it has to be."""

    places: int = 16
    """K: image tokens are put together to so many, in their order, >= 1."""

    narrow: int = 96
    """N, >= 1."""

    vector: int = 256
    """S at most, >= 1."""

    shrinkage: float = 0.02
    """What is added to how views vary in every direction, as a share of the mean, above 0: few views say little of many."""

    apart: float = 3e-4
    """The share of pairs of different things that may count as alike, above 0 and below 0.1."""

    def __post_init__(self) -> None:
        if min(self.places, self.narrow, self.vector) < 1 or not self.shrinkage > 0 or not 0 < self.apart < 0.1:
            raise BadInput(f"A sight needs sizes of at least 1, a shrinkage above 0 and a share above 0 and below 0.1, not {self}.")


class Recognised(NamedTuple):
    """How a sight does on things that were kept back."""

    again: float
    """The share of pairs of views of one thing that are alike."""

    mistaken: float
    """The same of different things."""

    things: int


class _Net(nn.Module):
    """Everything that is learned."""

    mean_KD: Tensor
    narrow_DN: Tensor
    pick_PS: Tensor
    middle_S: Tensor
    least: Tensor

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.float())

    def forward(self, tokens_VKD: Float[Tensor, "V K D"]) -> Float[Tensor, "V S"]:
        narrowed_VP = ((tokens_VKD - self.mean_KD) @ self.narrow_DN).flatten(1)
        return normalize(narrowed_VP @ self.pick_PS - self.middle_S, dim=-1)


_TENSORS: Final = tuple(_Net.__annotations__)


@final
class Sight:
    """See the top of this file. Fixed once it is made.

    Args:
        sizes: how it was made.
        tensors: what was learned, by name.
        base: the model whose eyes it is for.
    """

    def __init__(self, sizes: SightSizes, tensors: Mapping[str, Tensor], *, base: Base) -> None:
        self.sizes = sizes
        self.base_name, self.base_digest = base.name, base.digest
        self.net = _Net(tensors)

    @staticmethod
    def load(found: Checkpoint) -> Sight:
        """The sight of a checkpoint. For which model it is it says when it is checked.

        Raises:
            BadInput: it isn't what it says.
        """
        try:
            sizes = SightSizes(**found.plan)  # type: ignore[arg-type]
            tensors = {name: found.tensors[name] for name in _TENSORS}
            whole = (
                tensors["mean_KD"].shape[1] == tensors["narrow_DN"].shape[0]
                and tensors["mean_KD"].shape[0] * tensors["narrow_DN"].shape[1] == tensors["pick_PS"].shape[0]
                and tensors["pick_PS"].shape[1:] == tensors["middle_S"].shape
            )
        except (TypeError, KeyError, IndexError) as error:
            raise found.unknown(error) from None
        if not whole:
            raise found.unknown(ValueError("its parts don't fit each other"))
        return Sight(sizes, tensors, base=Named(found.base_name, found.base_digest))

    def learnt(self) -> Checkpoint:
        """As it stands, in half precision, but for how alike pictures must be: it is used as it is kept."""
        tensors = {name: tensor if name == "least" else tensor.half() for name, tensor in self.net.state_dict().items()}
        return Checkpoint(TRAINED_AS, asdict(self.sizes), self.base_name, self.base_digest, tensors)

    def spec(self) -> Mapping[str, JSON]:
        """What it is, by its digest."""
        return {"kind": TRAINED_AS, "weights": self.learnt().digest}

    @property
    def width(self) -> int:
        """S."""
        return len(self.net.middle_S)

    @property
    def least(self) -> float:
        """The cosine from which on two pictures are alike."""
        return float(self.net.least)

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return bytes_of(self.net)

    def check(self, model: Model) -> None:
        """Whether it is for this model's eyes.

        Raises:
            BadInput: it was made for another model.
        """
        self.learnt().check(model, instead=f"Make one for this model: errata train {TRAINED_AS} --model MODEL --out FOLDER.")

    def of(self, model: Model, query: Query) -> Float[Tensor, " S"]:
        """The sight of a query's picture, of length 1; zeros where it has none, or several."""
        if len(query.images) != 1:
            return torch.zeros(self.width)
        with torch.no_grad():
            found: Tensor = self.net(_seen(model, query.images[0], self.sizes.places)[None])[0]
        return found


def _seen(model: Model, image: Image, places: int) -> Float[Tensor, "K D"]:
    """A picture as the model's decoder is given it, put together to some places.

    Raises:
        BadInput: it sees nothing, or only in the course of an answer.
    """
    tokens_NKD = model.features(Query.ask("?", image)).tokens_NKD
    if tokens_NKD is None:
        raise BadInput(f"What {model.name} sees can't be had apart from an answer, so no sight can be made of it.")
    return adaptive_avg_pool1d(tokens_NKD[0].float().cpu().T, places).T


def fitted(
    model: Model, views: Iterable[tuple[str, Image]], sizes: SightSizes, *, looked: Callable[[int], None] | None = None
) -> tuple[Sight, Recognised]:
    """A sight for a model's eyes, and how it does on the things that were kept back.

    Args:
        views: (thing, a view of it), two or more of each.
        looked: told how many views were looked at.

    Raises:
        BadInput: too few things, or the model sees nothing.
    """
    things: dict[str, list[Tensor]] = {}
    for count, (thing, image) in enumerate(views, start=1):
        things.setdefault(thing, []).append(_seen(model, image, sizes.places).half())
        if looked is not None:
            looked(count)
    several = [torch.stack(each) for each in things.values() if len(each) > 1]
    if len(several) < _FEWEST:
        raise BadInput(
            f"A sight is made of two views or more of at least {_FEWEST} things; here are {len(several)}. Give more pictures."
        )
    kept_back = several[::_KEPT_BACK]
    learned = [views for place, views in enumerate(several) if place % _KEPT_BACK]
    tensors = _discriminants(learned, sizes) | {"least": torch.zeros(())}
    sight = Sight.load(replace(Sight(sizes, tensors, base=model).learnt(), place="just made"))  # used as it is kept
    same_N, others_N = _pairs(sight, kept_back)
    least = others_N.sort().values[min(len(others_N) - 1, int((1 - sizes.apart) * len(others_N)))]
    sight.net.least.copy_(least)
    return sight, Recognised(float((same_N >= least).float().mean()), float((others_N >= least).float().mean()), len(kept_back))


def _discriminants(things: Sequence[Tensor], sizes: SightSizes) -> dict[str, Tensor]:
    tokens_VKD = torch.cat(list(things)).float()
    whose_V = _whose(things)
    mean_KD = tokens_VKD.mean(0)
    rows_RD = (tokens_VKD - mean_KD).flatten(0, 1)
    every = max(1, len(rows_RD) // _SAMPLE)
    some_RD = rows_RD[::every]
    narrow_DN = torch.linalg.eigh(some_RD.T @ some_RD)[1][:, -sizes.narrow :]
    narrowed_VP = ((tokens_VKD - mean_KD) @ narrow_DN).flatten(1)
    middle_TP = torch.stack([narrowed_VP[whose_V == thing].mean(0) for thing in range(len(things))])
    apart_VP = narrowed_VP - middle_TP[whose_V]
    within_PP = apart_VP.T @ apart_VP / max(1, len(apart_VP) - len(things))
    within_PP += sizes.shrinkage * within_PP.diagonal().mean() * torch.eye(len(within_PP))
    values_P, vectors_PP = torch.linalg.eigh(within_PP)
    white_PP = vectors_PP @ torch.diag(values_P.clamp(min=1e-12).rsqrt()) @ vectors_PP.T
    lie_TP = middle_TP @ white_PP
    centred_TP = lie_TP - lie_TP.mean(0)
    _, between_PP = torch.linalg.eigh(centred_TP.T @ centred_TP / len(things))
    pick_PS = white_PP @ between_PP[:, -sizes.vector :]
    return {
        "mean_KD": mean_KD,
        "narrow_DN": narrow_DN,
        "pick_PS": pick_PS,
        "middle_S": lie_TP.mean(0) @ between_PP[:, -sizes.vector :],
    }


def _pairs(sight: Sight, things: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """How alike two views of one thing are, and two of different things, each pair once."""
    with torch.no_grad():
        sights_VS = torch.cat([sight.net(views.float()) for views in things])
    whose_V = _whose(things)
    one, other = torch.triu_indices(len(whose_V), len(whose_V), offset=1)
    alike_VV = sights_VS @ sights_VS.T
    same = whose_V[one] == whose_V[other]
    alike_N = alike_VV[one, other]
    return alike_N[same], alike_N[~same]


def _whose(things: Sequence[Tensor]) -> Int[Tensor, " V"]:
    """Which thing each view is of."""
    return torch.repeat_interleave(torch.arange(len(things)), torch.tensor([len(views) for views in things]))
