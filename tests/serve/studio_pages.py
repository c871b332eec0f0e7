"""The studio in a real browser: what opens it, types into it, and notes what it asked for and complained of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

SCENE = Path(__file__).parent.parent.parent / "examples" / "scene.png"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE, DESK = (390, 844), (1280, 800)
AXE = Path(__file__).parent / "axe" / "axe.min.js"


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        shown = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield shown
        finally:
            shown.close()


@dataclass
class Studio:
    """A tab with the studio in it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """Errors of the console and of scripts."""

    strays: list[str] = field(default_factory=list)
    """Requests to elsewhere."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(15_000)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda asked: self._note(asked.url))
        # Whoever starts to listen only as a key is pressed may miss the chooser: the browser is told of the listener meanwhile.
        self.page.on("filechooser", lambda chosen: None)

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def _note(self, url: str) -> None:
        if not url.startswith((f"{self.url}/", "data:", f"blob:{self.url}/")):
            self.strays.append(url)

    def view(self, name: str) -> None:
        """Go to a view, and wait until what it reads is there."""
        self.page.goto(f"{self.url}/studio/#/{name}")
        self.page.locator("main h1").first.wait_for(state="attached")
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is being read or sent."""
        self.page.wait_for_function("() => !document.querySelector('.skeletons, .busy, .coming')")

    def said(self) -> str:
        """The answer in sight."""
        self.page.locator(".spoke").wait_for()
        return (self.page.locator(".said").text_content() or "").removeprefix("Answer: ")

    def ask(self, question: str, image: Path | None = None) -> str:
        """By mouse: give a picture, type, ask."""
        if image is not None:
            self.page.set_input_files("input[type=file]", image)
        self.page.fill("#question", question)
        self.page.get_by_role("button", name="Ask", exact=True).click()
        return self.said()

    def sideways(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth"))

    def faults(self) -> list[str]:
        """What axe finds serious or critical in the light theme, and of colours in the dark one, with where it is."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        self.page.emulate_media(color_scheme="light")
        found = self.page.evaluate("async () => (await axe.run()).violations")
        self.page.emulate_media(color_scheme="dark")
        found += self.page.evaluate("async () => (await axe.run({ runOnly: ['color-contrast', 'link-in-text-block'] })).violations")
        return [
            f"{one['id']}: {one['help']} {node['target']} {node.get('failureSummary', '')}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def focused(self) -> str:
        """The words of what has the focus."""
        return str(self.page.evaluate("() => document.activeElement.textContent.trim() || document.activeElement.tagName"))

    def tab_to(self, words: str, most: int = 60) -> None:
        """Press Tab until what has these words has the focus."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if words in self.focused():
                return
        raise AssertionError(f"{words!r} can't be reached by Tab; the focus is on {self.focused()!r}")


@contextmanager
def studio(shown: Browser, url: str, *, size: tuple[int, int] = DESK) -> Iterator[Studio]:
    """A tab of its own, with storage of its own."""
    context = shown.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    try:
        yield Studio(context.new_page(), url)
    finally:
        context.close()
