"""Atlas: facts that are true, asked in the words that people use and on pictures; corrections of them come as a stream."""
