"""`errata config`: the settings as they stand, and where each came from."""

from __future__ import annotations

from errata.cli._options import AsJson
from errata.cli._print import note, say_json, table
from errata.core.settings import FILE, VARIABLES, settings
from errata.log import shown


def config(as_json: AsJson = False) -> None:
    """Show where the log is, which model and editor a command takes, and who writes, when nothing is said of it.

    A flag stands before everything. Then comes the environment, then the nearest errata.toml from this folder upwards, then the
    default. A log that has begun names its own model and editor: the log's editor stands before a setting, and its model before the
    default.

    \b
    Examples:
      errata config
      errata config --json
    """
    held = {name: (shown(found.value) if name == "store" else found.value, found.source) for name, found in settings().items()}
    if as_json:
        say_json({name: {"value": value, "source": source} for name, (value, source) in held.items()})
        return
    table(("setting", "value", "from", "variable"), [(name, *found, VARIABLES[name]) for name, found in held.items()])
    if all(source == "default" for _, source in held.values()):
        note(f'Set one for good in {FILE}, such as: store = "corrections.db"')
