"""Floor 1: the nouns and verbs of errata. No torch is imported here or by anything that needs only this floor."""
