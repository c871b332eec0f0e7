"""How a picture is decoded stays with a log, and the same pixels in other bytes are the same picture."""

from __future__ import annotations

import io
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from errata.core.errors import BadInput, LogError
from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore, open_store
from errata.models.clip import ClipSizes, build_clip
from errata.session.ready import Loader, Otherwise, Ready
from errata.session.session import Session
from errata.session.takeback import erase_image
from tests.session.test_lifecycle import LEARNS, opened

BY = Provenance("ann", "asked for by the person shown")
HERE = Path(__file__).parent / "stores_2026_11"
NOISE = Pillow.fromarray(np.random.default_rng(4).integers(0, 256, (30, 40, 3), dtype=np.uint8))
WHERE = "where does the blue ring live?"


def saved(picture, *, turned=1, note=""):
    """The picture as a PNG that says how it is to be turned, and something that changes its bytes alone."""
    notes, told, data = Pillow.Exif(), PngInfo(), io.BytesIO()
    notes[274] = turned
    told.add_text("note", note)
    picture.save(data, "PNG", exif=notes, pnginfo=told)
    return Image.of(data.getvalue())


UPRIGHT, AGAIN = saved(NOISE), saved(NOISE, note="saved again")
OVER = NOISE.transpose(Pillow.Transpose.ROTATE_180)
PHONE, LYING = saved(OVER, turned=3), saved(OVER)
"""The first is shown as `UPRIGHT` is; before, it was seen as the second."""


MINE = """
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Mine:
    handed: int = 0

    def spec(self, model): ...

    def begin(self, model): ...

    def write(self, model, state, edit): ...

    def read(self, model, state, query): ...

    def equipped(self, tools):
        return replace(self, handed=tools.decoder)
"""


def seen(model, image):
    return model.features(Query.ask("what is it?", image)).image_D


def test_a_log_goes_on_decoding_as_it_began(random_llava):
    new, old = opened(random_llava), opened(random_llava.seeing(1))
    assert [next(session.log.entries(1, 2)).details["decoder"] for session in (new, old)] == [2, 1]
    assert torch.equal(seen(new.model, PHONE), seen(new.model, UPRIGHT))
    assert not torch.equal(seen(new.model, PHONE), seen(new.model, LYING))
    assert torch.equal(seen(old.model, PHONE), seen(old.model, LYING))
    edit = Edit(Query.ask("what is it?", PHONE), "a red star")
    old.edit(edit, guard=False)
    again = opened(random_llava, old.log)  # a model that decodes as new logs do: the log says what holds
    assert (again.model.decoder, random_llava.decoder) == (1, 2)
    both = [Query.ask("what is it?", image) for image in (PHONE, LYING)]
    assert [answer.text for answer in again.ask(both)] == [answer.text for answer in old.ask(both)]
    assert again.at(1).model.decoder == 1


def test_a_store_that_earlier_code_wrote_decodes_as_it_did(tmp_path):
    shutil.copytree(HERE, tmp_path / "then")
    with closing(open_store(tmp_path / "then" / "codebook.db", create=False)) as store:
        log = EditLog(store)
        assert log.decoder == 1
        ready = Ready.of(log, model=None, editor=None, otherwise=Otherwise("none", "none"))
        session = ready.session(log)
        for model in (ready.model, session.model):
            assert torch.equal(seen(model, PHONE), seen(model, LYING))
            assert not torch.equal(seen(model, PHONE), seen(model, UPRIGHT))


def test_encoders_and_second_models_decode_as_the_log_does(tmp_path, random_llava_folder):
    build_clip(
        tmp_path, texts=["what is it?"], sizes=ClipSizes(width=32, layers=1, ffn=32, image=32, patch=8, vocabulary=60), seed=1
    )
    for decoder, like in ((1, LYING), (2, UPRIGHT)):
        tools = Loader(decoder=decoder)
        encoder = tools.encoder(str(tmp_path))
        assert torch.equal(encoder.image(PHONE).whole_D, encoder.image(like).whole_D)
        assert tools.model(str(random_llava_folder)).decoder == decoder


