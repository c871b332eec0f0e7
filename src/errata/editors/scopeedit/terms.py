"""What one write reads of its editor: fields that `ScopeEdit` documents, named here so that a write need not know the editor."""

from __future__ import annotations

from typing import Literal, Protocol

from errata.core.records import Edit, Query
from errata.editors._objective import Objective
from errata.editors.scopeedit.keys import KeyPositions, Protected


class Terms(Protocol):
    """The terms of a write; `errata.editors.scopeedit.editor.ScopeEdit` says what each is, its symbol and its range."""

    def asked(self, edit: Edit) -> tuple[Query, ...]:
        """The ways in which the inner steps ask an edit."""
        ...

    @property
    def learns_end(self) -> bool: ...

    @property
    def relaxation(self) -> float: ...

    @property
    def longest(self) -> float | None: ...

    @property
    def step_length(self) -> Literal["polyak", "fixed"]: ...

    @property
    def steps(self) -> int: ...

    @property
    def stop_nats(self) -> float | None: ...

    @property
    def scale(self) -> float: ...

    @property
    def eta_local(self) -> float: ...

    @property
    def eta_vision(self) -> float: ...

    @property
    def eta_shared(self) -> float: ...

    @property
    def lambda_local(self) -> float: ...

    @property
    def lambda_shared(self) -> float: ...

    @property
    def tau(self) -> float: ...

    @property
    def beta(self) -> float: ...

    @property
    def gate_floor(self) -> float: ...

    @property
    def shared_key(self) -> Literal["unit", "root_gate"]: ...

    @property
    def evidence(self) -> Literal["shared", "full"]: ...

    @property
    def centre(self) -> bool: ...

    @property
    def key_positions(self) -> KeyPositions: ...

    @property
    def keys_each(self) -> bool: ...

    @property
    def normalise_keys(self) -> bool: ...

    @property
    def normalise_step(self) -> bool: ...

    @property
    def downdate(self) -> Literal["step", "edit"]: ...

    @property
    def preconditioner(self) -> Literal["earlier", "current"]: ...

    @property
    def protect_positions(self) -> Protected: ...

    @property
    def objective(self) -> Objective | None: ...
