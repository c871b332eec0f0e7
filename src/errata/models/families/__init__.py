"""A model family a file: a table of module paths, and how a query becomes tokens."""