def test_an_editor_is_handed_tools_that_decode_as_its_log_does(random_llava, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text(MINE)
    for model in (random_llava, random_llava.seeing(1)):
        log = opened(model).log
        ready = Ready.of(log, model=random_llava, editor=f"{mine}:Mine", otherwise=Otherwise("none", "none"))
        assert vars(ready.editor)["handed"] == model.decoder


def test_a_log_that_decodes_as_no_version_here_does_is_refused(random_llava):
    session = opened(random_llava)
    later = EditLog(MemoryStore())
    later.append("begun", None, BY, details={**session.log.head.details, "decoder": 3})
    with pytest.raises(LogError, match=r"version 3, not known here. Upgrade errata"):
        Session.open(random_llava, parse(LEARNS), later)


def test_the_same_pixels_in_other_bytes_are_the_same_question(random_llava):
    session = opened(random_llava)
    first = Edit(Query.ask(WHERE, UPRIGHT), "the harbor")
    session.edit(first, guard=False)
    better = Edit(Query.ask(WHERE, AGAIN), "the old pier")
    assert session.edit(better, guard=False).supersedes == (first.id,)
    turned = Edit(Query.ask(WHERE, PHONE), "the field")
    assert session.edit(turned, guard=False).supersedes == (better.id,)
    assert session.edit(Edit(Query.ask(WHERE, LYING), "the hill"), guard=False).supersedes == ()
    old = opened(random_llava.seeing(1))
    for edit in (first, turned):
        assert old.edit(edit, guard=False).supersedes == ()


def test_a_question_that_was_named_by_its_pictures_bytes_is_found_as_it_was(random_llava):
    log = opened(random_llava).log
    edit = Edit(Query.ask(WHERE, UPRIGHT), "the harbor")
    log.append("applied", edit, BY, details={"asks": edit.query.digest})
    assert log.asking(edit.query) == edit.id


def holding(model, *images, store=None, branch="main"):
    """A session with a correction on each of the pictures, of other questions."""
    session = opened(model, EditLog(store or MemoryStore(), branch))
    for number, image in enumerate(images):
        session.edit(Edit(Query.ask(f"{WHERE} {number}", image), "the harbor"), guard=False)
    return session


def test_erasing_says_what_else_shows_the_same_pixels_and_leaves_it(random_llava):
    session = holding(random_llava, UPRIGHT, AGAIN, LYING)
    other = holding(random_llava, PHONE, store=session.log.store, branch="trial")
    done = erase_image(session, UPRIGHT.digest, BY)
    assert (done.images, done.left, done.elsewhere) == ((UPRIGHT.digest,), (AGAIN.digest,), (("trial", PHONE.digest),))
    assert [session.log.store.blobs.get(image.digest) is None for image in (UPRIGHT, AGAIN, LYING)] == [True, False, False]
    assert len(session.log.ids_in_force()) == 2
    assert erase_image(other, PHONE.digest, BY).elsewhere == (("main", AGAIN.digest),)
    session.log.verify()


@pytest.mark.parametrize("keep", [False, True])
def test_every_file_that_shows_the_picture_is_erased_where_it_is_asked_for(random_llava, keep):
    session = holding(random_llava, UPRIGHT, AGAIN, LYING, PHONE)
    one, two, lying, three = session.log.ids_in_force()
    texts = [answer.text for answer in session.ask([Query.ask(WHERE, LYING)])]
    head = session.log.head
    seen = erase_image(session, AGAIN.digest[:10], BY, keep_effect=keep, alike=True, dry_run=True)
    assert session.log.head == head
    assert all(session.log.store.blobs.get(image.digest) for image in (UPRIGHT, AGAIN, LYING, PHONE))
    done = erase_image(session, AGAIN.digest, BY, keep_effect=keep, alike=True)
    assert replace(done, reverted=()) == replace(seen, reverted=())
    assert [(each.edit, each.before, each.after) for each in done.reverted] == [(e.edit, e.before, e.after) for e in seen.reverted]
    assert [each.status for each in seen.reverted] == ([] if keep else ["would revert"] * 3)
    assert (done.images[0], set(done.images), done.left) == (AGAIN.digest, {UPRIGHT.digest, AGAIN.digest, PHONE.digest}, ())
    assert [session.log.store.blobs.get(image.digest) is None for image in (UPRIGHT, AGAIN, LYING, PHONE)] == [
        True,
        True,
        False,
        True,
    ]
    assert (done.kept, session.log.ids_in_force()) == (((one, two, three), (one, two, lying, three)) if keep else ((), (lying,)))
    assert session.log.erasing() == {}
    session.log.verify()
    if keep:
        assert [answer.text for answer in opened(random_llava, session.log).ask([Query.ask(WHERE, LYING)])] == texts


def test_what_was_erased_is_not_taken_in_again_in_other_bytes(random_llava):
    session = holding(random_llava, UPRIGHT)
    erase_image(session, UPRIGHT.digest, BY)
    for image in (UPRIGHT, AGAIN, PHONE):
        with pytest.raises(BadInput, match="was erased on this branch"):
            session.edit(Edit(Query.ask(WHERE, image), "the harbor"), guard=False)
        assert session.log.store.blobs.get(image.digest) is None
    assert session.edit(Edit(Query.ask(WHERE, LYING), "the harbor"), guard=False).status == "applied"
    with pytest.raises(BadInput, match="was erased"):
        opened(random_llava, EditLog(session.log.store)).edit(Edit(Query.ask(WHERE, AGAIN), "the harbor"), guard=False)
