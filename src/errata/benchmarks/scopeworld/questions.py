"""Questions as structures: each has a family, a way to refer, an answer computed from the world, and six wordings.

The answer never comes from words: `Question.answer(world, view)` looks it up in the scene graph and the knowledge base, so the same
question can be asked of an edited world. The last two wordings of each family are held out of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from errata.benchmarks.scopeworld.knowledge import COLOURS, GLYPHS, Kind, Knowledge, Relation
from errata.benchmarks.scopeworld.scenes import CELLS, Scene

Direction = Literal["left of", "right of", "above", "below"]
DIRECTIONS: tuple[Direction, ...] = ("left of", "right of", "above", "below")
_STEP: Mapping[Direction, Mapping[int, int]] = {
    "left of": {1: 0, 3: 2},
    "right of": {0: 1, 2: 3},
    "above": {2: 0, 3: 1},
    "below": {0: 2, 1: 3},
}

TRAINED_WORDINGS = 4
"""Wordings 0 to 3 are trained on; 4 and 5 are held out."""

WORDINGS = 6


def article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if words[0] in 'aeio' else 'a'} {words}"


@dataclass(frozen=True)
class View:
    """A scene as it is understood: `called` holds names that a correction gave to single entities of this picture."""

    scene: Scene
    called: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    def name(self, world: Knowledge, cell: int) -> str:
        """What the entity in a cell is called."""
        return self.called.get(cell, world.names[self.scene.at(cell)])

    def identity(self, world: Knowledge, cell: int) -> Kind | None:
        """The kind whose facts hold for the entity: the kind of its name; None for a name that no kind bears."""
        return world.kinds_by_name.get(self.name(world, cell))


@dataclass(frozen=True)
class Ref:
    """A noun phrase. On an image it means a cell ("the thing left of the ring"); without one it means a kind ("a red star")."""

    form: Literal["cell", "glyph", "colour", "relation", "name", "description"]
    words: str
    at: int | None = None
    direction: Direction | None = None
    anchor: str = ""
    kind: Kind | None = None

    @staticmethod
    def cell(cell: int) -> Ref:
        return Ref("cell", f"the thing at the {CELLS[cell]}", at=cell)

    @staticmethod
    def glyph(glyph: str) -> Ref:
        return Ref("glyph", f"the {glyph}", anchor=glyph)

    @staticmethod
    def colour(colour: str) -> Ref:
        return Ref("colour", f"the {colour} thing", anchor=colour)

    @staticmethod
    def relation(direction: Direction, anchor: str) -> Ref:
        noun = anchor if anchor in GLYPHS else f"{anchor} thing"
        return Ref("relation", f"the thing {direction} the {noun}", direction=direction, anchor=anchor)

    @staticmethod
    def name(world: Knowledge, kind: Kind) -> Ref:
        return Ref("name", article(world.names[kind]), kind=kind)

    @staticmethod
    def description(kind: Kind) -> Ref:
        return Ref("description", article(kind.words), kind=kind)

    @property
    def visual(self) -> bool:
        """Whether the phrase needs an image."""
        return self.kind is None

    def resolve(self, scene: Scene) -> int | None:
        """The cell that is meant, or None when nothing, or more than one thing, fits."""
        if self.form == "cell":
            assert self.at is not None
            return self.at if scene.cells[self.at] is not None else None
        anchor = _the(scene, self.anchor)
        if anchor is None or self.direction is None:
            return anchor
        neighbour = _STEP[self.direction].get(anchor)
        return neighbour if neighbour is not None and scene.cells[neighbour] is not None else None


def _matches(kind: Kind, word: str) -> bool:
    return word in (kind.glyph, kind.colour, "thing")


def matching(scene: Scene, noun: str) -> tuple[int, ...]:
    """The cells in which there is what a noun of `NOUNS` says."""
    return tuple(cell for cell in scene.filled if _matches(scene.at(cell), noun.split()[0]))


def _the(scene: Scene, word: str) -> int | None:
    found = matching(scene, word)
    return found[0] if len(found) == 1 else None


def references(scene: Scene, cell: int) -> list[Ref]:
    """Every way to mean the entity in `cell` on this scene; by glyph and colour together is never one of them."""
    kind = scene.at(cell)
    refs = [Ref.cell(cell), Ref.glyph(kind.glyph), Ref.colour(kind.colour)]
    for other in scene.filled:
        for direction in DIRECTIONS:
            if _STEP[direction].get(other) == cell:
                refs += [Ref.relation(direction, scene.at(other).glyph), Ref.relation(direction, scene.at(other).colour)]
    return [ref for ref in refs if ref.resolve(scene) == cell]


Family = Literal[
    "recognition", "colour", "shape", "name", "relation", "count", "exists", "is_attribute", "is_fact", "where",
    "home", "food", "maker", "weather", "taste", "tool", "value_weather", "value_taste", "value_tool", "arithmetic",
]  # fmt: skip

FACT_OF: Mapping[str, Relation] = MappingProxyType({"home": "home", "food": "food", "maker": "maker"})
SECOND_OF: Mapping[str, Relation] = MappingProxyType({"weather": "home", "taste": "food", "tool": "maker"})
SECOND: Mapping[Relation, Family] = MappingProxyType({"home": "weather", "food": "taste", "maker": "tool"})
VALUE_SECOND: Mapping[Relation, Family] = MappingProxyType({"home": "value_weather", "food": "value_taste", "maker": "value_tool"})
_VALUE_OF: Mapping[str, Relation] = MappingProxyType({family: relation for relation, family in VALUE_SECOND.items()})


@dataclass(frozen=True)
class Question:
    """One question as a structure. `args` are what its family needs beside the reference.

    relation: (direction,); count, exists: (noun,) in the singular; is_attribute: (property,) as it is said; is_fact: (relation, value);
    where: (name,); value_*: (value,); arithmetic: (a, "plus" | "minus", b).
    """

    family: Family
    ref: Ref | None = None
    args: tuple[str, ...] = ()

    @property
    def visual(self) -> bool:
        """Whether the question is asked of an image."""
        return self.ref.visual if self.ref else self.family in ("count", "exists", "where")

    def ask(self, wording: int) -> str:
        """The question in one of its six wordings, or of the two that only lessons use (`LESSON_WORDINGS`)."""
        words: dict[str, str] = {"r": self.ref.words if self.ref else ""}
        words |= {str(i): self.said(arg) for i, arg in enumerate(self.args)}
        text = (*_WORDINGS[self.family], *_PRACTISED[self.family])[wording]
        for key, value in words.items():
            text = text.replace("{" + key + "}", value)
        return text

    def said(self, arg: str) -> str:
        """One of `args` as the wordings say it."""
        if self.family == "count":
            return plural(arg)
        return article(arg) if self.family == "exists" else arg

    def answer(self, world: Knowledge, view: View | None) -> str | None:
        """What is true, or None where the question doesn't apply (nothing, or more than one thing, is meant)."""
        if self.family == "arithmetic":
            a, sign, b = self.args
            return str(int(a) + int(b) if sign == "plus" else int(a) - int(b))
        if self.family in _VALUE_OF:
            return world.consequence(_VALUE_OF[self.family], self.args[0])
        if self.ref is None:
            assert view is not None, "a question on an image needs one"
            return self._of_scene(world, view)
        if self.ref.kind is not None:
            return self._of_kind(world, self.ref.kind)
        assert view is not None, "a question on an image needs one"
        cell = self.ref.resolve(view.scene)
        return None if cell is None else self._of_entity(world, view, cell)

    def _of_scene(self, world: Knowledge, view: View) -> str | None:
        cells = view.scene.filled
        if self.family == "where":
            found = [cell for cell in cells if view.name(world, cell) == self.args[0]]
            return f"the {CELLS[found[0]]}" if len(found) == 1 else None
        count = len(matching(view.scene, self.args[0]))
        if self.family == "exists":
            return "yes" if count else "no"
        return str(count)

    def _of_entity(self, world: Knowledge, view: View, cell: int) -> str | None:
        kind = view.scene.at(cell)
        match self.family:
            case "recognition":
                return kind.words
            case "colour":
                return kind.colour
            case "shape":
                return kind.glyph
            case "name":
                return view.name(world, cell)
            case "relation":
                neighbour = next((_STEP[step].get(cell) for step in DIRECTIONS if step == self.args[0]), None)
                other = None if neighbour is None else view.scene.cells[neighbour]
                return other.words if other else "nothing"
            case "is_attribute":
                said = self.args[0]
                true = {kind.colour, article(kind.glyph), f"called {view.name(world, cell)}"}
                return "yes" if said in true else "no"
        identity = view.identity(world, cell)
        return None if identity is None else self._of_kind(world, identity)

    def _of_kind(self, world: Knowledge, kind: Kind) -> str | None:
        match self.family:
            case "name":
                return world.names[kind]
            case "colour":
                return kind.colour
            case "shape":
                return kind.glyph
            case "is_fact":
                relation = FACT_OF[self.args[0]]
                return "yes" if world.facts[kind, relation] == self.args[1] else "no"
        if self.family in FACT_OF:
            return world.facts[kind, FACT_OF[self.family]]
        relation = SECOND_OF[self.family]
        return world.consequence(relation, world.facts[kind, relation])


