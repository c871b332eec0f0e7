"""Rules files: YAML in which every mistake is told with its line, all of them at once.

The text is composed into nodes, not loaded into values: nodes know their lines, show a key that is there twice, and don't turn a
`no` or an id of digits into something else than what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, cast, final, get_args

import yaml

from errata.core.errors import BadInput, Unknown, quoted
from errata.core.images import Image
from errata.core.records import EditId, Query, Reach
from errata.core.rules import EditRules, Must, Rules, RuleSet, check_pattern

MAX_BYTES: Final = 4 * 1024 * 1024
"""The largest rules file that is accepted, in bytes."""

_VERSION: Final = "1"
_TOP: Final = ("version", "branch", "edits")
_RULES: Final = ("reach", "must", "must_not", "never")
_STR: Final = "tag:yaml.org,2002:str"
_KIND: Final = {yaml.ScalarNode: "a single value", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}

T = TypeVar("T")


@dataclass(frozen=True)
class RulesFile:
    """The rules of a file, and where in it each edit is named."""

    path: Path
    rules: Rules
    lines: Mapping[str, int]
    """The first digits of an edit's id, as the file gives them -> the line."""

    def resolved(self, resolve: Callable[[str], EditId]) -> Rules:
        """The rules with whole ids in the place of first digits.

        Args:
            resolve: finds an edit by the first digits of its id, such as `EditLog.resolve`.

        Raises:
            BadInput: some digits fit no edit, or several. Each is named with its line.
        """
        faults: list[str] = []
        edits: list[EditRules] = []
        for one in self.rules.edits:
            try:
                edits.append(EditRules(resolve(one.edit), one.rules))
            except (BadInput, Unknown) as error:
                faults.append(f"{self.path}:{self.lines[one.edit]}: {error}")
        if faults:
            raise BadInput("\n".join(faults))
        return Rules(self.rules.branch, tuple(edits))


def read_rules(path: Path) -> RulesFile:
    """Read a rules file; pictures are found relative to it.

    Raises:
        BadInput: it can't be used. Every mistake in it is named, one to a line: `FILE:LINE: what is wrong`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The rules file {path} can't be read: {error.strerror or error}. Check the path.") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"The rules file {path} has {len(data):,} bytes; at most {MAX_BYTES:,} are accepted. Split it by branch.")
    reader = _Reader(path)
    top = _composed(path, data)
    rules = reader.rules(top)
    if reader.faults:
        raise BadInput("\n".join(f"{path}:{line}: {what}" for line, what in sorted(set(reader.faults))))
    return RulesFile(path, rules, reader.lines)


def _composed(path: Path, data: bytes) -> yaml.Node:
    """The file's one document as nodes."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: This isn't UTF-8 text. Save the file as UTF-8.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        raise BadInput(f"{path}:{line}: This isn't YAML: {error.problem or error.context}. Check quotes and indentation.") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise BadInput(f"{path}:{line}: A character can't stand in YAML: {error.reason}. Take it out.") from None
    except (RecursionError, ValueError) as error:  # a \U escape beyond Unicode is a ValueError of Python's own
        raise BadInput(f"{path}:1: This can't be read as YAML ({error}). Write it flat, as the reference shows.") from None
    if node is None:
        raise BadInput(f"{path}:1: The file holds no rules. Write them under 'branch:' or 'edits:'.")
    return node


