"""Task families: programs."""
