"""Families with eyes."""
