"""`errata bench`: put editors to a benchmark."""
