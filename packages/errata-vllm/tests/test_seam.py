"""In a runner that cuts prompts, mixes requests and takes up cached prefixes, each request is read as it would be alone."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from errata.core.errors import LogError
from errata_vllm.following import Folded
from errata_vllm.seam import Seam
from errata_vllm.worker import Worker
from walks import OUT, VERSIONS, WIDTH, blank, expected, walk

BLOCK, BLOCKS = 4, 64


class Log:
    """A log whose versions are those of `walks`; entry n is version n - 1."""

    module = "model.layers.3.mlp.down_proj"

    def __init__(self):
        self.newest = len(VERSIONS)

    def lens(self):
        return blank().book

    def at(self, seq):
        if not 1 <= seq <= len(VERSIONS):
            raise LogError(f"There is no entry {seq}.")
        return Folded(seq, VERSIONS[seq - 1].edits, VERSIONS[seq - 1])

    def head(self):
        return self.at(self.newest)

    def pinned(self, given):
        return 0 if given == "base" else given


class Runner:
    """What the seam sees of vLLM's model runner, with a scheduler that does as it likes."""

    def __init__(self, seed, *, caching=True):
        self.model = nn.Module()
        self.model.layers = nn.ModuleList([nn.Module() for _ in range(4)])
        self.model.layers[3].mlp = nn.Module()
        self.model.layers[3].mlp.down_proj = nn.Linear(WIDTH, OUT, bias=False)
        spec = SimpleNamespace(block_size=BLOCK)
        self.kv_cache_config = SimpleNamespace(kv_cache_groups=[SimpleNamespace(kv_cache_spec=spec)], num_blocks=BLOCKS)
        self.cache_config = SimpleNamespace(enable_prefix_caching=caching)
        self.requests, self.inputs, self.done = {}, {}, {}
        self.draw = random.Random(seed)
        self.free = list(range(BLOCKS))
        self.draw.shuffle(self.free)

    def get_model(self):
        return self.model

    def _model_forward(self, x_TI):
        return self.model.layers[3].mlp.down_proj(x_TI)

    def add(self, name, x_TI, *, pin=None, prefix=(), whole=0):
        """A request over these positions, of which the blocks in `prefix` are cached."""
        own = [self.free.pop() for _ in range(-(-len(x_TI) // BLOCK) - len(prefix))]
        params = SimpleNamespace(extra_args=None if pin is None else {"errata_at": pin}, prompt_logprobs=whole)
        self.requests[name] = SimpleNamespace(block_ids=([*prefix, *own],), sampling_params=params)
        self.inputs[name], self.done[name] = x_TI, len(prefix) * BLOCK

    @torch.no_grad()
    def step(self, names, padding=0):
        """Some positions of each; returns the outputs by name."""
        starts = [self.done[name] for name in names]
        counts = [self.draw.randint(1, min(7, len(self.inputs[name]) - start)) for name, start in zip(names, starts, strict=True)]
        x_TI = torch.cat([self.inputs[name][at : at + n] for name, at, n in zip(names, starts, counts, strict=True)])
        ends = np.array([0, *np.cumsum(counts)])
        self.query_start_loc = SimpleNamespace(np=ends)
        places = [
            self.requests[name].block_ids[0][at // BLOCK] * BLOCK + at % BLOCK
            for name, start, count in zip(names, starts, counts, strict=True)
            for at in range(start, start + count)
        ]
        table = SimpleNamespace(slot_mapping=SimpleNamespace(gpu=torch.tensor([*places, *[-1] * padding])))
        told = {"num_reqs": len(names), "req_ids": list(names), "num_computed_tokens_cpu": np.array(starts)}
        self.input_batch = SimpleNamespace(block_table=[table], **told)
        y_TO = self._model_forward(torch.cat([x_TI, torch.zeros(padding, WIDTH)]))
        for name, count in zip(names, counts, strict=True):
            self.done[name] += count
        return {name: y_TO[ends[index] : ends[index + 1]] for index, name in enumerate(names)}

    def run(self, names):
        """All of them to their ends, in steps of some."""
        found = {name: [] for name in names}
        while left := [name for name in names if self.done[name] < len(self.inputs[name])]:
            for name, y_TO in self.step(
                self.draw.sample(left, self.draw.randint(1, len(left))), padding=self.draw.choice((0, 3))
            ).items():
                found[name].append(y_TO)
        return {name: torch.cat(parts) for name, parts in found.items()}

    def plain(self, x_TI):
        return x_TI @ self.model.layers[3].mlp.down_proj.weight.detach().T


def corrected(seed, **more):
    runner, log = Runner(seed, **more), Log()
    return runner, log, Seam(runner, log, slots=64, poll_s=3600)


@pytest.mark.parametrize("seed", range(12))
def test_requests_of_many_versions_in_steps_of_any_size_are_each_read_alone(seed):
    runner, _, seam = corrected(seed)
    pins = {f"r{number}": pin for number, pin in enumerate((None, 1, 2, "base", 3, 4))}
    for number, (name, pin) in enumerate(pins.items()):
        runner.add(name, walk(seed * 100 + number, 24), pin=pin)
    found = runner.run(list(pins))
    for name, pin in pins.items():
        x, y = runner.inputs[name], runner.plain(runner.inputs[name])
        meant = y if pin == "base" else expected(VERSIONS[(pin or len(VERSIONS)) - 1], x, y)
        assert torch.allclose(found[name], meant, atol=1e-6)
    assert seam.counts.spoken


@pytest.mark.parametrize("seed", range(12))
def test_where_only_the_last_position_counts_it_is_read_as_it_would_be_alone(seed):
    runner, _, seam = corrected(seed)
    xs = {f"r{number}": walk(seed * 100 + number, 24) for number in range(4)}
    for name, x in xs.items():
        runner.add(name, x, whole=None)
    at = dict.fromkeys(xs, 0)
    while left := [name for name in xs if runner.done[name] < 24]:
        for name, y_TO in runner.step(left).items():
            at[name] += len(y_TO)
            meant = expected(VERSIONS[-1], xs[name], runner.plain(xs[name]))[at[name] - 1]
            assert torch.allclose(y_TO[-1], meant, atol=1e-6)
    assert seam.counts.spoken


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("pin", [2, 3])
def test_behind_a_cached_prefix_what_spoke_at_its_end_is_known_under_every_version(seed, pin):
    runner, _, seam = corrected(seed)
    x = walk(seed + 500, 24)
    runner.add("first", x, pin=1)  # the prefix is read under another version than it is taken up by
    runner.run(["first"])
    for blocks in range(1, 6):
        name = f"second{blocks}"
        runner.add(name, x, pin=pin, prefix=runner.requests["first"].block_ids[0][:blocks])
        found = runner.run([name])[name]
        meant = expected(VERSIONS[pin - 1], x, runner.plain(x))[blocks * BLOCK :]
        assert torch.allclose(found, meant, atol=1e-6)
        runner.free += runner.requests.pop(name).block_ids[0][blocks:]
    assert seam.counts.prefixes == 5


def test_a_request_keeps_the_version_it_began_under_and_the_next_one_has_the_new_one():
    runner, log, seam = corrected(1)
    log.newest = 1
    seam.status(look=True)
    x = walk(11, 24)
    runner.add("before", x)
    runner.step(["before"])
    at = runner.done["before"]
    log.newest = 3
    assert seam.status(look=True)["seq"] == 3
    runner.add("after", x)
    found = runner.run(["before", "after"])
    plain = runner.plain(x)
    assert torch.allclose(found["before"], expected(VERSIONS[0], x, plain)[at:], atol=1e-6)
    assert torch.allclose(found["after"], expected(VERSIONS[2], x, plain), atol=1e-6)
    assert not torch.allclose(found["after"][at:], found["before"], atol=1e-6)


def test_without_requests_of_the_engine_nothing_is_changed():
    runner, _, _ = corrected(2)
    x = walk(3)
    assert torch.equal(runner.model.layers[3].mlp.down_proj(x), x @ runner.model.layers[3].mlp.down_proj.weight.T)


def test_a_step_that_does_not_reach_the_operation_is_not_answered():
    runner, _, _ = corrected(2)
    runner.add("one", walk(4, 24))
    runner.model.layers[3].mlp.down_proj = runner.model.layers[3].mlp.down_proj.inner  # as in a graph compiled without it
    with pytest.raises(RuntimeError, match="without the operation.*--enforce-eager"):
        runner.step(["one"])


def test_full_buffers_leave_the_worker_at_its_last_version_and_it_says_why():
    runner, log = Runner(0), Log()
    log.newest = 1
    seam = Seam(runner, log, slots=4, poll_s=3600)
    log.newest = 3
    told = seam.status(look=True)
    assert (told["seq"], len(told["edits"])) == (1, 1)
    assert "ERRATA_SLOTS" in told["why_behind"]
    log.newest = 1
    worker = Worker()
    worker.model_runner = SimpleNamespace(errata=seam)
    assert worker.errata_follow()["why_behind"] == worker.errata_status()["why_behind"] == ""
