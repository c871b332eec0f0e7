"""`errata edit`: corrections made, taken back, read from files and written to them."""
