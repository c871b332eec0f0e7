"""What every page has: its head, whose own policy lets nothing be fetched, and sections of sentences, notes and facts."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from errata.report.markup import Markup, el, join

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, *parts: Markup, style: str = "", script: str = "") -> str:
    """A whole self-contained page around its parts.

    Args:
        style: a style sheet of this room, after that of every page.
        script: a script of this room; the policy lets this one run and no other.
    """
    told = _read("page.css") + (_read(style) if style else "")
    code = _read(script) if script else ""
    head = el(
        "head",
        {},
        el("meta", {"charset": "utf-8"}),
        el("meta", {"http-equiv": "Content-Security-Policy", "content": _policy(code)}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "color-scheme", "content": "light dark"}),
        el("title", {}, title),
        el("style", {}, Markup(told)),
    )
    running = [el("script", {}, Markup(code))] if code else []
    return "<!doctype html>\n" + el("html", {"lang": "en"}, head, el("body", {}, *parts, *running)).html + "\n"


def _policy(code: str) -> str:
    """Nothing is fetched, and nothing runs but this code, told by its digest."""
    if not code:
        return _POLICY
    return f"{_POLICY}; script-src 'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return files("errata.report").joinpath(name).read_text(encoding="utf-8")


def masthead(title: str, lead: str, facts: Markup, *, kind: str = "report of a benchmark run") -> Markup:
    """The page's title, what it says in one sentence, and what it is of."""
    return el(
        "header", {}, el("p", {"class": "eyebrow"}, f"errata · {kind}"), el("h1", {}, title),
        el("p", {"class": "lead"}, lead), facts,
    )  # fmt: skip


def section(name: str, title: str, *content: Markup) -> Markup:
    """A part of the page that can be linked to."""
    return el(
        "section", {"id": name, "aria-labelledby": f"{name}-title"}, el("h2", {"id": f"{name}-title"}, title), *content
    )  # fmt: skip


def listed_facts(facts: dict[str, str]) -> Markup:
    """Names with their values. A long digest is cut to what a reader compares; the whole stays reachable."""
    rows = [el("div", {"class": "fact"}, el("dt", {}, name), el("dd", {}, _digest(value))) for name, value in facts.items()]
    return el("dl", {"class": "facts"}, *rows)


def takeaway(text: str) -> Markup:
    """The sentence that a figure comes to."""
    return el("p", {"class": "takeaway"}, text)


def note(text: str) -> Markup:
    """How to read a figure."""
    return el("p", {"class": "note"}, text)


def beside(figure: Markup, words: Markup) -> Markup:
    """A figure with its note at its side where the page is wide."""
    return el("div", {"class": "beside"}, figure, words)


def grouped(value: object) -> str:
    """A number with commas."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _digest(value: str) -> Markup:
    return el("abbr", {"title": value}, value[:12]) if len(value) == 64 and " " not in value else join([value])
