"""What Alembic runs on: the connection that opens the store, and the schema in which it keeps its own table."""

from __future__ import annotations

from typing import Any

from alembic import context

from errata.log.stores._postgres import METADATA, NAMESPACE

options: dict[str, Any] = {"target_metadata": METADATA, "version_table_schema": NAMESPACE, "include_schemas": True}
context.configure(connection=context.config.attributes["connection"], **options)
context.run_migrations()
