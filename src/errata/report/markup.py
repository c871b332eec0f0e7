"""HTML that can't be malformed: elements are values, texts are escaped where they enter, every tag is closed here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import final

Attributes = Mapping[str, str | int]
"""Attribute names and their values, escaped when the element is made."""

_VOID = frozenset({"meta", "img", "br", "hr", "col", "input"})
_BREAKS = frozenset(
    {"section", "figure", "article", "table", "tr", "svg", "details", "header", "main", "footer", "nav", "ul", "dl"}
)


@final
@dataclass(frozen=True)
class Markup:
    """Finished HTML. Only this module and the page's own style sheet make one from raw text."""

    html: str


NOTHING = Markup("")
"""No element at all."""


def el(tag: str, attributes: Attributes, *children: Markup | str) -> Markup:
    """One element around its children; a child that is a plain string is text and is escaped."""
    written = "".join(f' {name}="{escape(str(value))}"' for name, value in attributes.items())
    if tag in _VOID:
        assert not children, f"<{tag}> can't hold anything"
        return Markup(f"<{tag}{written}>")
    end = "\n" if tag in _BREAKS else ""
    return Markup(f"<{tag}{written}>{join(children).html}</{tag}>{end}")


def join(children: Iterable[Markup | str]) -> Markup:
    """Children one after another; plain strings are escaped."""
    return Markup("".join(child.html if isinstance(child, Markup) else escape(child) for child in children))


def hidden(text: str) -> Markup:
    """Words for a screen reader alone."""
    return el("span", {"class": "sr"}, text)


def table(caption: Markup | str, *, head: Iterable[Markup], body: Iterable[Markup], css: str = "", wide: bool = False) -> Markup:
    """A table of rows, in a box that scrolls sideways when the page is narrow. `caption` says what it holds.

    Args:
        wide: whether it has so many columns that a narrow page must say that it scrolls.
    """
    parts = el("table", {"class": css}, el("caption", {}, el("span", {}, caption)), el("thead", {}, *head), el("tbody", {}, *body))
    # Focusable, so that a keyboard can scroll it.
    box = el("div", {"class": "scroll", "tabindex": 0, "role": "group", "aria-label": "table, scrolls sideways"}, parts)
    hint = el("p", {"class": "hint", "aria-hidden": "true"}, "Scroll the table sideways for the rest →")
    return join([hint, box]) if wide else box


def fold(summary: Markup | str, *children: Markup) -> Markup:
    """A block that opens and closes without any script; closed at first."""
    return el("details", {}, el("summary", {}, summary), *children)
