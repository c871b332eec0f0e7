"""What an editor's fields may be, said once: each check names whose field it is, which, its bound and what was given."""

from __future__ import annotations

from errata.core.errors import BadInput


def at_least(whose: str, least: float, **values: float | None) -> None:
    """Refuse a value below `least`; None is no value.

    Raises:
        BadInput: one is below, or no number.
    """
    for name, value in values.items():
        if value is not None and not value >= least:
            raise BadInput(f"{whose}'s {name} must be at least {least}, not {value}.")


def above(whose: str, bound: float, **values: float) -> None:
    """Refuse a value at `bound` or below.

    Raises:
        BadInput: one isn't above it, or no number.
    """
    for name, value in values.items():
        if not value > bound:
            raise BadInput(f"{whose}'s {name} must be above {bound}, not {value}.")
