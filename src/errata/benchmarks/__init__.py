"""Floor 3: one benchmark a file. What is asked, what must hold, and where it comes from; no torch."""
