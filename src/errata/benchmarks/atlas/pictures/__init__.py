"""Pictures of Atlas: flags by two artists, things, photographs, read from installed packages and seen in views."""
