"""In front of an endpoint: what a correction concerns is answered here, all else goes through as it came."""
