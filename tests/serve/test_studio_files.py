"""The studio's files: what is vendored is what was published, what is imported is there, and it is served so that it stays so."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from errata.serve.routes import studio
from errata.serve.wire.errors import handle_errors

VENDOR = studio.FOLDER / "vendor"
PAGE = (studio.FOLDER / "index.html").read_text(encoding="utf-8")
MAP = json.loads(re.findall(r'<script type="importmap">(.*?)</script>', PAGE, re.DOTALL)[0])
OWN = sorted(path for path in studio.FOLDER.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg"})


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    handle_errors(app)
    app.include_router(studio.router)
    return TestClient(app, follow_redirects=False)


def digest(data: bytes, algorithm: str) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def test_each_vendored_module_is_the_one_that_was_recorded_under_a_licence_that_is_there():
    listed = (VENDOR / "LICENSES.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.-]+)` \|.*?\]\(([\w.-]+)\) \| `(sha384-\S+)` \|$", listed, re.MULTILINE)
    assert {name for name, _, _ in rows} == {path.name for path in VENDOR.glob("*.mjs")}
    for name, licence, recorded in rows:
        assert digest((VENDOR / name).read_bytes(), "sha384") == recorded, name
        assert MAP["integrity"][f"./vendor/{name}"] == recorded, name
        assert (VENDOR / licence).stat().st_size > 500, name


def test_every_import_leads_to_a_file_of_the_page():
    known = set(MAP["imports"])
    for path in (*studio.FOLDER.rglob("*.js"), *VENDOR.glob("*.mjs")):
        for name in re.findall(r"""(?:\bfrom|\bimport)\s*["']([^"']+)["']""", path.read_text(encoding="utf-8")):
            if name.startswith("."):
                assert (path.parent / name).is_file(), f"{path.name}: {name}"
            else:
                assert name in known, f"{path.name}: {name}"
    assert all((studio.FOLDER / target).is_file() for target in MAP["imports"].values())


def test_nothing_of_the_page_is_from_elsewhere():
    names = {url for path in OWN for url in re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))}
    assert names <= {"http://www.w3.org/2000/svg"}


def test_the_policy_allows_the_import_map_by_its_digest_and_no_other_inline_script(client):
    policy = client.get("/studio/").headers["Content-Security-Policy"]
    (inline,) = [text for text in re.findall(r"<script[^>]*>(.*?)</script>", PAGE, re.DOTALL) if text.strip()]
    assert f"script-src 'self' '{digest(inline.encode(), 'sha256')}';" in policy
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", PAGE)


def test_files_are_served_by_their_types_and_kept_until_they_change(client):
    for name, kind in (
        ("", "text/html"),
        ("app.js", "text/javascript"),
        ("vendor/preact.mjs", "text/javascript"),
        ("studio.css", "text/css"),
        ("mark.svg", "image/svg+xml"),
    ):
        first = client.get(f"/studio/{name}")
        assert first.status_code == 200
        assert first.headers["Content-Type"].startswith(kind)
        assert first.headers["X-Content-Type-Options"] == "nosniff"
        again = client.get(f"/studio/{name}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(f"/studio/{name}", headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_root_leads_to_the_page(client):
    for path in ("/", "/studio"):
        answer = client.get(path)
        assert answer.status_code == 307
        assert client.get(path, follow_redirects=True).text == PAGE


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "vendor/../../app.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "app.js%00",
        "nothing.js",
    ],
)
def test_no_name_leads_out_of_the_folder(client, name):
    answer = client.get(f"/studio/{name}")
    assert answer.status_code == 404
    assert "root:" not in answer.text
