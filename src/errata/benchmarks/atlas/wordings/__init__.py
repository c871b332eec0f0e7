"""How people ask: wordings of each relation, written by hand, and the ordinary questions that have nothing to do with any."""
