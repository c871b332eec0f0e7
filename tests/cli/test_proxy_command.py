"""`errata proxy`: a sentence before anything starts where it can't stand in front of what is named."""

from __future__ import annotations

import json

import pytest

from errata.cli.proxy.proxy import Corrected
from errata.core.errors import BadInput
from errata.log import store_exists
from tests.cli.runs import errata
from tests.serve.proxy.upstreams import NAME, Reply, completion, fronted, upstream


@pytest.fixture(scope="module")
def fake():
    with upstream() as found:
        found.said = lambda asked: Reply(completion("yes") if asked.body["model"] == NAME else b'{"detail": "no such model"}', 200)
        yield found


def test_what_can_be_told_without_the_upstream_is_told_first(fake, tmp_path):
    for words, said in (
        ((), "Nothing says which model is to be corrected"),
        (("--upstream", "127.0.0.1:8000"), "is no address"),
        (("--upstream", "http://user:pw@127.0.0.1/v1"), "is no address"),
        (("--upstream", fake.url, "--editor", "nothing"), "There is no editor named 'nothing'"),
        (("--upstream", fake.url, "--upstream-key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY holds no key"),
    ):
        fake.asked.clear()
        done = errata("proxy", "--port", "0", *words, cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert len(done.err.splitlines()) == 1
        assert fake.asked == []
    assert list(tmp_path.iterdir()) == []


def test_what_cant_be_served_there_is_a_sentence_and_no_store(fake, tmp_path):
    done = errata("proxy", "--port", "0", "--upstream", fake.url, "--editor", "codebook", "--store", "new.db", cwd=tmp_path)
    assert done.code == 2
    assert "The editor codebook needs a model's weights, and org/big is asked at an upstream" in done.err
    assert "pinned, stated, pin, patch, none" in done.err
    assert not store_exists(tmp_path / "new.db")


def test_a_log_of_another_model_is_refused(fake, tmp_path):
    with fronted(fake, tmp_path / "errata.db"):
        pass
    fake.listed, was = json.dumps({"data": [{"id": "other"}, {"id": NAME}]}).encode(), fake.listed
    try:
        done = errata("proxy", "--port", "0", "--upstream", fake.url, "--model", "other", cwd=tmp_path)
    finally:
        fake.listed = was
    assert done.code == 2
    assert "This log is of the model org/big" in done.err


def test_a_log_of_a_model_that_errata_opens_is_refused(fake, tmp_path):
    from errata import open as open_model

    with open_model("llava-tiny", store=tmp_path / "errata.db", editor="pin"):
        pass
    done = errata("proxy", "--port", "0", "--upstream", fake.url, cwd=tmp_path)
    assert done.code == 2
    assert "of the model llava-tiny, which errata serve opens" in done.err


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, None),
        ({"way": "pinned"}, "pinned"),
        ({"way": "told"}, "stated"),
        ({"near": "clip-tiny"}, "pinned:encoders=clip-tiny,threshold=0.95"),
        ({"near": "clip-tiny", "way": "told", "threshold": 0.9}, "stated:encoders=clip-tiny,threshold=0.9"),
        ({"reader": "smollm2"}, "rerank:reader=smollm2"),
        ({"reader": "x", "way": "pinned"}, "scoped:scope=rerank,surely=0.5,editor=routed:follows=base,reader=x"),
        ({"reader": "x", "way": "told"}, "scoped:scope=rerank,surely=0.5,editor=counterfactual,reader=x"),
        ({"reader": "x", "near": "clip-tiny"}, "Give one or the other"),
        ({"reader": "x", "threshold": 0.9}, "Give one or the other"),
        ({"reader": "a,b"}, "The reader 'a,b' has a comma"),
        ({"reader": "x", "editor": "patch"}, "--editor says all"),
        ({"editor": "patch"}, "patch"),
        ({"editor": "patch", "way": "told"}, "--editor says all"),
        ({"threshold": 0.9}, "name an encoder with --near"),
        ({"near": "x", "threshold": 1.0}, "below 1"),
        ({"near": "a,b"}, "a comma"),
    ],
)
def test_options_name_an_editor(given, asked):
    if asked is None or " " not in asked:
        assert Corrected(**given).asked == asked
        return
    with pytest.raises(BadInput, match=asked):
        _ = Corrected(**given).asked
