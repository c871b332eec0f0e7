"""Floor 7: tables as a paper prints them: systems against figures, over seeds, written as CSV, Markdown and a figure."""
