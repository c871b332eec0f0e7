"""Floor 2: torch pieces that know no model family, no benchmark and no log."""
