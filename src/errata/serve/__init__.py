"""The corrected model over HTTP: OpenAI's chat completions, corrections, and a page for people."""
