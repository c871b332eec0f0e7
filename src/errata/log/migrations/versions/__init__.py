"""One layout a file."""
