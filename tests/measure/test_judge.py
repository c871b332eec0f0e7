"""The judge's endpoint over real sockets: what is sent, what comes back, and what every failure says."""

from __future__ import annotations

import base64
import io
import json
import socket
import time

import numpy as np
import pytest
from PIL import Image as Pillow

from errata.core.errors import BadInput, JudgeFailed
from errata.core.images import Image
from errata.measure.judge import Judge
from tests.conftest import picture
from tests.measure.judges import Reply, said, serving

KEY = "sk-not-a-real-key"


@pytest.fixture(autouse=True)
def _straight(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def judge(url, **named):
    return Judge(url, "the-model", **{"key": KEY, "pause_s": 0.01, "timeout_s": 2.0, **named})


def test_a_prompt_goes_out_with_its_picture_and_the_reply_comes_back():
    with serving(lambda body: said("Yes")) as endpoint:
        assert judge(endpoint.url)("is it?", picture(1)) == "Yes"
        assert judge(endpoint.url + "/", key="")("is it?", None) == "Yes"
    pictured, plain = endpoint.asked
    text, image = pictured["messages"][0]["content"]
    assert (pictured["model"], pictured["temperature"], text) == ("the-model", 0, {"type": "text", "text": "is it?"})
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == picture(1).data
    assert len(plain["messages"][0]["content"]) == 1
    assert endpoint.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in endpoint.headers[1]
    assert endpoint.paths == ["/v1/chat/completions"] * 2


def drawn(kind, **options):
    data = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 256, (16, 24, 4), dtype=np.uint8)
    noise[..., 3] = options.pop("alpha", 255)
    Pillow.fromarray(noise).convert("RGBA" if kind == "PNG" else "RGB").save(data, kind, **options)
    return Image.of(data.getvalue())


def turned(number):
    notes = Pillow.Exif()
    notes[274] = number
    return notes


@pytest.mark.parametrize(
    ("image", "media"),
    [
        (drawn("JPEG"), "image/jpeg"),
        (drawn("JPEG", exif=turned(6)), "image/png"),
        (drawn("PNG", alpha=90), "image/png"),
        (drawn("TIFF"), "image/png"),
        (drawn("WEBP", exif=turned(3)), "image/png"),
    ],
)
def test_the_judge_gets_the_pixels_that_the_model_gets(image, media):
    with serving(lambda body: said("Yes")) as endpoint:
        judge(endpoint.url)("is it?", image)
    head, _, data = endpoint.asked[0]["messages"][0]["content"][1]["image_url"]["url"].partition(",")
    assert head == f"data:{media};base64"
    with Pillow.open(io.BytesIO(base64.b64decode(data))) as sent:
        assert (sent.mode, sent.getexif().get(274)) == ("RGB", None)
        assert np.array_equal(np.asarray(sent), np.asarray(image.pixels()))


def test_what_may_pass_is_tried_again_and_waited_for():
    replies = [Reply(500), Reply(429, headers={"Retry-After": "1"}), Reply(hang_up=True), said("No")]
    with serving(lambda body: replies.pop(0)) as endpoint:
        started = time.monotonic()
        assert judge(endpoint.url)("is it?", None) == "No"
    assert time.monotonic() - started >= 1.0
    assert len(endpoint.asked) == 4


@pytest.mark.parametrize(
    ("reply", "asked", "words"),
    [
        (Reply(401), 1, "status 401 .*Is the key"),
        (Reply(403), 1, "status 403"),
        (Reply(404), 1, "status 404 .*with /v1 at its end"),
        (Reply(400), 1, "status 400"),
        (Reply(302, headers={"Location": "http://127.0.0.1:9/v1"}), 1, "status 302 .*Redirects aren't followed"),
        (Reply(308, headers={"Location": "http://127.0.0.1:9/v1"}), 1, "status 308 .*Redirects aren't followed"),
        (
            Reply(400, body=b'{"error": {"message": "temperature 0\\nisn\'t for the-model."}}'),
            1,
            r"400 \(temperature 0 isn't for the-model\)",
        ),
        (Reply(401, body=json.dumps({"error": {"message": f"{'x' * 290} {KEY} is wrong"}}).encode()), 1, r"401 \(x{290} \*\*\*"),
        (Reply(400, body=b'{"error": 3}'), 1, "status 400 .Bad Request"),
        (Reply(529), 3, "status 529"),
        (Reply(503), 3, "status 503 .*tried 3 times. Run the same command again"),
        (Reply(hang_up=True), 3, "can't be reached: .*tried 3 times"),
        (Reply(body=b"<html>"), 1, "didn't send a chat completion but b'<html>'"),
        (Reply(body=b'{"choices": []}'), 1, "didn't send a chat completion"),
        (Reply(body=b"[" * 100_000), 1, "didn't send a chat completion"),
        (Reply(body=b" " * 1_100_000), 1, "more than 1,048,576 bytes"),
        (said(None), 1, "without text"),
        (said("half a pair: \ud83d"), 1, "isn't valid Unicode"),
    ],
)
def test_every_failure_is_a_sentence_without_the_key(reply, asked, words):
    with serving(lambda body: reply) as endpoint, pytest.raises(JudgeFailed, match=f"(?s){words}") as failed:
        judge(endpoint.url, tries=3)("is it?", None)
    assert len(endpoint.asked) == asked
    assert KEY not in str(failed.value)


def test_silence_and_nobody_there_are_sentences():
    with (
        serving(lambda body: Reply(wait_s=0.6)) as endpoint,
        pytest.raises(JudgeFailed, match=r"didn't answer within 0\.2 seconds"),
    ):
        judge(endpoint.url, tries=2, timeout_s=0.2)("is it?", None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = taken.getsockname()[1]
    with pytest.raises(JudgeFailed, match="can't be reached: .*refused"):
        judge(f"http://127.0.0.1:{free}/v1", tries=2)("is it?", None)
    with pytest.raises(JudgeFailed, match="can't be reached"):
        judge(f"http://{'a' * 70}.test/v1", tries=1)("is it?", None)  # no name on the net has a part so long


@pytest.mark.parametrize(
    ("url", "named", "words"),
    [
        ("ftp://host/v1", {}, "isn't the base"),
        ("host/v1", {}, "isn't the base"),
        ("file:///etc/hosts", {}, "isn't the base"),
        ("http://host:port/v1", {}, "isn't the base"),
        ("http://[::1/v1", {}, "isn't the base"),
        ("https://user:word@host/v1", {}, "isn't the base"),
        ("https://host/v1?key=3", {}, "isn't the base"),
        ("https://host/v1/é", {}, "isn't the base"),
        ("https://host /v1", {}, "isn't the base"),
        ("https://host/v1", {"key": "a\x00"}, "key holds spaces"),
        ("https://host/v1", {"key": "a b"}, "key holds spaces"),
        ("https://host/v1", {"key": "a\n"}, "key holds spaces"),
        ("https://host/v1", {"key": "ä"}, "key holds spaces, or signs"),
    ],
)
def test_an_endpoint_or_key_that_cannot_be_is_refused_before_anything_is_sent(url, named, words):
    with pytest.raises(BadInput, match=words):
        judge(url, **named)
    assert KEY not in repr(judge("https://host/v1"))
