"""Floor 6: pages and pictures of figures."""
