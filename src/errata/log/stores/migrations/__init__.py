"""The layouts of the PostgreSQL store, each made of the one before. Alembic runs them; `errata.log.stores._postgres` starts it."""
