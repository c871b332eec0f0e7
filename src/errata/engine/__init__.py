"""Floor 4: where the wings meet. Sessions, evaluation, training, reports."""