def cells_reached(direction: Direction) -> frozenset[int]:
    """The cells that can be in this direction of another one."""
    return frozenset(_STEP[direction].values())


def plural(noun: str) -> str:
    """The plural of a glyph, or of "thing" with or without a colour."""
    return f"{noun}es" if noun[-1] in "sxo" else f"{noun}s"


_WORDINGS: Mapping[Family, tuple[str, ...]] = {
    "recognition": (
        "what is {r}?", "tell me what {r} is.", "name the colour and shape of {r}.", "which thing is {r}?",
        "say what {r} is.", "say the colour and shape of {r}.",
    ),
    "colour": (
        "what colour is {r}?", "which colour does {r} have?", "tell me the colour of {r}.", "say which colour {r} has.",
        "what is the colour of {r}?", "say the colour of {r}.",
    ),
    "shape": (
        "what shape is {r}?", "which shape does {r} have?", "tell me the shape of {r}.", "say which shape {r} has.",
        "what is the shape of {r}?", "say the shape of {r}.",
    ),
    "name": (
        "what is {r} called?", "what is the name of {r}?", "tell me the name of {r}.", "which name does {r} have?",
        "say the name of {r}.", "tell me what {r} is called.",
    ),
    "relation": (
        "what is {0} {r}?", "which thing is {0} {r}?", "tell me what is {0} {r}.", "say what you see {0} {r}.",
        "say which thing is {0} {r}.", "what do you see {0} {r}?",
    ),
    "count": (
        "how many {0} are there?", "count the {0}.", "how many {0} do you see?", "tell me how many {0} there are.",
        "say how many {0} there are.", "say how many {0} you see.",
    ),
    "exists": (
        "is there {0}?", "do you see {0}?", "tell me if there is {0}.", "say if you see {0}.",
        "say if there is {0}.", "tell me if you see {0}.",
    ),
    "is_attribute": (
        "is {r} {0}?", "tell me if {r} is {0}.", "would you say that {r} is {0}?", "is it true that {r} is {0}?",
        "say if {r} is {0}.", "would you say {r} is {0}?",
    ),
    "is_fact": (
        "is {1} the {0} of {r}?", "tell me if {1} is the {0} of {r}.", "would you say that {1} is the {0} of {r}?", "is it true that {1} is the {0} of {r}?",
        "say if {1} is the {0} of {r}.", "would you say {1} is the {0} of {r}?",
    ),
    "where": (
        "where is the {0}?", "where do you see the {0}?", "tell me where the {0} is.", "in which place is the {0}?",
        "say where the {0} is.", "say where you see the {0}.",
    ),
    "home": (
        "where does {r} live?", "what is the home of {r}?", "tell me where {r} lives.", "in which place does {r} live?",
        "say where {r} lives.", "tell me the home of {r}.",
    ),
    "food": (
        "what does {r} eat?", "what is the food of {r}?", "tell me what {r} eats.", "which food does {r} eat?",
        "say what {r} eats.", "tell me the food of {r}.",
    ),
    "maker": (
        "who made {r}?", "who is the maker of {r}?", "tell me who made {r}.", "by whom was {r} made?",
        "say who made {r}.", "tell me the maker of {r}.",
    ),
    "weather": (
        "what is the weather where {r} lives?", "tell me the weather at the home of {r}.", "which weather does the home of {r} have?", "say what the weather is where {r} lives.",
        "tell me what the weather is where {r} lives.", "what is the weather at the home of {r}?",
    ),
    "taste": (
        "what is the taste of the food of {r}?", "tell me the taste of what {r} eats.", "which taste does the food of {r} have?", "say how the food of {r} tastes.",
        "tell me the taste of the food of {r}.", "what is the taste of what {r} eats?",
    ),
    "tool": (
        "what is the tool of the maker of {r}?", "which tool does the maker of {r} use?", "tell me the tool of the maker of {r}.", "say which tool the maker of {r} uses.",
        "tell me which tool the maker of {r} uses.", "what tool does the maker of {r} use?",
    ),
    "value_weather": (
        "what is the weather at {0}?", "tell me the weather at {0}.", "which weather does {0} have?", "say what the weather is at {0}.",
        "tell me what the weather is at {0}.", "what weather does {0} have?",
    ),
    "value_taste": (
        "what is the taste of {0}?", "tell me the taste of {0}.", "which taste does {0} have?", "say how {0} tastes.",
        "tell me how {0} tastes.", "what taste does {0} have?",
    ),
    "value_tool": (
        "what is the tool of {0}?", "which tool does {0} use?", "tell me the tool of {0}.", "say which tool {0} uses.",
        "tell me which tool {0} uses.", "what tool does {0} use?",
    ),
    "arithmetic": (
        "what is {0} {1} {2}?", "tell me {0} {1} {2}.", "how many is {0} {1} {2}?", "say what {0} {1} {2} is.",
        "say {0} {1} {2}.", "tell me what {0} {1} {2} is.",
    ),
}  # fmt: skip

