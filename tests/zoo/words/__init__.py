"""Families for words alone."""
