"""What happens to corrections: told from the log, to streams that are open and to a webhook."""
