"""Each equation of the learned scopes against a naive version: similarities, losses, fusions, the contrastive loss."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from errata.editors.scoped.scopes.fusion import Batch, Fuse, Glance
from errata.editors.scoped.scopes.similarity import Alike
from errata.school.clip_school import contrast

A = torch.tensor([[0.1, 0.2, -0.1], [1.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
B = torch.tensor([[0.1, 0.0, 0.1], [0.9, 0.2, 0.1], [-0.5, 0.1, 2.0]])


def naive(kind, a, b, judge):
    if kind == "distance":
        return math.exp(-sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
    if kind == "cosine":
        lengths = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        return (1 + sum(x * y for x, y in zip(a, b, strict=True)) / lengths) / 2
    both = torch.tensor([*(x * y for x, y in zip(a, b, strict=True)), *(abs(x - y) for x, y in zip(a, b, strict=True))])
    return float(torch.sigmoid(judge(both)).detach()[0])


@pytest.mark.parametrize("kind", ["distance", "cosine", "learned"])
def test_rho_and_its_cross_entropy_are_those_of_the_naive_version(kind):
    torch.manual_seed(1)
    alike = Alike(kind, 3)
    logs, inside = alike(A, B), torch.tensor([True, False, True])
    rho = torch.tensor([naive(kind, a, b, alike.judge) for a, b in zip(A.tolist(), B.tolist(), strict=True)])
    assert torch.allclose(logs.rho_N, rho, atol=1e-6)
    assert torch.allclose(logs.outside_N.exp(), 1 - rho, atol=1e-6)
    assert float(logs.cross_entropy(inside).detach()) == pytest.approx(float(binary_cross_entropy(rho, inside.float())), abs=1e-5)


@pytest.mark.parametrize("kind", ["distance", "cosine", "learned"])
def test_a_pair_that_is_clear_costs_something_finite_and_has_a_gradient(kind):
    torch.manual_seed(1)
    alike = Alike(kind, 2)
    far = torch.tensor([[30.0, 0.0]], requires_grad=True)
    loss = alike(far, torch.tensor([[-20.0, 1.0]])).cross_entropy(torch.tensor([True]))
    (gradient,) = torch.autograd.grad(loss, far)
    assert math.isfinite(float(loss.detach()))
    assert float(gradient.abs().sum()) > 0
    same = alike(far, far.detach()).cross_entropy(torch.tensor([False]))
    assert math.isfinite(float(same.detach()))


def glance(*, patches, words=3, wide=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    some = torch.randn(1 + words + 1 + patches, wide, generator=generator)
    image = some[1 + words] if patches else None
    return Glance(some[0], some[1 : 1 + words], image, some[2 + words :] if patches else None)


@pytest.mark.parametrize("patches", [5, 1, 0])
def test_the_text_attends_to_the_pictures_patches_by_dot_product(patches):
    torch.manual_seed(0)
    fuse, seen = Fuse("dot", wide=8, width=4, layers=1), glance(patches=patches)
    text = fuse.align_text(seen.text_D)
    sights = [fuse.align_image(row) for row in seen.patches_PD] if patches else [fuse.nothing]
    weights = [math.exp(float((text * sight).sum().detach()) / 2) for sight in sights]  # the root of 4
    attended = torch.stack([weight / sum(weights) * sight for weight, sight in zip(weights, sights, strict=True)]).sum(0)
    expected = fuse.head(torch.cat([text, attended]))
    # Beside one with more patches and more words, so that padding is there to be left out.
    found = fuse(Batch.of([glance(patches=7, words=6, seed=3), seen], torch.device("cpu")))[1]
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("patches", [5, 0])
def test_concatenation_and_cross_attention_are_those_of_the_naive_version(patches):
    torch.manual_seed(0)
    seen, beside = glance(patches=patches), glance(patches=7, seed=3)
    fuse = Fuse("concat", wide=8, width=4, layers=1)
    image = fuse.align_image(seen.image_D) if patches else fuse.nothing
    expected = fuse.head(torch.cat([fuse.align_text(seen.text_D), image]))
    assert torch.allclose(fuse(Batch.of([beside, seen], torch.device("cpu")))[1], expected, atol=1e-5)

    fuse = Fuse("cross", wide=8, width=4, layers=1)
    text, cross = fuse.align_text(seen.text_D), fuse.cross
    assert cross is not None
    sights = torch.stack([fuse.align_image(row) for row in seen.patches_PD]) if patches else fuse.nothing[None]
    maps = zip((text[None], sights, sights), cross.in_proj_weight.chunk(3), cross.in_proj_bias.chunk(3), strict=True)
    q, k, v = (x @ weight.T + bias for x, weight, bias in maps)
    heads = [torch.softmax(q[:, i : i + 1] @ k[:, i : i + 1].T, -1) @ v[:, i : i + 1] for i in range(4)]  # heads are 1 wide
    attended = (torch.cat(heads, -1) @ cross.out_proj.weight.T + cross.out_proj.bias)[0]
    expected = fuse.head(torch.cat([text, attended]))
    assert torch.allclose(fuse(Batch.of([beside, seen], torch.device("cpu")))[1], expected, atol=1e-5)


def test_the_contrastive_loss_is_that_of_the_naive_version():
    images = torch.nn.functional.normalize(torch.randn(4, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
    texts = torch.nn.functional.normalize(torch.randn(4, 5, generator=torch.Generator().manual_seed(1)), dim=-1)
    total = 0.0
    for i in range(4):
        to_texts = [math.exp(3 * float(images[i] @ texts[j])) for j in range(4)]
        to_images = [math.exp(3 * float(images[j] @ texts[i])) for j in range(4)]
        total -= (math.log(to_texts[i] / sum(to_texts)) + math.log(to_images[i] / sum(to_images))) / 8
    assert float(contrast(images, texts, torch.tensor(3.0))) == pytest.approx(total, abs=1e-5)
