"""Who is asked what: pairs of a correction and a question, to teach a scope which is about which."""
