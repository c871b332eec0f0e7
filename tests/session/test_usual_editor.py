"""Which editor a log begins with where nobody named one."""

from typing import cast

import pytest

from errata.cli.bench.atlas import _usual
from errata.core.editor import Tools
from errata.core.errors import Unknown
from errata.core.settings import DEFAULT_EDITOR, LEARNED, default_editors
from errata.editors import EDITORS, SHORT_NAMES
from errata.log import EditLog, MemoryStore
from errata.session import ready as opened
from errata.session.ready import Otherwise, Ready

LEARNER = """
from dataclasses import dataclass
from errata.core.errors import BadInput
from errata.core.records import Spec
from errata.nn.patches import NoPatch

@dataclass(frozen=True)
class Mine:
    fits: bool = True
    def spec(self, model): return Spec("mine", {"fits": self.fits})
    def begin(self, model):
        if not self.fits:
            raise BadInput("It was trained for another model.")
        return ()
    def write(self, model, state, edit): return (*state, edit.id)
    def read(self, model, state, query): return NoPatch()
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(LEARNER)
    return f"{path}:Mine"


def test_every_model_has_one_that_there_is():
    assert default_editors("llava-tiny") == (DEFAULT_EDITOR,)
    assert default_editors("smollm2") == ("rerank", DEFAULT_EDITOR)
    assert {editor.partition(":")[0] for each in LEARNED.values() for editor in each} <= {*EDITORS, *SHORT_NAMES}


def begun(model, editor=None, otherwise=None, log=None):
    return Ready.of(log or EditLog(MemoryStore()), model=model, editor=editor, otherwise=Otherwise("none", otherwise)).asked


def test_what_suits_the_model_is_taken_and_what_does_not_fit_it_is_not(random_llava, mine, monkeypatch):
    monkeypatch.setattr(opened, "default_editors", lambda name: (mine, DEFAULT_EDITOR))
    assert begun(random_llava) == mine
    monkeypatch.setattr(opened, "default_editors", lambda name: (f"{mine}:fits=false", DEFAULT_EDITOR))
    assert begun(random_llava) == DEFAULT_EDITOR
    monkeypatch.setattr(opened, "default_editors", lambda name: (f"{mine}:fits=false", mine, DEFAULT_EDITOR))
    assert begun(random_llava) == mine


def test_a_measurement_takes_what_ships_for_a_model_in_its_own_precision_alone():
    assert _usual("smollm2", "cpu", "auto") == _usual("smollm2", "cpu", "float32") == "rerank"
    assert _usual("smollm2", "cpu", "bfloat16") == _usual("smollm2", "cuda", "auto") == DEFAULT_EDITOR
    assert _usual("llava-tiny", "cpu", "auto") == DEFAULT_EDITOR
    assert _usual("atlas", "cpu", "auto") == "rerank:reader=smollm2,sight=atlas,naming=true"
    assert _usual("atlas", "cpu", "bfloat16") == "rerank:reader=smollm2"  # read in float32 whatever the model is in


def test_what_it_names_is_loaded_and_the_codebook_taken_where_that_is_not_there(random_llava, monkeypatch):
    class Nobody:
        """Has no model."""

        def reader(self, name):
            raise Unknown("model", name, ())

    monkeypatch.setattr(opened, "default_editors", lambda name: ("rerank:reader=smollm2", DEFAULT_EDITOR))
    assert opened.usual(random_llava, tools=cast("Tools", Nobody()))[0] == DEFAULT_EDITOR


def test_what_was_named_set_or_recorded_stands_before_it(random_llava, mine, monkeypatch):
    monkeypatch.setattr(opened, "default_editors", lambda name: (mine, DEFAULT_EDITOR))
    assert begun(random_llava, editor="none") == "none"
    assert begun(random_llava, otherwise="finetune") == "finetune"
    log = EditLog(MemoryStore())
    Ready.of(log, model=random_llava, editor="finetune", otherwise=Otherwise("none")).session(log)
    assert begun(random_llava, log=log) == "finetune"


def test_one_that_was_named_and_does_not_fit_is_not_exchanged(random_llava, mine):
    assert begun(random_llava, editor=f"{mine}:fits=false") == f"{mine}:fits=false"


def test_the_codebook_isnt_begun_to_find_out_that_it_is_taken(random_llava, monkeypatch):
    begun_with = []
    monkeypatch.setattr(EDITORS["codebook"], "begin", lambda self, model: begun_with.append(model))
    assert begun(random_llava) == DEFAULT_EDITOR
    assert begun_with == []
