"""ScopeWorld: a world in which every scope label is true by construction."""
