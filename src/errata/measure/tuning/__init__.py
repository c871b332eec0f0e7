"""An editor's fields found for a model that nobody has seen: `tune` searches, `questions` are asked, `reach` is by distance."""
