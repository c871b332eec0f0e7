"""Checkpoints in their authors' own layouts, written as folders that transformers opens."""
