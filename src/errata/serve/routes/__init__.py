"""The routes, one file for what belongs together; each has a `router`."""
