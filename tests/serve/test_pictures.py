"""Pictures in requests: data URLs however they are written, hosts that may be fetched from, and every way around that refused."""

from __future__ import annotations

import base64
import io
import struct
import threading
import time
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from PIL import Image as Pillow
from starlette.testclient import TestClient

from errata.core.errors import BadImage, BadInput
from errata.core.images import Image
from errata.serve.addresses import Allowed, is_public
from errata.serve.app import create_app
from errata.serve.pictures import Pictures
from errata.serve.service import Service, Serving
from tests.conftest import picture
from tests.serve.served import Scripted, data_url

SHOWN = picture(1)
B64 = base64.b64encode(SHOWN.data).decode()
URL_SAFE = base64.urlsafe_b64encode(SHOWN.data).decode()


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{B64}",
        f"DATA:image/PNG;BASE64,{B64}",
        f"data:image/jpeg;base64,{B64}",  # named wrongly: what it is, its bytes say
        f"data:;base64,{B64}",
        f"data:application/octet-stream;base64,{B64}",
        f"data:image/png;charset=utf-8;base64,{B64}",
        f"  data:image/png;base64,{B64}\n",
        "data:image/png;base64," + "\r\n".join(B64[at : at + 76] for at in range(0, len(B64), 76)),
        "data:image/png;base64,\t" + " ".join(B64[at : at + 10] for at in range(0, len(B64), 10)),
        f"data:image/png;base64,{quote(B64, safe='')}",
        f"data:image/png;base64,{B64.rstrip('=')}",
        f"data:image/png;base64,{URL_SAFE}",
        f"data:image/png;base64,{URL_SAFE.rstrip('=')}",
        f"data:image/png,{quote(SHOWN.data)}",
    ],
)
def test_a_data_url_is_read_however_it_is_wrapped(url):
    assert Pictures().read(url) == SHOWN


@pytest.mark.parametrize(
    "url",
    ["", "data:", "data:image/png;base64,", "data:image/png;base64,!!!!", "data:text/html;base64,PGI+", "picture.png",
     f"data:image/png;base64,{B64[:90]}", "data:image/png;base64,AAAA", "/etc/passwd", "../../etc/passwd", "file:///etc/passwd",
     "ftp://a/b.png", "@@@langfuseMedia:type=image/png|id=x|source=y@@@", "http://", "https://[::1", "gopher://127.0.0.1:70/x",
     "http://user:word@images.example/x.png", "http://images.example:99999/x.png", "HTTP://127.0.0.1/x", "http://\ud800/"],
)  # fmt: skip
def test_what_is_no_picture_is_refused(url):
    with pytest.raises(BadInput):
        Pictures().read(url)


