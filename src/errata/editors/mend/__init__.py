"""MEND: what it learns, its loss, and the editor that writes with it (`editor`)."""
