"""`errata proxy`: in front of a model that can't be touched."""