@final
@dataclass
class _Reader:
    """Turns nodes into rules and collects what is wrong with them; what can't be used is left out of the result."""

    path: Path
    faults: list[tuple[int, str]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    _pictures: dict[str, Image] = field(default_factory=dict)
    _begun: dict[str, int] = field(default_factory=dict)
    """Every beginning of an edit's digits that was read -> its line: shorter digits would name the same edit."""

    def rules(self, node: yaml.Node) -> Rules:
        top = self._mapping(node, "The file", _TOP)
        if "version" in top and self._scalar(top["version"], "'version'") not in (_VERSION, None):
            self._fault(top["version"], f"This errata reads version {_VERSION} of rules files. Write 'version: {_VERSION}'.")
        if isinstance(node, yaml.MappingNode) and not {"branch", "edits"} & top.keys():
            self._fault(node, "There are no rules here. Write them under 'branch:' or 'edits:'.")
        branch = self._rule_set(top["branch"], "'branch'", answers_needed=True) if "branch" in top else RuleSet()
        return Rules(branch, self._edits(top["edits"]) if "edits" in top else ())

    def _edits(self, node: yaml.Node) -> tuple[EditRules, ...]:
        found: list[EditRules] = []
        for key, value in self._pairs(node, "'edits'"):
            name = key.value.lower() if isinstance(key, yaml.ScalarNode) else ""
            rules = self._rule_set(value, f"the edit {quoted(name)}", answers_needed=False)
            made = self._tried(key, partial(EditRules, name, rules))
            if made is None:
                continue
            shorter = [name[:size] for size in range(len(name)) if name[:size] in self.lines]
            same = self._begun.get(name) or (self.lines[shorter[0]] if shorter else None)
            if same is not None:
                self._fault(key, f"{quoted(name)} names the same edit as line {same}. Put the rules for an edit in one place.")
                continue
            self.lines[name] = _line(key)
            self._begun |= {name[:size]: _line(key) for size in range(1, len(name) + 1)}
            found.append(made)
        return tuple(found)

    def _rule_set(self, node: yaml.Node, what: str, *, answers_needed: bool) -> RuleSet:
        parts = self._mapping(node, what.capitalize(), _RULES)
        reach = self._reach(parts["reach"]) if "reach" in parts else None
        must = self._each(parts, "must", lambda item: self._must(item, answers_needed=answers_needed))
        must_not = self._each(parts, "must_not", lambda item: self._query(item, ("question", "image"))[0])
        never = self._each(parts, "never", self._pattern)
        self._check_consistent(must, must_not, never)
        return RuleSet(
            reach, tuple(one for _, one in must), tuple(one for _, one in must_not), tuple(pattern for _, pattern in never)
        )

    def _check_consistent(
        self,
        must: Sequence[tuple[yaml.Node, Must]],
        must_not: Sequence[tuple[yaml.Node, Query]],
        never: Sequence[tuple[yaml.Node, str]],
    ) -> None:
        """Rules of one set that can't all hold: told where the second of them stands."""
        wanted = {one.query.digest: _line(node) for node, one in must}
        for node, query in must_not:
            if query.digest in wanted:
                self._fault(node, f"This question is under 'must' (line {wanted[query.digest]}) as well. Keep one of the two.")
        patterns = RuleSet(never=tuple(pattern for _, pattern in never))
        for node, one in must:
            pattern = patterns.forbids(one.query)
            if pattern is not None:
                self._fault(
                    node, f"This question matches {quoted(pattern)} of 'never', so it can't be one that must follow. Keep one."
                )

    def _must(self, node: yaml.Node, *, answers_needed: bool) -> Must | None:
        query, parts = self._query(node, ("question", "image", "answer"))
        answer = self._text(parts["answer"], "'answer'") if "answer" in parts else None
        if answer is None and answers_needed and "answer" not in parts:
            self._fault(node, "A question under the branch's 'must' needs its 'answer': no edit gives it one. Add 'answer:'.")
        return None if query is None or (answer is None and answers_needed) else Must(query, answer)

    def _query(self, node: yaml.Node, known: Sequence[str]) -> tuple[Query | None, Mapping[str, yaml.Node]]:
        """A question: text alone, or a mapping with `question` and `image`."""
        if not isinstance(node, yaml.MappingNode):
            text = self._text(node, "A question")
            return (None if text is None else self._tried(node, partial(Query.ask, text))), {}
        parts = self._mapping(node, "A question", known)
        if "question" not in parts:
            self._fault(node, "The question has no 'question'. Write 'question: ...'.")
            return None, parts
        text = self._text(parts["question"], "'question'")
        images = self._images(parts["image"]) if "image" in parts else ()
        if text is None or images is None:
            return None, parts
        return self._tried(parts["question"], partial(Query.ask, text, *images)), parts

    def _images(self, node: yaml.Node) -> tuple[Image, ...] | None:
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = [self._image(item) for item in items]
        return None if None in found else tuple(image for image in found if image is not None)

    def _image(self, node: yaml.Node) -> Image | None:
        name = self._text(node, "The path of an image")
        if name is None:
            return None
        if "\0" in name:
            self._fault(node, "The path of an image holds a zero character. Check the path.")
            return None
        if name not in self._pictures:
            opened = self._tried(node, partial(Image.open, self.path.parent / name))
            if opened is None:
                return None
            self._pictures[name] = opened
        return self._pictures[name]

    def _pattern(self, node: yaml.Node) -> str | None:
        text = self._text(node, "A pattern")
        return None if text is None else self._tried(node, partial(check_pattern, text))

    def _reach(self, node: yaml.Node) -> Reach | None:
        text = self._text(node, "'reach'")
        if text is not None and text not in get_args(Reach):
            self._fault(node, f"The reach {quoted(text)} isn't known. Use one of: {', '.join(get_args(Reach))}.")
            return None
        return cast("Reach | None", text)

    def _each(self, parts: Mapping[str, yaml.Node], name: str, read: Callable[[yaml.Node], T | None]) -> list[tuple[yaml.Node, T]]:
        """What could be read of the list under a key, each with its node."""
        if name not in parts:
            return []
        node = parts[name]
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, f"{quoted(name)} is {_kind(node)}. Write a list, each item on a line that begins with '- '.")
            return []
        read_items = ((item, read(item)) for item in node.value)
        return [(item, made) for item, made in read_items if made is not None]

    def _mapping(self, node: yaml.Node, what: str, known: Sequence[str]) -> dict[str, yaml.Node]:
        """The values by key; a key that isn't known or is there twice is a fault."""
        found: dict[str, yaml.Node] = {}
        lines: dict[str, int] = {}
        for key, value in self._pairs(node, what):
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                self._fault(key, f"The key {_shown(key)} isn't known here. Known: {', '.join(known)}.")
            elif name in found:
                self._fault(key, f"The key {quoted(name)} is here twice, first on line {lines[name]}. Put both together.")
            else:
                found[name], lines[name] = value, _line(key)
        return found

    def _pairs(self, node: yaml.Node, what: str) -> list[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, f"{what} is {_kind(node)}. Write a mapping: 'key: value', one to a line.")
            return []
        return list(node.value)

    def _scalar(self, node: yaml.Node, what: str) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, f"{what} is {_kind(node)}. Write a single value.")
            return None
        return str(node.value)

    def _text(self, node: yaml.Node, what: str) -> str | None:
        """The text of a node. A number, `no` or `null` that isn't in quotes isn't text: nobody knows what was meant."""
        text = self._scalar(node, what)
        if text is None:
            return None
        if node.tag != _STR:
            self._fault(node, f"{what} isn't text, but {quoted(text)} without quotes. Put it in quotes.")
            return None
        if not text.strip():
            self._fault(node, f"{what} is empty. Write it, or take the line out.")
            return None
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            self._fault(node, f"{what} isn't valid Unicode text (half of a surrogate pair). Write the character itself.")
            return None
        return text

    def _tried(self, node: yaml.Node, make: Callable[[], T]) -> T | None:
        """What is made, or None and the sentence of why not."""
        try:
            return make()
        except BadInput as error:
            self._fault(node, str(error))
            return None

    def _fault(self, node: yaml.Node, what: str) -> None:
        self.faults.append((_line(node), what))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode) and not node.value:
        return "empty"
    return _KIND[type(node)]


def _shown(key: yaml.Node) -> str:
    return repr(key.value) if isinstance(key, yaml.ScalarNode) else f"that is {_kind(key)}"
