"""Editors behind a scope: by name (`editor`), as a memory (`scoped`), and what speaks for an edit in scope."""