class _Server(ThreadingHTTPServer):
    """A host that notes what it is asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Host)
        self.asked: list[tuple[str, str | None]] = []


class _Host(BaseHTTPRequestHandler):
    """Gives pictures, sends on, drips, and floods."""

    server: _Server

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        name, _, rest = self.path.strip("/").partition("/")
        if name == "to":
            self.send_response(302)
            self.send_header("Location", rest)
            self.end_headers()
        elif name == "missing":
            self.send_error(404)
        elif name == "slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"a")
                self.wfile.flush()
                time.sleep(0.05)
        elif name == "flood":
            self.send_response(200)
            self.end_headers()
            block = b"\0" * (1 << 20)
            for _ in range(40):
                self.wfile.write(block)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SHOWN.data if name == "picture" else b"no picture")

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # whoever asked has heard enough

    def log_message(self, *_):
        pass


@contextmanager
def hosting():
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def host():
    with hosting() as server:
        yield server


def at(host, path, name="127.0.0.1"):
    return f"http://{name}:{host.server_port}/{path}"


def reading(host, *more, resolve=None, **settled):
    allowed = tuple(Allowed.of(each) for each in (f"127.0.0.1:{host.server_port}", *more))
    return Pictures(allowed, **({} if resolve is None else {"resolve": resolve}), **settled)


def test_a_picture_is_fetched_from_a_host_that_is_allowed(host):
    assert reading(host).read(at(host, "picture")) == SHOWN
    assert reading(host).read(at(host, "to/" + at(host, "picture"))) == SHOWN
    assert reading(host).read(at(host, "to//picture")) == SHOWN


def test_a_name_that_is_allowed_with_its_address_is_asked_for_by_name_at_that_address(host):
    by_name = reading(host, f"pictures.internal:{host.server_port}=127.0.0.1", resolve=lambda name, port: ["127.0.0.1"])
    assert by_name.read(at(host, "picture", "pictures.internal")) == SHOWN
    assert host.asked[-1] == ("/picture", f"pictures.internal:{host.server_port}")
    elsewhere = reading(host, f"pictures.internal:{host.server_port}=127.0.0.1", resolve=lambda name, port: ["10.0.0.5"])
    with pytest.raises(BadInput, match="isn't public"):
        elsewhere.read(at(host, "picture", "pictures.internal"))


def test_no_other_host_is_asked(host):
    asked = len(host.asked)
    for pictures in (Pictures(), Pictures((Allowed.of("images.example"),)), Pictures((Allowed.of("127.0.0.1"),))):
        with pytest.raises(BadInput, match="Nothing is fetched from"):
            pictures.read(at(host, "picture"))
    with pytest.raises(BadInput, match="Nothing is fetched from"):
        reading(host).read(at(host, "picture", "localhost"))
    assert len(host.asked) == asked


def test_a_redirect_leads_nowhere_that_is_not_allowed(host):
    with hosting() as inner:
        for target in (
            at(inner, "picture"),
            f"http://localhost:{inner.server_port}/picture",
            "file:///etc/passwd",
            "//169.254.169.254/x",
        ):
            with pytest.raises(BadInput, match=r"Nothing is fetched from|can't be fetched"):
                reading(host).read(at(host, f"to/{target}"))
        assert inner.asked == []


def test_a_name_that_points_to_this_machine_or_its_network_is_not_connected_to(host):
    for address in ("127.0.0.1", "10.0.0.5", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "::1", "::",
                    "::ffff:127.0.0.1", "::ffff:7f00:1", "fe80::1%eth0", "fc00::1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1",
                    "ff02::1", "fec0::1", "240.0.0.1"):  # fmt: skip
        asked = len(host.asked)
        by_name = reading(host, f"pictures.example:{host.server_port}", resolve=lambda name, port, found=address: [found])
        with pytest.raises(BadInput, match="isn't public"):
            by_name.read(at(host, "picture", "pictures.example"))
        mixed = reading(host, f"pictures.example:{host.server_port}", resolve=lambda name, port, found=address: ["8.8.8.8", found])
        with pytest.raises(BadInput, match="isn't public"):
            mixed.read(at(host, "picture", "pictures.example"))
        assert len(host.asked) == asked


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(host):
    resolved = []

    def rebinding(name, port):
        resolved.append(name)
        return ["127.0.0.1"] if len(resolved) == 1 else ["10.0.0.5"]

    name = f"pictures.internal:{host.server_port}=127.0.0.1"
    assert reading(host, name, resolve=rebinding).read(at(host, "picture", "pictures.internal")) == SHOWN
    assert resolved == ["pictures.internal"]


@pytest.mark.parametrize(
    "name", ["127.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.1.", "0"]
)
def test_an_address_written_in_another_form_is_no_way_around(host, name):
    asked = len(host.asked)
    with pytest.raises(BadInput):
        reading(host).read(at(host, "picture", name)) if name != "127.0.0.1." else Pictures().read(at(host, "picture", name))
    assert len(host.asked) == asked


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("::ffff:8.8.8.8", True), ("2002:808:808::", True)],
)
def test_what_is_public(address, public):
    import ipaddress

    assert is_public(ipaddress.ip_address(address)) is public


def test_what_does_not_come_whole_or_in_time_or_is_no_picture_is_refused(host):
    for path, why in (("missing", "404"), ("text", "isn't a picture"), ("flood", "more than"), ("to/" * 5 + "x", "sent on")):
        target = at(host, path) if not path.startswith("to") else at(host, "to//to//to//to//to//picture")
        with pytest.raises(BadImage, match=why):
            reading(host).read(target)
    begun = time.monotonic()
    with pytest.raises(BadImage):
        reading(host, within_s=0.3).read(at(host, "slow"))
    assert time.monotonic() - begun < 3
    with pytest.raises(BadInput, match="can't be found"):
        reading(host, "nowhere.invalid").read("http://nowhere.invalid/x")


@pytest.mark.parametrize("text", ["", "a/b", "http://a", "a:b", "a:99999", "a=b", "=10.0.0.1", "user@a", "a?b"])
def test_a_host_that_is_none_can_not_be_allowed(text):
    with pytest.raises(BadInput, match="--allow-host"):
        Allowed.of(text)


def claiming(side):
    """A picture that says it is much larger than it is."""
    head = struct.pack(">II", side, side) + SHOWN.data[24:29]
    return SHOWN.data[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + SHOWN.data[33:]


def flat(side):
    """A picture of one bit a pixel."""
    data = io.BytesIO()
    Pillow.new("1", (side, side)).save(data, "PNG")
    return data.getvalue()


def refused(client, *urls):
    content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    body = {"model": "scripted", "messages": [{"role": "user", "content": [*content, {"type": "text", "text": "what?"}]}]}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


def test_bombs_and_broken_pictures_are_refused_and_the_place_is_named(client, engine):
    for side in (9_000, 60_000):
        bomb = f"data:image/png;base64,{base64.b64encode(claiming(side)).decode()}"
        assert "at most 64,000,000 are accepted" in refused(client, bomb)["message"]
    broken = data_url(Image("0" * 64, SHOWN.data[:-40]))
    error = refused(client, data_url(SHOWN), broken)
    assert (error["param"], error["code"]) == ("messages[0].content[1].image_url.url", "invalid_image")
    pair = [f"data:image/png;base64,{base64.b64encode(flat(5_700)).decode()}"] * 2
    assert "together" in refused(client, *pair)["message"]
    assert "17 pictures" in refused(client, *[data_url(SHOWN)] * 17)["message"]
    assert engine.came == []


def test_a_body_that_is_too_long_is_not_read():
    app = create_app(Service(Scripted(), Serving("ann", max_body=1000)))
    client = TestClient(app, base_url="http://127.0.0.1")
    for body in (b"x" * 1001, (b"x" * 400 for _ in range(4))):
        answer = client.post("/v1/chat/completions", content=body)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "request_too_large"
