"""ODEdit: its objective, the views that it agrees over, and the editor that hands it on (`editor`)."""
