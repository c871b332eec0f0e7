"""Where a log is kept: in memory, in SQLite, in PostgreSQL; `opening` tells them apart."""
