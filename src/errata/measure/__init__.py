"""Floor 5: the protocols that put editors to a benchmark, how answers are scored, runs over seeds, and the tables of them."""
