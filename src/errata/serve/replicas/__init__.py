"""Several servers on one log: what reaches one that doesn't write is passed on to the one that does."""
