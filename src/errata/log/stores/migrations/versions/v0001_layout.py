"""Layout 1: entries and branches, blobs, snapshots in parts, leases.

Every text is ASCII or compared by its bytes (collation "C"), so that an order is the same on every server. The body is kept as
bytes, because its bytes are hashed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "branches",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        schema="errata",
    )
    op.create_table(
        "entries",
        sa.Column("branch", TEXT, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("time", TEXT, nullable=False),
        sa.Column("body", BYTEA, nullable=False),
        sa.Column("previous", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        schema="errata",
    )
    op.create_table(
        "blobs",
        sa.Column("digest", TEXT, primary_key=True),
        sa.Column("data", BYTEA, nullable=False),
        schema="errata",
    )
    op.create_table(
        "snapshots",
        sa.Column("branch", TEXT, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry", TEXT, primary_key=True),
        sa.Column("digest", TEXT, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("data", BYTEA, nullable=False),
        schema="errata",
    )
    op.create_table(
        "leases",
        sa.Column("branch", TEXT, primary_key=True),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("token", TEXT, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        schema="errata",
    )
    # Pictures are compressed already, and tensors don't compress: the server shouldn't try.
    op.execute("ALTER TABLE errata.blobs ALTER COLUMN data SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE errata.snapshots ALTER COLUMN data SET STORAGE EXTERNAL")
