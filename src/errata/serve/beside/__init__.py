"""What a server keeps beside its store and the log doesn't know: answers that people flagged, and how far a webhook has come.

Beside a SQLite store it is in a file of its own, `STORE.served`, and in PostgreSQL in a schema of its own, `errata_served`: a copy
of the log comes without it, and an older errata minds none. Where there is no store it is in memory.
"""
