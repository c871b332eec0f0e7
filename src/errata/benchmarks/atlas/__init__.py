"""Atlas: facts that are true, asked in the words that people use. `atlas-words` streams corrections of them, in words alone."""
