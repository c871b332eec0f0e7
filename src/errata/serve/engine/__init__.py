"""What answers and what is changed, on one thread: `seam` says what a route may ask of it."""
