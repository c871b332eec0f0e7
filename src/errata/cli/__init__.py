"""Floor 6: parsing and printing. What needs a model is loaded inside the commands only, so that the log answers at once."""
