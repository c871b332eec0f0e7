"""`fgvedit`: the FGVEdit benchmark (Zeng et al., "Visual-Oriented Fine-Grained Knowledge Editing for MultiModal Large Language
Models", §4) from the files that its authors publish; they are not part of this package and come under their own terms.

    FOLDER/train_data.json, FOLDER/test_data.json    lists of flat objects
    FOLDER/images/train2014/..., val2014/...         what `image` names; `FOLDER` itself where it has no `images`

Each object has the fields `src`, `alt`, `rephrase`, `image`, `loc`, `loc_ans`, `fg_gen_q`, `fg_gen_a`, `fg_loc_q` and `fg_loc_a`.
`src` on `image` must give `alt`, and so must `rephrase`; `fg_gen_q` on the same image must then give `fg_gen_a`; `fg_loc_q` on
it, and `loc` without any image, must be answered as before. `fg_gen_hard` and `fg_loc_hard`, which only `errata bench build-fgv`
writes, say whether the words leave the scope open; the authors' files keep what is hard, filled up, and don't say which is which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from errata.benchmarks._records import records, text_of
from errata.core import given
from errata.core.benchmark import UNCHANGED, Case, Pair, Probe, standing
from errata.core.canonical import JSON, digest_of, digest_of_json
from errata.core.counted import counted
from errata.core.errors import BadImage, BadInput, quoted
from errata.core.images import Image
from errata.core.records import Edit, Query

NAME = "fgvedit"

FIELDS: Final = ("src", "alt", "rephrase", "image", "loc", "loc_ans", "fg_gen_q", "fg_gen_a", "fg_loc_q", "fg_loc_a")
HARD: Final = ("fg_gen_hard", "fg_loc_hard")

Split = Literal["train", "test"]
FILES: Mapping[Split, str] = {"train": "train_data.json", "test": "test_data.json"}


@dataclass(frozen=True)
class Record:
    """One object of a file, its fields checked."""

    place: str
    """Where it stands, as a person says it: the file and the record's number, from 1."""

    said: Mapping[str, str]
    picture: Path
    hard: tuple[bool, bool]
    """Whether fg_gen_q and fg_loc_q are hard; True where the file doesn't say."""


class FGVEdit:
    """The records of one split, each an edit with its probes.

    Args:
        folder: where the authors' files lie.
        split: which of the two.
        edits: how many records are taken, at least 1; all of them when None.
        seed: draws which ones, and their order; only where fewer than all are taken.
        template: what a question on a picture becomes, `{}` being the question. The authors put "Question: {} Short answer:".

    Raises:
        BadInput: no such file, one that isn't a list of records, fewer records than asked for, a missing field or picture; the
            sentence names file, record and field.
    """

    def __init__(
        self, folder: Path, *, split: Split = "test", edits: int | None = None, seed: int = 0, template: str = "{}"
    ) -> None:
        if template.count("{}") != 1:
            raise BadInput(
                f"The template {quoted(template)} needs one {{}} where the question goes, such as 'Question: {{}} Short answer:'."
            )
        if edits is not None and edits < 1:
            raise BadInput(f"A benchmark needs at least 1 edit; {edits} were asked for.")
        path = folder / FILES[split]
        images = folder / "images" if (folder / "images").is_dir() else folder
        hint = f"Give the folder that holds {' and '.join(FILES.values())}, with the pictures under images/."
        taken = [_record(value, place, images) for place, value in records(path, hint=hint)]
        if edits is not None and edits > len(taken):
            raise BadInput(
                f"{path} has {len(taken)} records; {counted(edits, 'edit')} were asked for. Ask for at most {len(taken)}."
            )
        if edits is not None and edits < len(taken):
            order = np.random.default_rng([seed, 8]).permutation(len(taken))[:edits]
            taken = [taken[int(index)] for index in order]
        for record in taken:
            if not record.picture.is_file():
                raise BadImage(f"{record.place}, field 'image': there is no picture at {record.picture}. Put the images there.")
        self.split = split
        self._records = taken
        self._template = template

    @property
    def name(self) -> str:
        return NAME

    @cached_property
    def digest(self) -> str:
        """A digest of the records taken, of their pictures' bytes and of the template."""
        told: list[JSON] = [
            [dict(record.said), list(record.hard), digest_of(record.picture.read_bytes())] for record in self._records
        ]
        return digest_of_json([self._template, told])

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Case:
        """An edit with its five probes.

        Raises:
            BadInput: the record's picture is broken.
        """
        record = self._records[index]
        said, image = record.said, _image(record)
        edit = Edit(self._asked(said["src"], image), said["alt"], reach="image")
        probes = (
            Probe("reliability", edit.query, said["alt"]),
            Probe("text_generality", self._asked(said["rephrase"], image), said["alt"]),
            Probe("specificity_in", self._asked(said["fg_gen_q"], image), said["fg_gen_a"]),
            Probe("specificity_out", self._asked(said["fg_loc_q"], image), UNCHANGED),
            Probe("text_locality", Query.ask(said["loc"]), UNCHANGED),
        )
        return Case(edit, probes)

    def pairs(self, index: int) -> Sequence[Pair]:
        """The edit with each of its probes, labelled as the file does; see `core.benchmark.FineGrained`."""
        case = self[index]
        inside, outside = self._records[index].hard
        hard = {"specificity_in": inside, "specificity_out": outside}
        return [
            Pair(case.edit, probe.query, probe.expect is not UNCHANGED, probe.kind, hard.get(probe.kind, False))
            for probe in case.probes
        ]

    def truth(self, horizon: int) -> Sequence[Case]:
        """The first `horizon` cases as they stand when all of them are in force."""
        return standing([self[index] for index in range(horizon)])

    def pool(self) -> Sequence[Query]:
        """Nothing: every record is an edit's or a probe's."""
        return ()

    def _asked(self, question: str, image: Image) -> Query:
        return Query.ask(self._template.replace("{}", question), image)


def _record(value: Mapping[str, Any], place: str, images: Path) -> Record:
    said = {name: text_of(value, name, place) for name in FIELDS}
    if "\0" in said["image"]:
        raise BadInput(f"{place}: the field 'image' holds a zero character. Check the path.")
    hard = [value.get(name, True) for name in HARD]
    for name, each in zip(HARD, hard, strict=True):
        if not isinstance(each, bool):
            raise BadInput(f"{place}: the field {quoted(name)} must be true or false; it is {quoted(each)}.")
    return Record(place, said, images / said["image"], (hard[0], hard[1]))


def _image(record: Record) -> Image:
    try:
        return given.picture(record.picture)
    except BadImage as error:
        raise BadImage(f"{record.place}, field 'image': {error}") from None
