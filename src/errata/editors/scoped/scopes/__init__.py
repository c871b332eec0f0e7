"""Scopes that are learned: what each sees, how alike two sights are, what it is trained on, and how it is kept on disk."""
