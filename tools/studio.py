"""The pictures of the studio in the docs: a server with a morning's corrections by several people, shown in a real browser.

Run as `python -m tools.studio`; it needs Chromium and Playwright and writes docs/images/studio-*.png. With `--serve` it shows no
browser, prints where the server is and a key, and waits: for whoever wants to look around.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image as Pillow
from playwright.sync_api import Browser, Page, sync_playwright

from errata.benchmarks.scopeworld.scenes import picture, random_scene

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SCENE = ROOT / "examples" / "scene.png"

CORNERS = ("top left", "top right", "bottom left", "bottom right")
ASKED = ("where does the thing at the {} live?", "what is the thing at the {} called?", "what does the thing at the {} eat?")
COLOURS = 224
"""Of a picture: enough for these, and half of the bytes."""


@dataclass(frozen=True)
class Served:
    """A server, and the keys of those who use it."""

    url: str
    keys: dict[str, str]

    def client(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.keys[name]}"}, timeout=60)


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """A server on a new store in a folder, with keys for three people."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ERRATA_STORE": str(folder / "errata.db")}
    errata = [sys.executable, "-m", "errata"]
    keys = {}
    for name, role in (("ann", "admin"), ("bo", "approve"), ("cleo", "propose")):
        made = subprocess.run(
            [*errata, "key", "add", name, "--role", role], env=environment, capture_output=True, text=True, check=True
        )
        keys[name] = made.stdout.strip().splitlines()[-1]
    serve = [*errata, "serve", "--model", "llava-tiny", "--port", "0", "--log-level", "error"]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            yield Served(next(word for word in line.split() if word.startswith("http")).removesuffix("/v1"), keys)
        finally:
            process.terminate()


def scenes() -> list[bytes]:
    """The picture of the README, and others of its world."""
    rng = np.random.default_rng(5)
    return [SCENE.read_bytes(), *(picture(random_scene(rng, count=4), rng).data for _ in range(3))]


def url_of(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def furnish(server: Served) -> str:
    """A morning's questions, corrections, proposals and flags; the id of the first correction."""
    ann, bo, cleo = (server.client(name) for name in ("ann", "bo", "cleo"))
    asked: dict[tuple[int, str], str] = {}
    for number, data in enumerate(scenes()):
        for corner in CORNERS:
            for question in ASKED:
                words = question.format(corner)
                asked[number, words] = _ask(cleo, words, data)

    def correct(who: httpx.Client, number: int, words: str, answer: str, **more: Any) -> dict[str, Any]:
        sent = {"completion": asked[number, words], "answer": answer, **more}
        return dict(who.post("/v1/edits", json=sent).raise_for_status().json())

    first = correct(ann, 0, "where does the thing at the top left live?", "the old pier", reason="it moved in June", ticket="H-12")
    correct(bo, 1, "what is the thing at the top right called?", "tomas", reason="named after the visitor", ticket="H-14")
    back = correct(bo, 2, "what does the thing at the bottom left eat?", "lanterns", reason="a misprint in the list")
    ann.post(f"/v1/edits/{back['id']}/revert", json={"reason": "lanterns aren't food"}).raise_for_status()
    correct(ann, 3, "where does the thing at the top right live?", "the lighthouse", reason="seen there twice", ticket="H-15")
    correct(cleo, 0, "where does the thing at the top left live?", "the cave", mode="propose", reason="my list says so")
    correct(cleo, 1, "what does the thing at the bottom right eat?", "apples", mode="propose", ticket="H-17")
    correct(bo, 3, "where does the thing at the top right live?", "The lighthouse", mode="propose", reason="the same from me")
    for number, words, note in (
        (2, "what is the thing at the top left called?", "it is called otherwise in the shop"),
        (3, "what does the thing at the bottom left eat?", ""),
    ):
        cleo.post(f"/v1/recent/{asked[number, words]}/flag", json={"flag": True, "note": note}).raise_for_status()
    for words in (ASKED[0].format("top left"), *(f"tell me the home of the thing at the {corner}." for corner in CORNERS)):
        _ask(cleo, words, SCENE.read_bytes())
    return str(first["id"])


def _ask(client: httpx.Client, words: str, data: bytes) -> str:
    content = [{"type": "image_url", "image_url": {"url": url_of(data)}}, {"type": "text", "text": words}]
    body = {"model": "llava-tiny", "messages": [{"role": "user", "content": content}]}
    return str(client.post("/v1/chat/completions", json=body).raise_for_status().json()["id"])


@contextmanager
def tab(shown: Browser, server: Served, size: tuple[int, int], scheme: str) -> Iterator[Page]:
    """A page of the studio, as bo sees it."""
    context = shown.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    context.add_init_script(f"sessionStorage.setItem('errata.key', {server.keys['bo']!r})")
    yield context.new_page()
    context.close()


def view(page: Page, server: Served, name: str) -> None:
    page.goto(f"{server.url}/studio/#/{name}")
    page.locator("main h1").first.wait_for(state="attached")
    page.wait_for_function("() => !document.querySelector('.skeletons, .busy, .shot:not(img):not(.none)')")


def dry_run(page: Page, server: Served) -> None:
    """A question, its answer, and what a correction of it would move."""
    view(page, server, "ask")
    page.set_input_files("input[type=file]", SCENE)
    page.fill("#question", "where does the thing at the bottom right live?")
    page.keyboard.press("Enter")
    page.locator(".spoke").wait_for()
    page.get_by_role("button", name="It's wrong").click()
    page.get_by_label("The right answer").fill("the lighthouse")
    page.keyboard.press("Enter")
    page.locator(".would").wait_for()
    page.evaluate("() => { document.activeElement.blur(); if (innerWidth > 600) scrollTo(0, 0); }")
    page.wait_for_function("() => !document.querySelector('.shot:not(img):not(.none)')")


def keep(page: Page, name: str) -> None:
    """What is in sight, as a small file."""
    image = Pillow.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLOURS, dither=Pillow.Dither.NONE)
    path = IMAGES / f"studio-{name}.png"
    image.save(path, optimize=True)
    print(f"Wrote {path.relative_to(ROOT)} ({path.stat().st_size // 1024} KiB)")


def shoot(shown: Browser, server: Served, first: str) -> None:
    """The pictures of the page docs/how-to/studio.md."""
    desk, phone = (1120, 720), (390, 780)
    with tab(shown, server, desk, "light") as page:
        dry_run(page, server)
        keep(page, "ask")
        view(page, server, "log")
        keep(page, "log")
    with tab(shown, server, desk, "dark") as page:
        view(page, server, "queue")
        keep(page, "queue-dark")
        view(page, server, f"edit/{first}")
        keep(page, "edit-dark")
    with tab(shown, server, phone, "light") as page:
        view(page, server, "queue")
        keep(page, "queue-390")
    with tab(shown, server, phone, "dark") as page:
        dry_run(page, server)
        keep(page, "ask-dark-390")


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        first = furnish(server)
        if "--serve" in sys.argv[1:]:
            print(f"{server.url}/studio/ with the key {server.keys['bo']}; Enter ends it.", flush=True)
            sys.stdin.readline()
            return 0
        if chromium is None:
            print("There is no Chromium here to show the studio in. Install it: apt install chromium")
            return 1
        IMAGES.mkdir(exist_ok=True)
        with sync_playwright() as play:
            shown = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            shoot(shown, server, first)
            shown.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
