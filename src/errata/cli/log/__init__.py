"""`errata log`: the log read, proved, named and erased from."""
