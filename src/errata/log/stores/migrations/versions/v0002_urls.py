"""Layout 2: a lease says where its holder takes what others would write.

The column has a default, so that servers of the layout before, which are still running, go on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leases", sa.Column("url", sa.Text(collation="C"), nullable=False, server_default=""), schema="errata")
