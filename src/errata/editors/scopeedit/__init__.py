"""ScopeEdit: its fields and verbs (`editor`), one write (`write`), what it remembers and what it measures."""
