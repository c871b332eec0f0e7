"""Floor 4: what a correction goes through: written, read back, logged, asked, taken back, audited, replayed."""
