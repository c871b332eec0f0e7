"""`errata bench`: put editors to a benchmark, and see what they, a memory of many edits and the log take on this machine."""
