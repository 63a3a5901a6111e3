"""Task families: frames."""
