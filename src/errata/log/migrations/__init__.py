"""The layouts of the PostgreSQL store, each made of the one before. Alembic runs them; `errata.log._postgres` starts it."""