_PRACTISED: Mapping[Family, tuple[str, ...]] = {
    "recognition": ("what are the colour and shape of {r}?", "which colour and shape does {r} have?"),
    "colour": ("tell me which colour {r} has.", "name the colour of {r}."),
    "shape": ("tell me which shape {r} has.", "name the shape of {r}."),
    "name": ("how is {r} called?", "say which name {r} has."),
    "relation": ("tell me which thing is {0} {r}.", "say what is {0} {r}."),
    "count": ("tell me how many {0} you see.", "what is the number of {0}?"),
    "exists": ("would you say that there is {0}?", "is it true that there is {0}?"),
    "is_attribute": ("is it so that {r} is {0}?", "say if it is true that {r} is {0}."),
    "is_fact": ("is it so that {1} is the {0} of {r}?", "say if it is true that {1} is the {0} of {r}."),
    "where": ("say in which place you see the {0}.", "say at which place the {0} is."),
    "home": ("name the home of {r}.", "say the home of {r}."),
    "food": ("name the food of {r}.", "say the food of {r}."),
    "maker": ("name the maker of {r}.", "say the maker of {r}."),
    "weather": ("say the weather at the home of {r}.", "say which weather the home of {r} has."),
    "taste": ("say the taste of the food of {r}.", "say which taste the food of {r} has."),
    "tool": ("say the tool of the maker of {r}.", "say what tool the maker of {r} uses."),
    "value_weather": ("say the weather at {0}.", "say which weather {0} has."),
    "value_taste": ("say the taste of {0}.", "say which taste {0} has."),
    "value_tool": ("say the tool of {0}.", "say what tool {0} uses."),
    "arithmetic": ("say which number {0} {1} {2} is.", "tell me which number {0} {1} {2} is."),
}  # fmt: skip
"""Further wordings that only lessons use: with four alone, "tell me the home of ..." was taken for "tell me if ... is the home of ..."."""

LESSON_WORDINGS: tuple[int, ...] = (*range(TRAINED_WORDINGS), WORDINGS, WORDINGS + 1)
"""The wordings that lessons are asked in: the trained ones, and two that nothing else uses."""

NOUNS: tuple[str, ...] = ("thing", *GLYPHS, *(f"{colour} thing" for colour in COLOURS))
"""What can be counted, or asked whether it is there."""

FAMILIES: tuple[Family, ...] = tuple(_WORDINGS)

assert all(len(texts) == WORDINGS for texts in _WORDINGS.values()), "every family has six wordings"
