"""`errata table`: comparisons over several seeds."""
